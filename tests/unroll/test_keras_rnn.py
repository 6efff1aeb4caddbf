"""This package's cells inside `keras.layers.RNN`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import RNNCell
from tests.rnn_cell.goldens import (
    DEPTH,
    EACH_GOLDEN,
    LENGTHS,
    SOME_GOLDENS,
    TIME,
    make_built,
    make_inputs,
)
from tests.unroll.fakes import Nested

# Cells whose state Keras gives back as it is: a tensor, or a tuple of tensors.
NESTED_STATES = ("lstm_stack", "mixed_stack", "deep_dropout", "attention", "keras_stack")


def keras_rnn(cell, **options):
    """Returns Keras's loop over a cell."""
    return keras.layers.RNN(cell, return_sequences=True, return_state=True, **options)


def assert_same_leaves(received, expected):
    """Asserts max |a - b| <= 1e-5 max |b| in each leaf; structures may differ."""
    received, expected = tf.nest.flatten(received), tf.nest.flatten(expected)
    assert len(received) == len(expected)
    for ours, theirs in zip(received, expected):
        assert ours.shape == theirs.shape
        scale = np.max(np.abs(theirs))
        assert np.max(np.abs(np.subtract(ours, theirs))) <= 1e-5 * scale


@EACH_GOLDEN
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unrolled"])
def test_eager(name, unroll):
    """Outputs and states are those of `dynamic_rnn`, in the order of TF1's leaves."""
    cell, inputs = make_built(name), make_inputs()
    received = keras_rnn(cell, unroll=unroll)(inputs)
    assert_same_leaves(received, dynamic_rnn(cell, inputs, dtype=tf.float32, training=False))


@EACH_GOLDEN
def test_mask(name):
    """Keras's mask with zeroed outputs is TF1's lengths."""
    cell, inputs = make_built(name), make_inputs()
    mask = tf.sequence_mask(LENGTHS, TIME)
    received = keras_rnn(cell, zero_output_for_mask=True)(inputs, mask=mask)
    expected = dynamic_rnn(cell, inputs, LENGTHS, dtype=tf.float32, training=False)
    assert_same_leaves(received, expected)


@EACH_GOLDEN
def test_functional_model(name, tmp_path):
    """A functional model has the same numbers, and so has the one loaded from a file."""
    cell, inputs = make_built(name), make_inputs()
    symbolic = keras.Input((None, DEPTH))
    outputs, *states = keras_rnn(cell)(symbolic)
    model = keras.Model(symbolic, [outputs, *tf.nest.flatten(states)])
    expected = dynamic_rnn(cell, inputs, dtype=tf.float32, training=False)
    assert_same_leaves(model(inputs), expected)
    path = tmp_path / "model.keras"
    model.save(path)
    assert_same_leaves(keras.models.load_model(path)(inputs), expected)


@SOME_GOLDENS
def test_fit(name):
    """One batch of `fit` moves every variable."""
    cell = make_built(name)
    symbolic = keras.Input((TIME, DEPTH))
    outputs = keras.layers.Dense(1)(keras_rnn(cell)(symbolic)[0])
    model = keras.Model(symbolic, outputs)
    model.compile(keras.optimizers.SGD(10.0), "mse")
    before = [variable.numpy() for variable in cell.trainable_variables]
    assert before
    model.fit(make_inputs(), np.ones((3, TIME, 1), np.float32), verbose=0)
    moved = [
        not np.array_equal(old, variable.numpy())
        for old, variable in zip(before, cell.trainable_variables)
    ]
    assert all(moved)


@EACH_GOLDEN
def test_initial_state(name):
    """An initial state in the structure of the cell is taken."""
    cell, inputs = make_built(name), make_inputs()
    start = tf.nest.map_structure(
        lambda size: tf.constant(
            np.linspace(-0.5, 0.5, 3 * size, dtype=np.float32), shape=(3, size)
        ),
        cell.state_size,
    )
    nested = list(start) if tf.nest.is_nested(start) else [start]
    received = keras_rnn(cell)(inputs, initial_state=nested)
    assert_same_leaves(received, dynamic_rnn(cell, inputs, None, start, training=False))


@pytest.mark.parametrize("name", NESTED_STATES)
def test_flat_initial_state_of_a_nested_one(name):
    """Keras passes on the structure it is given: flat leaves are refused with the one expected."""
    cell = make_built(name)
    start = tf.nest.flatten(cell.zero_state(3, tf.float32))
    with pytest.raises(ValueError, match=r"Expected state to be a tuple of length \d"):
        keras_rnn(cell)(make_inputs(), initial_state=start)


class PairOutput(RNNCell):
    """A cell with two outputs, which Keras stacks into one."""

    @property
    def state_size(self):
        return 2

    @property
    def output_size(self):
        return (DEPTH, DEPTH)

    def call(self, inputs, state):
        return (inputs, inputs), state + 1


def test_nested_outputs_are_refused():
    """Keras carries one output: several are refused, not stacked."""
    with pytest.raises(ValueError, match="output_size"):
        keras_rnn(PairOutput())(make_inputs())


def test_other_states_are_refused():
    """A state that is no tuple of vectors is refused with what Keras can carry."""
    with pytest.raises(ValueError, match="state_size must be an integer, or a list/tuple"):
        keras_rnn(Nested())(make_inputs())
