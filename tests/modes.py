"""Eagerly and in a `tf.function`: one parameter of many tests."""

import pytest
import tensorflow as tf

EAGER_AND_GRAPH = pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
# For tests whose modes say the same and take long.
GRAPH_AND_SLOWLY_EAGER = pytest.mark.parametrize(
    "in_graph",
    [pytest.param(False, id="eager", marks=pytest.mark.slow), pytest.param(True, id="graph")],
)


def mostly_slow(values, quick):
    """Returns the values of a parameter, all marked slow but the quick ones."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


def traced(function, in_graph):
    """Returns a function as it is, or as a graph."""
    return tf.function(function) if in_graph else function
