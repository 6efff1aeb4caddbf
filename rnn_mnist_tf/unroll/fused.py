"""Whole-sequence kernels: the numbers of the step-by-step loop, in far fewer operations.

A kernel takes a built cell and a `Sequence` and gives what `run_loop` gives. Which cells have one
is decided by `find_kernel` from the cell's type and options.
"""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from rnn_mnist_tf.rnn_cell.call_context import reading_as
from rnn_mnist_tf.unroll.block_gru import block_basic_rnn, block_gru
from rnn_mnist_tf.unroll.block_lstm import block_lstm, last_state
from rnn_mnist_tf.unroll.loop import in_xla, loop_bound


def find_kernel(cell):
    """Returns the kernel of a cell, or None where only the general loop will do.

    >>> find_kernel(BasicLSTMCell(3)).__name__, find_kernel(LSTMCell(3, cell_clip=1.0))
    ('lstm_kernel', None)
    """
    if in_xla():
        return None
    if type(cell) is MultiRNNCell:
        layers = [find_kernel(layer) for layer in cell.cells]
        return stack_kernel if cell.state_is_tuple and all(layers) else None
    if getattr(cell, "activation", None) is not keras.activations.tanh:
        return None
    if type(cell) in (BasicLSTMCell, LSTMCell) and _fits_block_lstm(cell):
        return lstm_kernel
    if type(cell) is GRUCell and cell.compute_dtype == "float32":
        return gru_kernel
    if type(cell) is BasicRNNCell:
        return basic_rnn_kernel
    return None


def _fits_block_lstm(cell):
    return (
        cell.state_is_tuple
        and cell.cell_clip is None  # the operation's own gradient is wrong there
        and cell.num_proj is None
        and cell.compute_dtype in ("float16", "float32")
    )


def stack_kernel(cell, sequence, state, lengths=None):
    """Runs a `MultiRNNCell` layer after layer instead of step after step.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> cell = MultiRNNCell([BasicLSTMCell(4), BasicLSTMCell(3)])
    >>> outputs, state = dynamic_rnn(cell, tf.ones([2, 5, 1]), dtype=tf.float32)
    >>> bool(tf.reduce_all(outputs[:, -1] == state[-1].h))
    True
    """
    outputs, new_states = sequence.inputs, []
    for layer, layer_state in zip(cell.cells, state):
        kernel = find_kernel(layer)
        outputs, new_state = kernel(layer, sequence._replace(inputs=outputs), layer_state, lengths)
        new_states.append(new_state)
    return outputs, tuple(new_states)


def lstm_kernel(cell, sequence, state, lengths=None):
    """Runs an `LSTMCell` or `BasicLSTMCell` with TensorFlow's `BlockLSTM` operation.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> cell = LSTMCell(4, use_peepholes=True)
    >>> outputs, state = dynamic_rnn(cell, tf.ones([2, 5, 1]), [5, 2], dtype=tf.float32)
    >>> bool(tf.reduce_all(outputs[1, 1] == state.h[1]))
    True
    """
    kernel, bias, *peepholes = _weights(cell)

    def run(inputs, c, h):
        every_c = lengths is not None
        return block_lstm(inputs, c, h, kernel, bias, peepholes, cell.forget_bias, every_c)

    outputs, (c, h) = _run_kernel(run, cell, sequence, state, lengths)
    return outputs, LSTMStateTuple(c, h)


def gru_kernel(cell, sequence, state, lengths=None):
    """Runs a `GRUCell` with TensorFlow's `GRUBlockCell` operation.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> outputs, state = dynamic_rnn(GRUCell(4), tf.ones([2, 5, 1]), [5, 2], dtype=tf.float32)
    >>> bool(tf.reduce_all(outputs[1, 1] == state[1]))
    True
    """
    weights = _weights(cell)
    outputs, (h,) = _run_kernel(
        lambda inputs, h: block_gru(inputs, h, *weights), cell, sequence, [state], lengths
    )
    return outputs, h


def basic_rnn_kernel(cell, sequence, state, lengths=None):
    """Runs a `BasicRNNCell` with all products of the inputs in one.

    >>> from rnn_mnist_tf import dynamic_rnn
    >>> outputs, state = dynamic_rnn(BasicRNNCell(4), tf.ones([2, 5, 1]), [5, 2], dtype=tf.float32)
    >>> bool(tf.reduce_all(outputs[1, 1] == state[1]))
    True
    """
    weights = _weights(cell)
    outputs, (h,) = _run_kernel(
        lambda inputs, h: block_basic_rnn(inputs, h, *weights), cell, sequence, [state], lengths
    )
    return outputs, h


def _weights(cell):
    """The cell's variables as tensors of its compute dtype, in TF1's order."""
    with reading_as(cell.compute_dtype):
        return [
            tf.cast(tf.convert_to_tensor(variable), cell.compute_dtype)
            for _, variable in cell.tf1_named_variables()
        ]


def _run_kernel(run, cell, sequence, state, lengths):
    """Runs a kernel over the steps that some row needs.

    Args:
        run: `(inputs, *state) -> states after each step`, the last of which is the output;
            without lengths a state may be the final one alone.
        cell, sequence, state, lengths: as a kernel has them, the state as a list.

    Returns:
        `(outputs, final_state)`.
    """
    dtype = cell.compute_dtype
    inputs, state = tf.cast(sequence.inputs, dtype), [tf.cast(leaf, dtype) for leaf in state]
    if lengths is None:
        series = run(inputs, *state)
        final = [
            states if states.shape.rank == first.shape.rank else last_state(first, states)
            for first, states in zip(state, series)
        ]
        return series[-1], final
    bound = loop_bound(sequence.time_steps, lengths)
    series = run(inputs[:bound], *state)
    final = [state_at(lengths, first, states) for first, states in zip(state, series)]
    return mask_and_pad(series[-1], lengths, bound, sequence.time_steps), final


def state_at(lengths, first, states):
    """Returns the state of each row after its last step.

    Args:
        lengths: int32 `[batch]`.
        first: the state before the first step, `[batch, units]`.
        states: the state after each step, `[time, batch, units]`.

    >>> states = tf.constant([[[1.0], [1.0]], [[2.0], [2.0]]])
    >>> state_at(tf.constant([2, 0]), tf.zeros([2, 1]), states).numpy().tolist()
    [[2.0], [0.0]]
    """
    states = tf.concat([first[None], states], 0)
    last = tf.clip_by_value(lengths, 0, tf.shape(states)[0] - 1)
    return tf.gather_nd(states, tf.stack([last, tf.range(tf.shape(last)[0])], 1))


def mask_and_pad(outputs, lengths, bound, time_steps):
    """Zeroes the output rows past their length and fills the time axis up to `time_steps`.

    >>> mask_and_pad(tf.ones([1, 2, 1]), tf.constant([1, 0]), 1, 2).numpy().ravel().tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    running = tf.range(bound)[:, None] < lengths[None]
    outputs = tf.where(running[..., None], outputs, tf.zeros_like(outputs))
    outputs = tf.pad(outputs, [[0, time_steps - bound], [0, 0], [0, 0]])
    if isinstance(time_steps, int):
        outputs = tf.ensure_shape(outputs, [time_steps, *outputs.shape[1:]])
    return outputs
