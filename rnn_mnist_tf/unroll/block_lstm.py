"""The LSTM over a whole sequence."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.lstm import lstm_step
from rnn_mnist_tf.unroll.chunks import scan_chunks, transpose_once, weight_gradients
from rnn_mnist_tf.unroll.gradients import differentiable
from rnn_mnist_tf.unroll.loop import run_loop
from rnn_mnist_tf.unroll.sequence import Sequence


def block_lstm(inputs, c, h, kernel, bias, peepholes=None, forget_bias=1.0, every_c=True):
    """Runs `lstm_step` over a sequence in one operation, differentiable twice.

    The gradient goes back step by step through what orders the steps, the state, and takes the
    products of inputs and weights in one for all steps.

    Args:
        inputs: `[time, batch, input_size]`, float16 or float32.
        c, h: the state before the first step, `[batch, num_units]`.
        kernel, bias, peepholes, forget_bias: as `lstm_step` has them.
        every_c: whether c is wanted after each step, or after the last.

    Returns:
        `(cs, hs)`: c and h after each step, `[time, batch, num_units]`; without `every_c`, cs is
        `[batch, num_units]`.

    Source: `tf.raw_ops.BlockLSTM`, `tf.raw_ops.LSTMBlockCellGrad`.

    >>> zeros = tf.zeros([1, 1])
    >>> cs, hs = block_lstm(tf.ones([3, 1, 1]), zeros, zeros, tf.ones([2, 4]), tf.zeros([4]))
    >>> cs.shape
    TensorShape([3, 1, 1])
    """

    def forward(*tensors):
        saved = tf.raw_ops.BlockLSTM(
            **_arguments(*tensors), forget_bias=forget_bias, cell_clip=-1.0
        )
        cs = saved.cs if every_c else last_state(tensors[1], saved.cs)
        return (cs, saved.h), saved

    def backward(saved, output_gradients, *tensors):
        return _backward(every_c, saved, output_gradients, *tensors)

    def plain(*tensors):
        cs, hs = _plain(forget_bias, *tensors)
        return (cs if every_c else last_state(tensors[1], cs)), hs

    return differentiable(forward, backward, plain)(inputs, c, h, kernel, bias, *(peepholes or []))


def last_state(first, series):
    """Returns the last of `series` `[time, ...]`, or `first` where there is no step.

    >>> float(last_state(tf.constant(1.0), tf.zeros([0])))
    1.0
    """
    if series.shape[0]:
        return series[-1]
    return tf.concat([first[None], series], 0)[-1]


def _arguments(inputs, c, h, kernel, bias, *peepholes):
    """The arguments of `BlockLSTM`."""
    return {
        "seq_len_max": tf.cast(tf.shape(inputs)[0], tf.int64),
        "x": inputs,
        "cs_prev": c,
        "h_prev": h,
        "w": kernel,
        "b": bias,
        **_peephole_arguments(bias, peepholes),
    }


def _peephole_arguments(bias, peepholes):
    w_f, w_i, w_o = peepholes or [tf.zeros_like(bias[: tf.shape(bias)[0] // 4])] * 3
    return {"wci": w_i, "wcf": w_f, "wco": w_o, "use_peephole": bool(peepholes)}


def _backward(every_c, saved, output_gradients, inputs, c, h, kernel, bias, *peepholes):
    c_gradient, hs_gradient = output_gradients
    depth, units = inputs.shape[-1], h.shape[-1]
    recurrent = transpose_once(kernel[depth:])
    c_before = tf.concat([c[None], saved.cs], 0)[:-1]
    h_before = tf.concat([h[None], saved.h], 0)[:-1]
    # The operation looks at the shapes of these and at nothing else.
    unused = {"x": tf.zeros([tf.shape(h)[0], depth], h.dtype), "h_prev": h, "w": kernel, "b": bias}
    seeing = _peephole_arguments(bias, peepholes)

    def step(carry, step_inputs):
        c_old, i, cs, f, o, ci, co, h_gradient, *cs_gradient = step_inputs
        d_c, d_h = carry
        grads = tf.raw_ops.LSTMBlockCellGrad(
            **unused,
            **seeing,
            cs_prev=c_old,
            i=i,
            cs=cs,
            f=f,
            o=o,
            ci=ci,
            co=co,
            cs_grad=tf.add_n([d_c, *cs_gradient]),
            h_grad=d_h + h_gradient,
        )
        d_h = tf.matmul(grads.dicfo, recurrent)
        return (grads.cs_prev_grad, d_h), (grads.dicfo,)

    sequences = [c_before, *saved._replace(h=hs_gradient), *([c_gradient] if every_c else [])]
    (d_c, d_h), (d_gates,) = scan_chunks(
        step,
        (tf.zeros_like(c) if every_c else c_gradient, tf.zeros_like(h)),
        sequences,
        [[h.shape[0], 4 * units]],
        reverse=True,
    )
    flat = tf.reshape(d_gates, [-1, 4 * units])
    d_x = tf.reshape(tf.matmul(flat, kernel[:depth], transpose_b=True), tf.shape(inputs))
    first = (d_x, d_c, d_h, *weight_gradients([inputs, h_before], d_gates))
    if not peepholes:
        return first
    d_i, _, d_f, d_o = tf.split(d_gates, 4, axis=2)
    seen = ((d_f, c_before), (d_i, c_before), (d_o, saved.cs))
    return (*first, *[tf.reduce_sum(gradient * c_seen, [0, 1]) for gradient, c_seen in seen])


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
