"""`dynamic_rnn`: a cell over a time axis."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.call_context import training_within
from rnn_mnist_tf.rnn_cell.checks import assert_like_rnncell, check_training
from rnn_mnist_tf.rnn_cell.inner import build_inner, call_cell, run_scope_of
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell
from rnn_mnist_tf.unroll.fused import find_kernel
from rnn_mnist_tf.unroll.loop import in_xla, run_loop
from rnn_mnist_tf.unroll.sequence import (
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
        dtype: of the initial state and the outputs; needed without `initial_state`. Floating point
            inputs of another one are cast to it. A cell with a mixed policy computes in the
            policy's, and casts an initial state to it.
        parallel_iterations: of the loop, 32 by default.
        swap_memory: of the loop.
        time_major: whether the time axis comes first, in inputs and outputs.
        scope: the scope that `cell.tf1_variables()` shows, `rnn` by default, if no loop ran the
            cell before.
        training: None, True or False, passed to the cell; see `DropoutWrapper`.
        implementation: `auto` takes a whole-sequence kernel where the cell has one, `fused`
            demands it, `loop` goes step by step: for tests, export and derivatives in forward mode.

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
    outputs, state = run_cell(
        check_cell(cell),
        prepare_inputs(inputs, time_major),
        sequence_length,
        initial_state,
        dtype,
        parallel_iterations,
        swap_memory,
        scope,
        training=training,
        implementation=implementation,
    )
    if not time_major:
        outputs = tf.nest.map_structure(swap_batch_and_time, outputs)
    return outputs, state


def run_cell(
    cell,
    sequence,
    sequence_length=None,
    initial_state=None,
    dtype=None,
    parallel_iterations=None,
    swap_memory=False,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs a cell over a `Sequence`, by a whole-sequence kernel or step by step.

    Args:
        cell: what `check_cell` returned.
        sequence: a `Sequence`.
        sequence_length, initial_state, dtype, parallel_iterations, swap_memory, scope, training,
            implementation: see `dynamic_rnn`.

    Returns:
        `(outputs, state)`: outputs `[time, batch, size]`, nested like `cell.output_size`.

    Raises:
        See `dynamic_rnn`.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> sequence = prepare_inputs(tf.ones([5, 2, 3]), time_major=True)
    >>> run_cell(GRUCell(4), sequence, dtype=tf.float32)[0].shape
    TensorShape([5, 2, 4])
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"Received implementation={implementation!r}, expected one of {IMPLEMENTATIONS}."
        )
    training = check_training(training)
    lengths = check_lengths(sequence_length, sequence.batch_size)
    dtype = prepare_cell(cell, tf.nest.flatten(sequence.inputs)[0].dtype, dtype, scope)
    build_inner(cell, sequence.step_shape)
    state = starting_state(cell, sequence, initial_state, dtype)
    if isinstance(cell, RNNCell):
        cell.check_step(sequence.step_spec, state, "initial_state")
    kernel = None if implementation == "loop" else find_kernel(cell)
    if kernel is None and implementation == "fused":
        reason = "under XLA" if in_xla() else "with these options"
        raise ValueError(
            f"Received implementation='fused' and cell {type(cell).__name__}, which {reason} "
            "has no whole-sequence kernel. Use implementation='auto'."
        )
    if kernel is not None:
        outputs, state = kernel(cell, sequence, state, lengths)
    else:
        scope_of_run = run_scope_of(cell, sequence.batch_size, sequence.step_shape, training)
        with training_within(), scope_of_run:  # layers after the loop are not told what steps are
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
    return outputs, state


def check_cell(cell, name="cell"):
    """Returns a cell, Keras's own with TF1's structures. Raises `TypeError` if it is none.

    >>> check_cell(1)
    Traceback (most recent call last):
    TypeError: Received cell=1 (int), which is not an RNNCell: it has no output_size, state_size, \
