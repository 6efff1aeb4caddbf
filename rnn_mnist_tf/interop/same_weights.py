"""This package's cells and Keras's layers with the same weights, side by side."""

import typing

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.interop.keras_layers import to_keras_layers
from rnn_mnist_tf.rnn_cell import LSTMStateTuple, MultiRNNCell, nest


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


def compare_with_keras(cell, inputs, outputs, state):
    """Runs Keras's layers with a built cell's weights and compares them with the cell's answer.

    Args:
        cell: a built cell, or a `MultiRNNCell`; see `to_keras_layers` for which.
        inputs: `[batch, time, input_size]`.
        outputs, state: what `dynamic_rnn` gave.

    Returns:
        A `KerasSide`.

    Raises:
        ValueError: a cell that Keras has no counterpart for.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
    >>> cell, inputs = BasicLSTMCell(4), tf.random.normal([2, 5, 3], seed=1)
    >>> outputs, state = dynamic_rnn(cell, inputs, dtype=tf.float32)
    >>> side = compare_with_keras(cell, inputs, outputs, state)
    >>> side.same_parts, side.outputs_difference < 1e-6
    (('layer 1: h',), True)
    """
    keras_outputs, keras_states = inputs, []
    for layer in to_keras_layers(cell, return_state=True):
        keras_outputs, *layer_state = layer(keras_outputs)
        keras_states.append(layer_state)
    cells = cell.cells if isinstance(cell, MultiRNNCell) else [cell]
    mapped = tuple(_as_tf1(one, states) for one, states in zip(cells, keras_states))
    mapped = mapped if isinstance(cell, MultiRNNCell) else mapped[0]
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
