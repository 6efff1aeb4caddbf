"""Second derivatives in places where one tensor or no step could deceive the tapes."""

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, BasicRNNCell, GRUCell, LSTMCell, LSTMStateTuple
from rnn_mnist_tf.unroll.gradients import differentiable
from tests.modes import GRAPH_AND_SLOWLY_EAGER, traced

CELLS = {
    "basic_rnn": lambda: BasicRNNCell(4),
    "gru": lambda: GRUCell(4),
    "basic_lstm": lambda: BasicLSTMCell(4),
    "peepholes": lambda: LSTMCell(4, use_peepholes=True),
}


def make_cell(kind):
    """A built cell whose weights are all random."""
    cell = CELLS[kind]()
    cell.build((None, 3))
    random = np.random.default_rng(0)
    for variable in cell.trainable_variables:
        variable.assign(random.normal(0, 0.6, variable.shape))
    return cell


def penalty_gradient(cell, inputs, start, implementation):
    """The gradient, by the start, of the squared gradient by inputs and start."""
    sources = [inputs, start]
    with tf.GradientTape() as outer:
        outer.watch(sources)
        with tf.GradientTape() as inner:
            inner.watch(sources)
            # c and h are one tensor, as they often are: `LSTMStateTuple(zeros, zeros)`.
            lstm = isinstance(cell.state_size, tuple)
            state = LSTMStateTuple(start, start) if lstm else start
            outputs, final = dynamic_rnn(
                cell, inputs, initial_state=state, implementation=implementation
            )
            leaves = [outputs, *tf.nest.flatten(final)]
            loss = tf.add_n([tf.reduce_sum(leaf**3) for leaf in leaves])
        gradients = inner.gradient(loss, sources, unconnected_gradients="zero")
        penalty = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
    return outer.gradient(penalty, sources, unconnected_gradients="zero")


@GRAPH_AND_SLOWLY_EAGER
@pytest.mark.parametrize("time", [0, 1, 5])
@pytest.mark.parametrize("kind", CELLS)
def test_one_tensor_as_c_and_h(kind, time, in_graph):
    """The kernel's second derivatives are the loop's, over no steps too."""
    cell, random = make_cell(kind), np.random.default_rng(3)
    inputs = tf.constant(random.normal(size=(2, time, 3)), tf.float32)
    start = tf.constant(random.normal(size=(2, 4)), tf.float32)
    compute = traced(penalty_gradient, in_graph)
    kernel = compute(cell, inputs, start, "fused")
    loop = compute(cell, inputs, start, "loop")
    for one, other in zip(kernel, loop, strict=True):
        largest = np.max(np.abs(other), initial=0)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * largest)
    assert np.abs(loop[1]).max() > 0.1


def test_one_tensor_in_two_places():
    """x y at x = y = 3: the gradient 2 x, of which the derivative is 2."""
    product = differentiable(
        lambda x, y: ((x * y,), ()),
        lambda saved, g, x, y: (y * g[0], x * g[0]),
        lambda x, y: (x * y,),
    )
    x = tf.constant(3.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = product(x, x)[0]
        slope = inner.gradient(value, x)
    assert (float(slope), float(outer.gradient(slope, x))) == (6.0, 2.0)
