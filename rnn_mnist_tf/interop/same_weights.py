"""This package's cells and Keras's layers with the same weights, side by side."""

import typing

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.interop.keras_layers import to_keras_layers
from rnn_mnist_tf.rnn_cell import LSTMStateTuple, MultiRNNCell, nest
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell


class KerasSide(typing.NamedTuple):
    """What Keras's layers gave for the inputs, beside this package's answer.

    Attributes:
        structure: of the states as Keras returns them, `[h]` or `[h, c]` for each layer.
        outputs_difference: the largest difference of the outputs.
        state_differences: pairs of a path in TF1's structure and the largest difference there,
            after `[h, c]` is mapped to `(c, h)`.
        same_parts: which of Keras's state tensors equal its own `outputs[:, -1]`, to the bit.

    >>> KerasSide("[[float32[2, 4]]]", 0.0, (("state", 0.0),), ("layer 1: h",)).same_parts
    ('layer 1: h',)
    """

    structure: str
    outputs_difference: float
    state_differences: tuple
    same_parts: tuple


def compare_with_keras(cell, inputs, outputs, state, sequence_length=None, initial_state=None):
    """Runs Keras's layers with a built cell's weights and compares them with the cell's answer.

    Args:
        cell: a built cell, or a `MultiRNNCell`; see `to_keras_layers` for which.
        inputs: `[batch, time, input_size]`.
        outputs, state: what `dynamic_rnn` gave, `[batch, time, units]` and the final state.
        sequence_length, initial_state: what it was given.

    Returns:
        A `KerasSide`.

    Raises:
        ValueError: a cell that Keras has no counterpart for; outputs or a state of another shape
            than Keras's, as with time first, unless there are as many steps as rows.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
    >>> cell, inputs = BasicLSTMCell(4), tf.random.normal([2, 5, 3], seed=1)
    >>> outputs, state = dynamic_rnn(cell, inputs, dtype=tf.float32)
    >>> side = compare_with_keras(cell, inputs, outputs, state)
    >>> side.same_parts, side.outputs_difference < 1e-6
    (('layer 1: h',), True)
    """
    cell = as_rnn_cell(cell)
    keras_outputs, keras_states = _run_keras(cell, inputs, sequence_length, initial_state)
    cells = cell.cells if isinstance(cell, MultiRNNCell) else [cell]
    mapped = tuple(_as_tf1(one, states) for one, states in zip(cells, keras_states))
    mapped = mapped if isinstance(cell, MultiRNNCell) else mapped[0]
    given, answer = _shapes(outputs, state), _shapes(keras_outputs, mapped)
    if given != answer:
        raise ValueError(
            f"Received outputs and state of shapes {given}, expected {answer}, as Keras's layers "
            "answer [batch, time, input_size]. Run dynamic_rnn on these inputs, with "
            "time_major=False."
        )
    last = np.asarray(keras_outputs[:, -1])
    names = ("h", "c")
    same = [
        f"layer {index + 1}: {name}"
        for index, states in enumerate(keras_states)
        for name, leaf in zip(names, states)
        if leaf.shape == last.shape and np.array_equal(np.asarray(leaf), last)
    ]
    differences = [
        (path, largest_difference(ours, theirs))
        for path, ours, theirs in zip(
            nest.paths(state), tf.nest.flatten(state), tf.nest.flatten(mapped)
        )
    ]
    return KerasSide(
        nest.describe(keras_states),
        largest_difference(outputs, keras_outputs),
        tuple(differences),
        tuple(same),
    )


def _shapes(outputs, state):
    return [tuple(tensor.shape) for tensor in tf.nest.flatten((outputs, state))]


def _run_keras(cell, inputs, sequence_length, initial_state):
    """Returns the outputs of the chain of layers, and the states of each layer."""
    mask = None
    if sequence_length is not None:
        mask = tf.sequence_mask(sequence_length, tf.shape(inputs)[1])
    layers = to_keras_layers(cell, return_state=True, zero_output_for_mask=True)
    starts = [None] * len(layers)
    if initial_state is not None:
        packed = nest.pack_state_as(cell.state_size, initial_state, "initial_state")
        starts = packed if isinstance(cell, MultiRNNCell) else [packed]
    outputs, states = inputs, []
    for layer, start in zip(layers, starts, strict=True):
        outputs, *layer_state = layer(outputs, mask=mask, initial_state=_as_keras(start))
        states.append(layer_state)
    return outputs, states


def _as_keras(state):
    """A layer's state in TF1's structure as Keras's list."""
    if state is None:
        return None
    return [state.h, state.c] if isinstance(state, LSTMStateTuple) else [state]


def _as_tf1(cell, states):
    if isinstance(cell.state_size, LSTMStateTuple):
        h, c = states
        return LSTMStateTuple(c, h)
    return states[0]


def largest_difference(first, second):
    """Returns `max |first - second|`.

    >>> largest_difference([1.0, 2.0], [1.0, 2.5])
    0.5
    """
    return float(np.max(np.abs(np.asarray(first) - np.asarray(second)), initial=0))