zero_state or get_initial_state, call. Pass a cell of rnn_mnist_tf.rnn_cell.
    """
    assert_like_rnncell(cell, name)
    return as_rnn_cell(cell)


def prepare_cell(cell, inputs_dtype, dtype, scope):
    """Gives a cell its scope and, if it has none yet, its dtype. Returns the dtype of the run.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = GRUCell(4)
    >>> prepare_cell(cell, tf.float64, tf.float64, "encoder").name, cell.compute_dtype
    ('float64', 'float64')
    """
    if isinstance(cell, RNNCell):
        cell.set_scope(scope)
        if dtype is not None or inputs_dtype.is_floating:
            cell.adopt_dtype(dtype or inputs_dtype)
    return cell_dtype(cell, dtype)


def bidirectional_dynamic_rnn(
    cell_fw,
    cell_bw,
    inputs,
    sequence_length=None,
    initial_state_fw=None,
    initial_state_bw=None,
    dtype=None,
    parallel_iterations=None,
    swap_memory=False,
    time_major=False,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs one cell forward and one backward over the time axis.

    The backward cell reads each row from its last step (`sequence_length[b] - 1`, or the end) to
    step 0, and its outputs are put back in the order of the inputs. So its final state belongs to
    `output_bw[:, 0]`, not to the last step.

    Args:
        cell_fw, cell_bw: two cells, see `dynamic_rnn`.
        initial_state_fw, initial_state_bw: nests like their `state_size`; zeros if None.
        inputs, sequence_length, dtype, parallel_iterations, swap_memory, time_major, training,
            implementation: see `dynamic_rnn`. A length beyond the time axis is an error here.
        scope: the scope whose `fw` and `bw` `tf1_variables()` shows, `bidirectional_rnn` by
            default.

    Returns:
        `((outputs_fw, outputs_bw), (state_fw, state_bw))`: a pair, nothing concatenated.

    Raises:
        See `dynamic_rnn`.

    Source: `tf.nn.bidirectional_dynamic_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> outputs, states = bidirectional_dynamic_rnn(
    ...     GRUCell(4), GRUCell(4), tf.ones([2, 5, 3]), dtype=tf.float32)
    >>> bool(tf.reduce_all(states[1] == outputs[1][:, 0]))
    True
    """
    check_cell(cell_fw, "cell_fw")
    check_cell(cell_bw, "cell_bw")
    scope = getattr(scope, "name", scope) or "bidirectional_rnn"
    options = {
        "parallel_iterations": parallel_iterations,
        "swap_memory": swap_memory,
        "time_major": time_major,
        "training": training,
        "implementation": implementation,
    }
    outputs_fw, state_fw = dynamic_rnn(
        cell_fw, inputs, sequence_length, initial_state_fw, dtype, scope=f"{scope}/fw", **options
    )
    reversed_inputs = reverse_time(inputs, sequence_length, time_major)
    reversed_outputs, state_bw = dynamic_rnn(
        cell_bw,
        reversed_inputs,
        sequence_length,
        initial_state_bw,
        dtype,
        scope=f"{scope}/bw",
        **options,
    )
    outputs_bw = reverse_time(reversed_outputs, sequence_length, time_major)
    return (outputs_fw, outputs_bw), (state_fw, state_bw)


def reverse_time(sequences, sequence_length=None, time_major=False):
    """Reverses the first `sequence_length[b]` steps of each row; padding stays where it is.

    Args:
        sequences: a nest of `[batch, time, ...]`, or `[time, batch, ...]` if `time_major`.
        sequence_length: None, which means all steps, or whole numbers `[batch]`.
        time_major: whether time comes first.

    >>> reverse_time(tf.constant([[1, 2, 3]]), [2]).numpy().tolist()
    [[2, 1, 3]]
    """
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def reverse(sequence):
        sequence = tf.convert_to_tensor(sequence)
        if sequence_length is None:
            return tf.reverse(sequence, [time_axis])
        lengths = tf.cast(sequence_length, tf.int32)
        return tf.reverse_sequence(sequence, lengths, time_axis, batch_axis)

    return tf.nest.map_structure(reverse, sequences)
