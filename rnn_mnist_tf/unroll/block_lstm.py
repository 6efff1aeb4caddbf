"""The LSTM over a whole sequence."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.lstm import lstm_step
from rnn_mnist_tf.unroll.gradients import differentiable
from rnn_mnist_tf.unroll.loop import run_loop
from rnn_mnist_tf.unroll.sequence import Sequence


def block_lstm(inputs, c, h, kernel, bias, peepholes=None, forget_bias=1.0):
    """Runs `lstm_step` over a sequence in one operation, differentiable twice.

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

    def forward(*tensors):
        saved = tf.raw_ops.BlockLSTM(
            **_arguments(*tensors), forget_bias=forget_bias, cell_clip=-1.0
        )
        return (saved.cs, saved.h), saved

    def plain(*tensors):
        return _plain(forget_bias, *tensors)

    return differentiable(forward, _backward, plain)(inputs, c, h, kernel, bias, *(peepholes or []))


def _arguments(inputs, c, h, kernel, bias, *peepholes):
    """The arguments that `BlockLSTM` and its gradient share."""
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


def _backward(saved, output_gradients, *tensors):
    cs_gradient, hs_gradient = output_gradients
    grads = tf.raw_ops.BlockLSTMGrad(
        **_arguments(*tensors), **saved._asdict(), cs_grad=cs_gradient, h_grad=hs_gradient
    )
    first = (grads.x_grad, grads.cs_prev_grad, grads.h_prev_grad, grads.w_grad, grads.b_grad)
    if len(tensors) == len(first):
        return first
    return (*first, grads.wcf_grad, grads.wci_grad, grads.wco_grad)


def _plain(forget_bias, inputs, c, h, kernel, bias, *peepholes):
    def step(x, state):
        new = lstm_step(
            x, *state, kernel, bias, forget_bias=forget_bias, peepholes=peepholes or None
        )
        return new, new

    units = c.shape[-1]
    sequence = Sequence(inputs, tf.shape(inputs)[0], tf.shape(c)[0])
    states, _ = run_loop(step, sequence, (c, h), (units, units), inputs.dtype)
    return states
