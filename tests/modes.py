"""Eagerly and in a `tf.function`: one parameter of many tests."""

import pytest

EAGER_AND_GRAPH = pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
