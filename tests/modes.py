"""Eagerly and in a `tf.function`: one parameter of many tests."""

import pytest
import tensorflow as tf

EAGER_AND_GRAPH = pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])


def traced(function, in_graph):
    """Returns a function as it is, or as a graph."""
    return tf.function(function) if in_graph else function
