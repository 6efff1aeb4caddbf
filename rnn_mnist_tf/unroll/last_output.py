"""Is the final state the last output? `outputs[:, -1, :]` against every part of the state."""

import typing

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.unroll.dynamic import bidirectional_dynamic_rnn, check_cell, dynamic_rnn


class Part(typing.NamedTuple):
    """One leaf of a state beside the last output.

    Attributes:
        path: where it stands, `state`, `state.h`, `state[1].c`.
        shape: of the leaf.
        same: whether the leaf equals `outputs[:, -1]`, to the bit.
        difference: the largest difference from it, or None where the shapes differ.
        same_as_last_relevant: whether it equals the output of each row's last step.
        same_as_first: whether it equals `outputs[:, 0]`.

    >>> Part("state.h", (2, 4), True, 0.0, True, False).same
    True
    """

    path: str
    shape: tuple
    same: bool
    difference: float | None
    same_as_last_relevant: bool
    same_as_first: bool


class Comparison(typing.NamedTuple):
    """The answer of `compare_last_output`.

    Attributes:
        structure: the state in one line, shapes in place of tensors.
        parts: a `Part` for each leaf.
        state_is_last_output: whether the state is one tensor and equals `outputs[:, -1]`.
        verdict: the answer in words.
        outputs: `[batch, time, size]`.
        state: the final state.

    >>> from rnn_mnist_tf.rnn_cell import MultiRNNCell, GRUCell
    >>> inputs = tf.random.normal([2, 5, 3], seed=1)
    >>> compare_last_output(MultiRNNCell([GRUCell(4), GRUCell(4)]), inputs).verdict
    'the state is not outputs[:, -1], but state[1] is'
    """

    structure: str
    parts: tuple
    state_is_last_output: bool
    verdict: str
    outputs: typing.Any
    state: typing.Any


def last_relevant_output(outputs, sequence_length=None, time_major=False):
    """Returns the output of each row's last step.

    `outputs[:, -1]` is zero for rows that are shorter than the time axis; this is what is meant.

    Args:
        outputs: `[batch, time, ...]`, or `[time, batch, ...]` if `time_major`.
        sequence_length: numbers `[batch]`, cut to whole ones; None means the whole time axis. Rows
            of length 0 give zeros, lengths beyond the end give the last step.
        time_major: whether time comes first.

    Returns:
        `[batch, ...]`.

    Raises:
        ValueError: fewer than two dimensions, or lengths that are not a vector of numbers, one
            for each row.

    >>> last_relevant_output(tf.constant([[[1.0], [2.0], [0.0]]]), [2]).numpy().tolist()
    [[2.0]]
    """
    outputs = tf.convert_to_tensor(outputs)
    if outputs.shape.rank is None or outputs.shape.rank < 2:
        raise ValueError(
            f"Received outputs of shape {outputs.shape}, expected [batch, time, ...] or "
            "[time, batch, ...]."
        )
    if time_major:
        outputs = tf.transpose(outputs, [1, 0, *range(2, outputs.shape.rank)])
    if sequence_length is None:
        return outputs[:, -1]
    lengths = tf.convert_to_tensor(sequence_length)
    are_numbers = lengths.dtype.is_integer or lengths.dtype.is_floating
    if not are_numbers or not lengths.shape.is_compatible_with(outputs.shape[:1]):
        raise ValueError(
            f"Received sequence_length of dtype {lengths.dtype.name} and shape {lengths.shape}, "
            f"expected whole numbers of shape {outputs.shape[:1]}, one for each row."
        )
    lengths = tf.cast(lengths, tf.int32)
    steps = tf.shape(outputs)[1]
    # A step of zeros in front stands for rows without any step.
    padded = tf.pad(outputs, [[0, 0], [1, 0]] + [[0, 0]] * (outputs.shape.rank - 2))
    return tf.gather(padded, tf.clip_by_value(lengths, 0, steps), axis=1, batch_dims=1)


def compare_last_output(
    cell,
    inputs,
    sequence_length=None,
    initial_state=None,
    dtype=tf.float32,
    time_major=False,
    *,
    cell_bw=None,
    training=None,
):
    """Runs `dynamic_rnn` and says which parts of the final state are `outputs[:, -1]`.

    The article's answer, "if and only if it is a single-layer vanilla RNN or GRU", holds for whole
    sequences read forward and nothing around the cell; an LSTM's state is the tuple (c, h), a
    stack's a tuple of its layers'.

    Args:
        cell: any cell; see `dynamic_rnn`.
        inputs, sequence_length, initial_state, dtype, time_major, training: see `dynamic_rnn`.
        cell_bw: with a backward cell, `bidirectional_dynamic_rnn` is run, and the comparison is
            that of the backward half.

    Returns:
        A `Comparison`.

    Raises:
        See `dynamic_rnn`.

    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell
    >>> inputs = tf.random.normal([2, 5, 3], seed=1)
    >>> compare_last_output(GRUCell(4), inputs).state_is_last_output
    True
    >>> [(part.path, part.same) for part in compare_last_output(BasicLSTMCell(4), inputs).parts]
    [('state.c', False), ('state.h', True)]
    """
    cell = check_cell(cell)
    if cell_bw is None:
        outputs, state = dynamic_rnn(
            cell,
            inputs,
            sequence_length,
            initial_state,
            dtype,
            time_major=time_major,
            training=training,
        )
    else:
        (_, outputs), (_, state) = bidirectional_dynamic_rnn(
            cell,
            cell_bw,
            inputs,
            sequence_length,
            None,
            initial_state,
            dtype,
            time_major=time_major,
            training=training,
        )
    if tf.nest.is_nested(outputs):
        raise ValueError(
            f"Received a cell with outputs {nest.describe(outputs)}, expected one tensor."
        )
    last = outputs[-1] if time_major else outputs[:, -1]
    first = outputs[0] if time_major else outputs[:, 0]
    relevant = last_relevant_output(outputs, sequence_length, time_major)
    parts = tuple(
        _compare_part(path, leaf, last, relevant, first)
        for path, leaf in zip(nest.paths(state), tf.nest.flatten(state))
    )
    is_last = not tf.nest.is_nested(state) and parts[0].same
    return Comparison(
        nest.describe(state), parts, is_last, _verdict(parts, is_last), outputs, state
    )


def _compare_part(path, leaf, last, relevant, first):
    leaf, last = np.asarray(leaf), np.asarray(last)
    same_shape = leaf.shape == last.shape
    difference = float(np.max(np.abs(leaf - last), initial=0)) if same_shape else None
    return Part(
        path,
        leaf.shape,
        same_shape and np.array_equal(leaf, last),
        difference,
        same_shape and np.array_equal(leaf, np.asarray(relevant)),
        same_shape and np.array_equal(leaf, np.asarray(first)),
    )


def _verdict(parts, is_last):
    if is_last:
        return "the state is outputs[:, -1]"
    same = [part.path for part in parts if part.same]
    if same:
        return f"the state is not outputs[:, -1], but {' and '.join(same)} is"
    relevant = [part.path for part in parts if part.same_as_last_relevant]
    if relevant:
        return (
            f"no part of the state is outputs[:, -1]; {' and '.join(relevant)} is the output of "
            "each row's last step"
        )
    first = [part.path for part in parts if part.same_as_first]
    if first:
        return f"no part of the state is outputs[:, -1]; {' and '.join(first)} is outputs[:, 0]"
    return "no part of the state is outputs[:, -1]"
