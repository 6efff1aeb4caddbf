"""Nested structures: packing, paths, descriptions."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf.rnn_cell import LSTMStateTuple, nest
from tests.rnn_cell.stepping import few_examples

Point = collections.namedtuple("Point", ["x", "y"])


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (3, [3]),
        (np.int64(3), [3]),
        (tf.TensorShape([]), []),
        (tf.TensorShape([2, None]), [2, None]),
    ],
)
def test_size_to_shape(size, shape):
    """A number is a vector's length, a `TensorShape` stands for itself."""
    assert nest.size_to_shape(size) == shape


@pytest.mark.parametrize("size", [2.0, "2", None, True, (2,)])
def test_wrong_size(size):
    """Anything else is refused."""
    with pytest.raises(TypeError, match=r"expected an int or a tf\.TensorShape"):
        nest.size_to_shape(size)


sizes = st.recursive(
    st.integers(1, 5),
    lambda children: (
        st.lists(children, min_size=1, max_size=3).map(tuple)
        | st.lists(children, min_size=1, max_size=3)
        | st.tuples(children, children).map(lambda pair: Point(*pair))
        | st.dictionaries(st.sampled_from("abc"), children, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def as_lists(structure):
    """Returns a structure with lists in place of tuples and namedtuples."""
    if isinstance(structure, dict):
        return {key: as_lists(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [as_lists(value) for value in structure]
    return structure


@few_examples
@given(sizes)
def test_packing_restores_containers(state_size):
    """A state given as lists comes back in the containers of the state size."""
    state = tf.nest.map_structure(str, state_size)
    packed = nest.pack_state_as(state_size, as_lists(state))
    assert packed == state
    tf.nest.assert_same_structure(packed, state_size)


@few_examples
@given(sizes)
def test_paths_are_in_the_order_of_flatten(structure):
    """Each path evaluates to the leaf at its place in `tf.nest.flatten`."""
    paths = nest.paths(structure)
    leaves = [eval(path, {"state": structure}) for path in paths]
    assert leaves == tf.nest.flatten(structure)


def test_packing_unwraps_single_states():
    """A bare state may come in a list of one, as Keras hands it over."""
    assert nest.pack_state_as(3, ["h"]) == "h"
    assert nest.pack_state_as(3, (["h"],)) == "h"
    assert nest.pack_state_as((3, 2), [["a"], "b"]) == ("a", "b")


@pytest.mark.parametrize(
    ("state_size", "state", "message"),
    [
        (3, ["a", "b"], r"Received a nested state \(\['a', 'b'\]\), expected one tensor of size 3"),
        ((3, 2), "a", r"Expected state to be a tuple of length 2"),
        ((3, 2), ["a"], r"Received state of structure \['a'\], expected state to be a tuple"),
        (LSTMStateTuple(2, 2), "a", r"of length 2 like state_size=LSTMStateTuple\(c=2, h=2\)"),
        (((3, 2), 1), [["a"], "b"], r"expected state\[0\] to be a tuple of length 2"),
        ((LSTMStateTuple(2, 2),), [("a", ("b", "c"))], r"Received a nested state\[0\]\.h"),
        ({"k": (1, 2)}, {"k": ["a"]}, r"expected state\['k'\] to be a tuple of length 2"),
        ({"k": 1}, {"l": "a"}, r"Received state of structure \{'l': 'a'\}"),
    ],
)
def test_packing_errors(state_size, state, message):
    """What does not fit is named with its path."""
    with pytest.raises(ValueError, match=message):
        nest.pack_state_as(state_size, state)


def test_packing_uses_the_name():
    """Messages call the state what the caller calls it."""
    with pytest.raises(ValueError, match=r"expected initial_state\[1\] to be a tuple of length 2"):
        nest.pack_state_as((1, (2, 3)), ["a", "b"], "initial_state")


@pytest.mark.parametrize(
    ("structure", "text"),
    [
        (tf.zeros([2, 3]), "float32[2, 3]"),
        (np.zeros((2,), np.int64), "int64[2]"),
        ((tf.zeros([1]),), "(float32[1],)"),
        ([1, "a"], "[1, 'a']"),
        (LSTMStateTuple(1, 2), "LSTMStateTuple(c=1, h=2)"),
        ({"a": (1, 2)}, "{'a': (1, 2)}"),
    ],
)
def test_describe(structure, text):
    """A structure is described in one line."""
    assert nest.describe(structure) == text


def test_rebuild_keeps_the_type():
    """The new structure has the type of the old one."""
    assert nest.rebuild(Point(1, 2), [3, 4]) == Point(3, 4)
    assert nest.rebuild([1, 2], [3, 4]) == [3, 4]
    assert nest.rebuild((1, 2), [3, 4]) == (3, 4)
    ordered = nest.rebuild(collections.OrderedDict(b=1, a=2), [3, 4])
    assert ordered == collections.OrderedDict(b=3, a=4)
    assert type(ordered) is collections.OrderedDict
