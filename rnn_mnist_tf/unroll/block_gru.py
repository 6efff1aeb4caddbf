"""The GRU and the vanilla cell over a whole sequence."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.basic import basic_rnn_step, gru_step
from rnn_mnist_tf.unroll.chunks import scan_chunks, transpose_once, weight_gradients
from rnn_mnist_tf.unroll.gradients import differentiable
from rnn_mnist_tf.unroll.loop import run_loop
from rnn_mnist_tf.unroll.sequence import Sequence


def block_gru(inputs, h, gates_kernel, gates_bias, candidate_kernel, candidate_bias):
    """Runs `gru_step` with tanh over a sequence, one operation a step, differentiable twice.

    The gradients of the weights are one product over all steps.

    Args:
        inputs: `[time, batch, input_size]`, float32.
        h: the state before the first step, `[batch, num_units]`.
        gates_kernel, gates_bias, candidate_kernel, candidate_bias: as `gru_step` has them.

    Returns:
        `(hs,)`: h after each step, `[time, batch, num_units]`.

    Source: `tf.raw_ops.GRUBlockCell`.

    >>> weights = tf.ones([2, 2]), tf.zeros([2]), tf.ones([2, 1]), tf.zeros([1])
    >>> block_gru(tf.ones([3, 1, 1]), tf.zeros([1, 1]), *weights)[0].shape
    TensorShape([3, 1, 1])
    """
    return differentiable(_gru_forward, _gru_backward, _gru_plain)(
        inputs, h, gates_kernel, gates_bias, candidate_kernel, candidate_bias
    )


def _gru_weights(gates_kernel, gates_bias, candidate_kernel, candidate_bias):
    return {
        "w_ru": gates_kernel,
        "w_c": candidate_kernel,
        "b_ru": gates_bias,
        "b_c": candidate_bias,
    }


def _gru_forward(inputs, h, *weights):
    named = _gru_weights(*weights)

    def step(carry, x):
        r, u, c, new = tf.raw_ops.GRUBlockCell(x=x[0], h_prev=carry[0], **named)
        return (new,), (r, u, c, new)

    _, (r, u, c, hs) = scan_chunks(step, (h,), [inputs], [h.shape] * 4)
    return (hs,), (r, u, c, hs)


def _gru_backward(saved, output_gradients, inputs, h, *weights):
    r, u, c, hs = saved
    named = _gru_weights(*weights)
    before = tf.concat([h[None], hs], 0)[:-1]

    def step(carry, step_inputs):
        x, h_before, r, u, c, gradient = step_inputs
        d_x, d_h, d_candidate, d_gates = tf.raw_ops.GRUBlockCellGrad(
            x=x, h_prev=h_before, **named, r=r, u=u, c=c, d_h=carry[0] + gradient
        )
        return (d_h,), (d_x, d_candidate, d_gates)

    batch, units = h.shape
    (d_h,), (d_x, d_candidate, d_gates) = scan_chunks(
        step,
        (tf.zeros_like(h),),
        [inputs, before, r, u, c, output_gradients[0]],
        [inputs.shape[1:], [batch, units], [batch, 2 * units]],
        reverse=True,
    )
    return (
        d_x,
        d_h,
        *weight_gradients([inputs, before], d_gates),
        *weight_gradients([inputs, r * before], d_candidate),
    )


def _gru_plain(inputs, h, *weights):
    return _plain(lambda x, state: gru_step(x, state, *weights), inputs, h)


def block_basic_rnn(inputs, h, kernel, bias):
    """Runs `basic_rnn_step` with tanh over a sequence, differentiable twice.

    The products with the inputs, and the gradients of the weights, are one product over all steps.

    Args:
        inputs: `[time, batch, input_size]`.
        h: the state before the first step, `[batch, num_units]`.
        kernel, bias: as `basic_rnn_step` has them.

    Returns:
        `(hs,)`: h after each step, `[time, batch, num_units]`.

    >>> weights = tf.ones([2, 1]), tf.zeros([1])
    >>> block_basic_rnn(tf.ones([3, 1, 1]), tf.zeros([1, 1]), *weights)[0].shape
    TensorShape([3, 1, 1])
    """
    return differentiable(_basic_forward, _basic_backward, _basic_plain)(inputs, h, kernel, bias)


def _basic_forward(inputs, h, kernel, bias):
    depth, units = inputs.shape[-1], h.shape[-1]
    from_inputs = tf.matmul(tf.reshape(inputs, [-1, depth]), kernel[:depth])
    from_inputs = tf.reshape(
        tf.nn.bias_add(from_inputs, bias), tf.concat([tf.shape(inputs)[:2], [units]], 0)
    )
    from_inputs = tf.ensure_shape(from_inputs, [*inputs.shape[:2], units])
    recurrent = kernel[depth:]

    def step(carry, x):
        new = tf.tanh(x[0] + tf.matmul(carry[0], recurrent))
        return (new,), (new,)

    _, (hs,) = scan_chunks(step, (h,), [from_inputs], [h.shape])
    return (hs,), (hs,)


def _basic_backward(saved, output_gradients, inputs, h, kernel, bias):
    del bias
    (hs,) = saved
    depth = inputs.shape[-1]
    recurrent = transpose_once(kernel[depth:])

    def step(carry, step_inputs):
        new, gradient = step_inputs
        d_sum = tf.raw_ops.TanhGrad(y=new, dy=carry[0] + gradient)
        return (tf.matmul(d_sum, recurrent),), (d_sum,)

    (d_h,), (d_sum,) = scan_chunks(
        step, (tf.zeros_like(h),), [hs, output_gradients[0]], [h.shape], reverse=True
    )
    flat = tf.reshape(d_sum, [-1, h.shape[-1]])
    d_x = tf.reshape(tf.matmul(flat, kernel[:depth], transpose_b=True), tf.shape(inputs))
    before = tf.concat([h[None], hs], 0)[:-1]
    return (d_x, d_h, *weight_gradients([inputs, before], d_sum))


def _basic_plain(inputs, h, kernel, bias):
    return _plain(lambda x, state: basic_rnn_step(x, state, kernel, bias), inputs, h)


def _plain(step, inputs, h):
    def both(x, state):
        new = step(x, state)
        return new, new

    sequence = Sequence(inputs, tf.shape(inputs)[0], tf.shape(h)[0])
    hs, _ = run_loop(both, sequence, h, h.shape[-1], inputs.dtype)
    return (hs,)
