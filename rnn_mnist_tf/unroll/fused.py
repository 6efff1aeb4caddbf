"""Whole-sequence kernels: the numbers of the step-by-step loop, in far fewer operations.

A kernel takes a built cell and a `Sequence` and gives what `run_loop` gives. Which cells have one
is decided by `find_kernel` from the cell's type and options.
"""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from rnn_mnist_tf.rnn_cell.lstm import lstm_step
from rnn_mnist_tf.unroll.loop import in_xla, loop_bound, run_loop
from rnn_mnist_tf.unroll.sequence import Sequence


def find_kernel(cell):
    """Returns the kernel of a cell, or None where only the general loop will do.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> find_kernel(BasicLSTMCell(3)).__name__, find_kernel(LSTMCell(3, cell_clip=1.0))
    ('lstm_kernel', None)
    """
    if in_xla():
        return None
    if type(cell) is MultiRNNCell:
        layers = [find_kernel(layer) for layer in cell.cells]
        return stack_kernel if cell.state_is_tuple and all(layers) else None
    if type(cell) in (BasicLSTMCell, LSTMCell) and _fits_block_lstm(cell):
        return lstm_kernel
    return None


def _fits_block_lstm(cell):
    return (
        cell.activation is keras.activations.tanh
        and cell.state_is_tuple
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
    bound = loop_bound(sequence.time_steps, lengths)
    dtype = cell.compute_dtype
    weights = [tf.cast(tf.convert_to_tensor(w), dtype) for w in (cell.kernel, cell.bias)]
    peepholes = cell.peepholes
    if peepholes is not None:
        peepholes = [tf.cast(tf.convert_to_tensor(w), dtype) for w in peepholes]
    inputs = tf.cast(sequence.inputs, dtype)
    c, h = (tf.cast(leaf, dtype) for leaf in state)
    inputs = inputs if lengths is None else inputs[:bound]
    cs, hs = block_lstm(inputs, c, h, *weights, peepholes, cell.forget_bias)
    if lengths is None:
        cs_and_first, hs_and_first = _with_first(c, cs), _with_first(h, hs)
        return hs, LSTMStateTuple(cs_and_first, hs_and_first)
    final = LSTMStateTuple(state_at(lengths, c, cs), state_at(lengths, h, hs))
    return mask_and_pad(hs, lengths, bound, sequence.time_steps), final


def _with_first(first, states):
    """Returns the last of `states` `[time, ...]`, or `first` where there is no step."""
    if states.shape[0] is not None and states.shape[0] > 0:
        return states[-1]
    return tf.concat([first[None], states], 0)[-1]


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


def block_lstm(inputs, c, h, kernel, bias, peepholes=None, forget_bias=1.0):
    """Runs `lstm_step` over a sequence in one operation, differentiable twice.

    Its gradient is one operation too. The gradient of that one has no operation and
    differentiates the plain loop.

    Args:
        inputs: `[time, batch, input_size]`, float16 or float32.
        c, h: the state before the first step, `[batch, num_units]`.
        kernel, bias, peepholes, forget_bias: as `lstm_step` has them.

    Returns:
        `(cs, hs)`: c and h after each step, `[time, batch, num_units]`.

    Source: `tf.raw_ops.BlockLSTM`.

    >>> zeros = tf.zeros([1, 1])
    >>> cs, hs = block_lstm(tf.ones([3, 1, 1]), zeros, zeros, tf.ones([2, 4]), tf.zeros([4]))
    >>> cs.shape
    TensorShape([3, 1, 1])
    """
    tensors = [inputs, c, h, kernel, bias, *(peepholes or [])]
    return _block_lstm(forget_bias, *tensors)


def _block_lstm(forget_bias, *tensors):
    @tf.custom_gradient
    def forward(*tensors):
        arguments = _block_lstm_arguments(*tensors)
        saved = tf.raw_ops.BlockLSTM(**arguments, forget_bias=forget_bias, cell_clip=-1.0)

        def gradient(cs_grad, hs_grad):
            return _block_lstm_gradient(forget_bias, saved, cs_grad, hs_grad, *tensors)

        return (saved.cs, saved.h), gradient

    return forward(*tensors)


def _block_lstm_arguments(inputs, c, h, kernel, bias, *peepholes):
    w_f, w_i, w_o = peepholes or [tf.zeros_like(bias[: tf.shape(bias)[0] // 4])] * 3
    return {
        "seq_len_max": tf.cast(tf.shape(inputs)[0], tf.int64),
        "x": inputs,
        "cs_prev": c,
        "h_prev": h,
        "w": kernel,
        "wci": w_i,
        "wcf": w_f,
        "wco": w_o,
        "b": bias,
        "use_peephole": bool(peepholes),
    }


def _block_lstm_gradient(forget_bias, saved, *cotangents_and_tensors):
    @tf.custom_gradient
    def first(cs_grad, hs_grad, *tensors):
        grads = tf.raw_ops.BlockLSTMGrad(
            **_block_lstm_arguments(*tensors),
            **saved._asdict(),
            cs_grad=cs_grad,
            h_grad=hs_grad,
        )
        first_order = [
            grads.x_grad,
            grads.cs_prev_grad,
            grads.h_prev_grad,
            grads.w_grad,
            grads.b_grad,
        ]
        if len(tensors) > 5:
            first_order += [grads.wcf_grad, grads.wci_grad, grads.wco_grad]

        def second(*upstream):
            return _second_order(forget_bias, upstream, (cs_grad, hs_grad), tensors)

        return first_order, second

    return first(*cotangents_and_tensors)


def _second_order(forget_bias, upstream, cotangents, tensors):
    """Differentiates the gradient of the plain loop, which equals the operation's."""
    with tf.GradientTape() as outer:
        outer.watch([*cotangents, *tensors])
        with tf.GradientTape() as inner:
            inner.watch(tensors)
            states = _plain_lstm(forget_bias, *tensors)
        grads = inner.gradient(states, tensors, cotangents)
    return outer.gradient(grads, [*cotangents, *tensors], upstream, unconnected_gradients="zero")


def _plain_lstm(forget_bias, inputs, c, h, kernel, bias, *peepholes):
    def step(x, state):
        new = lstm_step(
            x, *state, kernel, bias, forget_bias=forget_bias, peepholes=peepholes or None
        )
        return new, new

    units = c.shape[-1]
    sequence = Sequence(inputs, tf.shape(inputs)[0], tf.shape(c)[0])
    states, _ = run_loop(step, sequence, (c, h), (units, units), inputs.dtype)
    return states
