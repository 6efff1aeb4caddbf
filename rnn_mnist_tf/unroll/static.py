"""The loops over a list of steps."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.unroll.dynamic import check_cell, reverse_time, run_cell
from rnn_mnist_tf.unroll.sequence import prepare_inputs


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
        inputs: a list of tensors `[batch, input_size]`, `[batch]` for a cell that takes ids, or of
            nests of tensors.
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
    outputs, state = run_cell(
        check_cell(cell),
        prepare_inputs(stack_steps(inputs), time_major=True, rank=2),
        sequence_length,
        initial_state,
        dtype,
        scope=scope,
        training=training,
        implementation=implementation,
    )
    return unstack_steps(outputs, len(inputs)), state


def static_state_saving_rnn(
    cell,
    inputs,
    state_saver,
    state_name,
    sequence_length=None,
    scope=None,
    *,
    training=None,
    implementation="auto",
):
    """Runs `static_rnn` from a saved state, and saves the final one: for truncated sequences.

    Args:
        cell, inputs, sequence_length, scope, training, implementation: see `static_rnn`.
        state_saver: an object with `state(name)`, a tensor `[batch, size]`, and
            `save_state(name, value)`, which returns an operation, a tensor or None.
        state_name: a name for each tensor of the state, nested like `cell.state_size`, or a list
            or tuple of them in its order.

    Returns:
        `(outputs, state)`; in a graph the last output and the state wait for the saver.

    Raises:
        ValueError: other names than the state has tensors; see `static_rnn`.

    Source: `tf.nn.static_state_saving_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> class Saver(dict):
    ...     state, save_state = dict.get, dict.__setitem__
    >>> saver = Saver(h=tf.zeros([2, 4]))
    >>> _, state = static_state_saving_rnn(GRUCell(4), [tf.ones([2, 3])] * 5, saver, "h")
    >>> bool(tf.reduce_all(saver["h"] == state))
    True
    """
    cell = check_cell(cell)
    names = tf.nest.flatten(state_name)
    size = cell.state_size
    if tf.nest.is_nested(size) != tf.nest.is_nested(state_name) or len(names) != len(
        tf.nest.flatten(size)
    ):
        raise ValueError(
            f"Received state_name={state_name!r}, expected a name for each tensor of the state, "
            f"nested like state_size={size}."
        )
    initial_state = tf.nest.pack_sequence_as(size, [state_saver.state(name) for name in names])
    outputs, state = static_rnn(
        cell,
        inputs,
        initial_state,
        sequence_length=sequence_length,
        scope=scope,
        training=training,
        implementation=implementation,
    )
    saved = [state_saver.save_state(*pair) for pair in zip(names, tf.nest.flatten(state))]
    with tf.control_dependencies([one for one in saved if one is not None]):
        outputs[-1], state = tf.nest.map_structure(tf.identity, (outputs[-1], state))
    return outputs, state


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
    scope = getattr(scope, "name", scope) or "bidirectional_rnn"

    def run(cell, inputs, initial_state, direction):
        return static_rnn(
            cell,
            inputs,
            initial_state,
            dtype,
            sequence_length,
            f"{scope}/{direction}",
            training=training,
            implementation=implementation,
        )

    outputs_fw, state_fw = run(cell_fw, inputs, initial_state_fw, "fw")
    outputs_bw, state_bw = run(cell_bw, _reverse(inputs, sequence_length), initial_state_bw, "bw")
    outputs = [
        tf.nest.map_structure(lambda fw, bw: tf.concat([fw, bw], 1), *step)
        for step in zip(outputs_fw, _reverse(outputs_bw, sequence_length))
    ]
    return outputs, state_fw, state_bw


def _reverse(steps, sequence_length):
    """A list of steps from the end, or from each row's last step."""
    if sequence_length is None:
        return steps[::-1]
    reversed_steps = reverse_time(stack_steps(steps), sequence_length, time_major=True)
    return unstack_steps(reversed_steps, len(steps))


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
