"""The loops over a list of steps."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.unroll.dynamic import bidirectional_dynamic_rnn, check_cell, dynamic_rnn


def static_rnn(
    cell,
    inputs,
    initial_state=None,
    dtype=None,
    sequence_length=None,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs a cell over a list of steps: `dynamic_rnn` for inputs that are a list.

    The number of steps is that of the list; the graph does not grow with it.

    Args:
        cell: see `dynamic_rnn`.
        inputs: a list of tensors `[batch, input_size]`, or of nests of tensors.
        initial_state, dtype, sequence_length, scope, training, implementation: see `dynamic_rnn`.

    Returns:
        `(outputs, state)`: a list of outputs, one a step, and the final state.

    Raises:
        TypeError: `cell` is not a cell; `inputs` is not a list or tuple.
        ValueError: no inputs; see `dynamic_rnn`.

    Source: `tf.nn.static_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> outputs, state = static_rnn(GRUCell(4), [tf.ones([2, 3])] * 5, dtype=tf.float32)
    >>> len(outputs), bool(tf.reduce_all(outputs[-1] == state))
    (5, True)
    """
    check_cell(cell)
    outputs, state = dynamic_rnn(
        cell,
        stack_steps(inputs),
        sequence_length,
        initial_state,
        dtype,
        time_major=True,
        scope=scope,
        training=training,
        implementation=implementation,
    )
    return unstack_steps(outputs, len(inputs)), state


def static_bidirectional_rnn(
    cell_fw,
    cell_bw,
    inputs,
    initial_state_fw=None,
    initial_state_bw=None,
    dtype=None,
    sequence_length=None,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs one cell forward and one backward over a list of steps.

    Unlike `bidirectional_dynamic_rnn` it concatenates the outputs and returns three values.

    Args:
        cell_fw, cell_bw, initial_state_fw, initial_state_bw, dtype, sequence_length, scope,
            training, implementation: see `bidirectional_dynamic_rnn`.
        inputs: a list of tensors `[batch, input_size]`.

    Returns:
        `(outputs, state_fw, state_bw)`: outputs a list of `[batch, size_fw + size_bw]`.

    Raises:
        See `static_rnn`.

    Source: `tf.nn.static_bidirectional_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> outputs, state_fw, state_bw = static_bidirectional_rnn(
    ...     GRUCell(4), GRUCell(3), [tf.ones([2, 3])] * 5, dtype=tf.float32)
    >>> outputs[0].shape
    TensorShape([2, 7])
    """
    check_cell(cell_fw, "cell_fw")
    check_cell(cell_bw, "cell_bw")
    (outputs_fw, outputs_bw), (state_fw, state_bw) = bidirectional_dynamic_rnn(
        cell_fw,
        cell_bw,
        stack_steps(inputs),
        sequence_length,
        initial_state_fw,
        initial_state_bw,
        dtype,
        time_major=True,
        scope=scope,
        training=training,
        implementation=implementation,
    )
    joined = tf.nest.map_structure(lambda fw, bw: tf.concat([fw, bw], 2), outputs_fw, outputs_bw)
    return unstack_steps(joined, len(inputs)), state_fw, state_bw


def stack_steps(inputs):
    """Returns a list of steps as `[time, batch, ...]`, nested like a step.

    Raises:
        TypeError: not a list or tuple.
        ValueError: an empty one.

    >>> stack_steps([tf.ones([2, 3])] * 5).shape
    TensorShape([5, 2, 3])
    """
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(
            f"inputs must be a sequence. Received inputs={nest.describe(inputs)}, expected a list, "
            "one a step; for one tensor [batch, time, ...] use dynamic_rnn."
        )
    if not inputs:
        raise ValueError(
            "inputs must not be empty. Received inputs=[], expected at least one step."
        )
    return tf.nest.map_structure(lambda *steps: tf.stack(steps), *inputs)


def unstack_steps(outputs, time_steps):
    """Returns `[time, batch, ...]` as a list of steps, each nested like the whole.

    >>> len(unstack_steps(tf.ones([5, 2, 3]), 5))
    5
    """
    flat = [tf.unstack(leaf, time_steps) for leaf in tf.nest.flatten(outputs)]
    return [tf.nest.pack_sequence_as(outputs, step) for step in zip(*flat)]
