"""`dynamic_rnn`: a cell over a time axis."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import RNNCell, assert_like_rnncell
from rnn_mnist_tf.rnn_cell.wrappers import call_cell
from rnn_mnist_tf.unroll.fused import find_kernel
from rnn_mnist_tf.unroll.loop import run_loop
from rnn_mnist_tf.unroll.sequence import (
    build_cell,
    cell_dtype,
    check_lengths,
    output_dtype,
    prepare_inputs,
    starting_state,
    swap_batch_and_time,
)

IMPLEMENTATIONS = ("auto", "fused", "loop")


def dynamic_rnn(
    cell,
    inputs,
    sequence_length=None,
    initial_state=None,
    dtype=None,
    parallel_iterations=None,
    swap_memory=False,
    time_major=False,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs a cell over the time axis: `output_t, state_t = cell(inputs_t, state_{t-1})`.

    With `sequence_length`, at steps `t >= sequence_length[b]` the output of row b is zero and its
    state is copied through, so that the final state is the one after the row's last step. Then
    `outputs[:, -1]` is zero for shorter rows: take `last_relevant_output`, or the state.

    Args:
        cell: an `RNNCell`, or any object with its methods.
        inputs: `[batch, time, ...]`, `[time, batch, ...]` if `time_major`, or a nest of such
            tensors.
        sequence_length: None or whole numbers `[batch]`; more than the time axis means all of it.
        initial_state: a nest of tensors like `cell.state_size`; zeros if None.
        dtype: of the initial state and the outputs; needed without `initial_state`.
        parallel_iterations: of the loop, 32 by default.
        swap_memory: of the loop.
        time_major: whether the time axis comes first, in inputs and outputs.
        scope: the scope that `cell.tf1_variables()` shows, `rnn` by default.
        training: None, True or False, passed to the cell; see `DropoutWrapper`.
        implementation: `auto` takes a whole-sequence kernel where the cell has one, `fused`
            demands it, `loop` goes step by step. For tests and export.

    Returns:
        `(outputs, state)`: outputs nested like `cell.output_size`, `[batch, time, size]`
        (`[time, batch, size]` if `time_major`); the state nested like `cell.state_size`.

    Raises:
        TypeError: `cell` is not a cell.
        ValueError: neither `initial_state` nor `dtype`; inputs of fewer than 3 dimensions or of
            different batch or time; lengths that are not a vector; a state of another structure.

    Source: `tf.nn.dynamic_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
    >>> outputs, state = dynamic_rnn(BasicLSTMCell(4), tf.ones([2, 5, 3]), dtype=tf.float32)
    >>> outputs.shape, bool(tf.reduce_all(outputs[:, -1] == state.h))
    (TensorShape([2, 5, 4]), True)
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"Received implementation={implementation!r}, expected one of {IMPLEMENTATIONS}."
        )
    assert_like_rnncell(cell)
    sequence = prepare_inputs(inputs, time_major)
    lengths = check_lengths(sequence_length, sequence.batch_size)
    first = tf.nest.flatten(sequence.inputs)[0]
    if isinstance(cell, RNNCell):
        cell.set_scope(scope)
        if dtype is not None or first.dtype.is_floating:
            cell.adopt_dtype(dtype or first.dtype)
    build_cell(cell, sequence)
    dtype = cell_dtype(cell, dtype)
    state = starting_state(cell, sequence, initial_state, dtype)
    kernel = None if implementation == "loop" else find_kernel(cell)
    if kernel is None and implementation == "fused":
        raise ValueError(
            f"Received implementation='fused' and cell {type(cell).__name__}, which has no "
            "whole-sequence kernel with these options. Use implementation='auto'."
        )
    if kernel is not None:
        outputs, state = kernel(cell, sequence, state, lengths)
    else:
        outputs, state = run_loop(
            lambda x, s: call_cell(cell, x, s, training),
            sequence,
            state,
            cell.output_size,
            output_dtype(state, dtype),
            lengths,
            parallel_iterations,
            swap_memory,
        )
    if not time_major:
        outputs = tf.nest.map_structure(swap_batch_and_time, outputs)
    return outputs, state
