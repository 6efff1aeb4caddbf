"""`MultiRNNCell`: stacks against the reference, their states, names and errors."""

import functools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DeviceWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
)
from tests import reference
from tests.modes import EAGER_AND_GRAPH, traced
from tests.rnn_cell.stepping import (
    assert_close,
    assert_same_steps,
    draw,
    few_examples,
    make_float64,
    named_shapes,
    randomise,
    weights_below,
)

PROJECTED = {"num_proj": 2, "use_peepholes": True}
KINDS = {
    "basic_rnn_cell": (BasicRNNCell, reference.basic_rnn_step),
    "gru_cell": (GRUCell, reference.gru_step),
    "basic_lstm_cell": (BasicLSTMCell, reference.lstm_step),
    "lstm_cell": (
        functools.partial(LSTMCell, **PROJECTED),
        functools.partial(reference.lstm_step, **PROJECTED),
    ),
}


def make_stack(names, units=3):
    """Returns a built stack of cells with random weights, each layer one unit wider."""
    cells = [KINDS[name][0](units + index) for index, name in enumerate(names)]
    return randomise(make_float64(MultiRNNCell(cells), 4))


def reference_step(stack, names):
    """Returns the step of the reference for a stack of cells."""
    steps = [
        functools.partial(
            KINDS[name][1], weights=weights_below(stack, f"multi_rnn_cell/cell_{index}/{name}")
        )
        for index, name in enumerate(names)
    ]

    def step(inputs, states):
        new_states = []
        for layer_step, state in zip(steps, states):
            inputs, state = layer_step(inputs, state)
            new_states.append(state)
        return inputs, tuple(new_states)

    return step


@few_examples
@given(names=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4))
def test_steps(names):
    """The output is the last cell's, and the state the tuple of all states."""
    stack = make_stack(names)
    assert_same_steps(stack, reference_step(stack, names), 4)


def test_state_and_output_sizes():
    """Sizes are those of the cells, layer by layer."""
    stack = MultiRNNCell([BasicLSTMCell(3), GRUCell(5), LSTMCell(4, num_proj=2)])
    assert stack.state_size == (LSTMStateTuple(3, 3), 5, LSTMStateTuple(4, 2))
    assert stack.output_size == 2


def test_new_state_has_the_types_of_the_state_size():
    """The state is a tuple of `LSTMStateTuple`s and tensors, whatever containers were given."""
    stack = MultiRNNCell([BasicLSTMCell(3), GRUCell(5)])
    zeros = [[tf.zeros([2, 3]), tf.zeros([2, 3])], tf.zeros([2, 5])]
    _, state = stack(tf.ones([2, 4]), zeros)
    assert type(state) is tuple
    assert type(state[0]) is LSTMStateTuple
    assert state[1].shape == (2, 5)


def test_concatenated_state():
    """With `state_is_tuple=False` the state is one tensor, columns in layer order."""
    units = (3, 5)
    stack = randomise(make_float64(MultiRNNCell([GRUCell(n) for n in units]), 4))
    joined = MultiRNNCell([GRUCell(n) for n in units], state_is_tuple=False)
    make_float64(joined, 4).set_weights(stack.get_weights())
    assert joined.state_size == 8
    generator = np.random.default_rng(0)
    inputs, state = draw(generator, (2, 4)), draw(generator, (2, 8))
    expected, expected_state = stack(inputs, (state[:, :3], state[:, 3:]))
    output, new_state = joined(inputs, state)
    assert_close(output, expected, "output")
    assert_close(new_state, np.concatenate(expected_state, axis=1), "state")


def test_mixed_state():
    """An outer tuple of inner concatenated states is allowed."""
    stack = MultiRNNCell([LSTMCell(3, state_is_tuple=False), BasicLSTMCell(2)])
    assert stack.state_size == (6, LSTMStateTuple(2, 2))
    _, state = stack(tf.ones([2, 4]), stack.zero_state(2, tf.float32))
    assert state[0].shape == (2, 6)
    assert type(state[1]) is LSTMStateTuple


def test_stack_in_a_stack():
    """A stack is a cell: its state nests, its scope too."""
    inner = MultiRNNCell([GRUCell(3), GRUCell(2)])
    stack = MultiRNNCell([inner, BasicRNNCell(4)])
    assert stack.state_size == ((3, 2), 4)
    names = [name for name, _ in named_shapes(make_float64(stack, 4))]
    assert names[0] == "rnn/multi_rnn_cell/cell_0/multi_rnn_cell/cell_0/gru_cell/gates/kernel"
    assert names[-1] == "rnn/multi_rnn_cell/cell_1/basic_rnn_cell/bias"


def test_variables():
    """Each layer's variables stand below its number, with the width of the layer below."""
    stack = make_float64(MultiRNNCell([BasicLSTMCell(3), LSTMCell(4, num_proj=2), GRUCell(5)]), 6)
    assert named_shapes(stack) == [
        ("rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel", (9, 12)),
        ("rnn/multi_rnn_cell/cell_0/basic_lstm_cell/bias", (12,)),
        ("rnn/multi_rnn_cell/cell_1/lstm_cell/kernel", (5, 16)),
        ("rnn/multi_rnn_cell/cell_1/lstm_cell/bias", (16,)),
        ("rnn/multi_rnn_cell/cell_1/lstm_cell/projection/kernel", (4, 2)),
        ("rnn/multi_rnn_cell/cell_2/gru_cell/gates/kernel", (7, 10)),
        ("rnn/multi_rnn_cell/cell_2/gru_cell/gates/bias", (10,)),
        ("rnn/multi_rnn_cell/cell_2/gru_cell/candidate/kernel", (7, 5)),
        ("rnn/multi_rnn_cell/cell_2/gru_cell/candidate/bias", (5,)),
    ]


class StartsAtOne(GRUCell):
    """A cell with an initial state of its own."""

    def zero_state(self, batch_size, dtype):
        return tf.ones([batch_size, self.num_units], dtype)


def test_zero_state_asks_each_cell():
    """A cell's own initial state is kept."""
    gru, lstm = MultiRNNCell([StartsAtOne(2), BasicLSTMCell(3)]).zero_state(4, tf.float64)
    np.testing.assert_array_equal(gru, np.ones((4, 2)))
    np.testing.assert_array_equal(lstm.h, np.zeros((4, 3)))
    assert gru.dtype == lstm.c.dtype == tf.float64


def test_shared_cell_warns_and_shares():
    """The same object twice warns and is one set of variables with two states."""
    cell = GRUCell(3)
    with pytest.warns(UserWarning, match="are the same object and will share weights"):
        stack = MultiRNNCell([cell, cell])
    randomise(make_float64(stack, 3))
    assert [name for name, _ in named_shapes(stack)] == [
        f"rnn/multi_rnn_cell/cell_0/gru_cell/{name}"
        for name in ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
    ]
    weights = weights_below(stack, "multi_rnn_cell/cell_0/gru_cell")

    def step(inputs, states):
        first, _ = reference.gru_step(inputs, states[0], weights)
        second, _ = reference.gru_step(first, states[1], weights)
        return second, (first, second)

    assert_same_steps(stack, step, 3)


def test_different_cells_do_not_warn():
    """Two objects of one class are two cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MultiRNNCell([GRUCell(3), GRUCell(3)])


def test_keras_cells():
    """Keras's cells may be layers; their states have TF1's structure."""
    stack = MultiRNNCell([keras.layers.LSTMCell(3), GRUCell(2)])
    assert stack.state_size == (LSTMStateTuple(3, 3), 2)
    output, state = stack(tf.ones([2, 4]), stack.zero_state(2, tf.float32))
    assert output.shape == (2, 2)
    assert type(state[0]) is LSTMStateTuple


class Splits(BasicRNNCell):
    """A cell that gives its output in two halves."""

    @property
    def output_size(self):
        return (1, 1)

    def call(self, inputs, state):
        output, state = super().call(inputs, state)
        return tuple(tf.split(output, 2, axis=1)), state


class Joins(GRUCell):
    """A cell that takes its inputs in two halves."""

    def build(self, inputs_shape):
        super().build((None, sum(shape[-1] for shape in inputs_shape)))

    def call(self, inputs, state):
        return super().call(tf.concat(inputs, 1), state)


def test_nested_outputs_between_layers():
    """What one layer gives may be a nest, if the next one takes it."""
    stack = make_float64(MultiRNNCell([Splits(2), Joins(3)]), 4)
    plain = make_float64(MultiRNNCell([BasicRNNCell(2), GRUCell(3)]), 4)
    plain.set_weights(stack.get_weights())
    inputs, state = tf.ones([2, 4], tf.float64), stack.zero_state(2, tf.float64)
    assert_close(stack(inputs, state)[0], plain(inputs, state)[0], "output")


def test_cells_given_as_a_tuple():
    """A tuple of cells is as good as a list."""
    assert MultiRNNCell((GRUCell(3), GRUCell(2))).state_size == (3, 2)


@pytest.mark.parametrize("cells", [GRUCell(3), 3, None, "cells"])
def test_cells_must_be_a_list(cells):
    """Anything but a list or tuple is refused."""
    with pytest.raises(TypeError, match=r"Received cells=.*expected a list or tuple of cells"):
        MultiRNNCell(cells)


@pytest.mark.parametrize("cells", [[], ()])
def test_no_cells(cells):
    """An empty stack is refused."""
    with pytest.raises(ValueError, match="Must specify at least one cell for MultiRNNCell"):
        MultiRNNCell(cells)


def test_something_else_than_a_cell():
    """What is not a cell is named with its place."""
    with pytest.raises(TypeError, match=r"Received cells\[1\]=5 \(int\), which is not an RNNCell"):
        MultiRNNCell([GRUCell(3), 5])


def test_tuple_states_need_a_tuple():
    """A cell with a tuple as state does not go into a concatenated stack."""
    with pytest.raises(ValueError, match=r"Some cells return tuples of states.*cells\[1\]"):
        MultiRNNCell([GRUCell(3), BasicLSTMCell(3)], state_is_tuple=False)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (tf.zeros([2, 8]), r"Expected state to be a tuple of length 2"),
        ((tf.zeros([2, 3]),), r"Expected state to be a tuple of length 2"),
        (((tf.zeros([2, 3]),), tf.zeros([2, 5])), r"expected state\[0\] to be a tuple of length 2"),
        (
            ((tf.zeros([2, 3]), tf.zeros([2, 3])), (tf.zeros([2, 5]), tf.zeros([2, 5]))),
            r"Received a nested state\[1\] .*expected one tensor of size 5",
        ),
        (
            ((tf.zeros([2, 3]), tf.zeros([2, 4])), tf.zeros([2, 5])),
            r"Received state\[0\]\.h of shape \(2, 4\), expected \(2, 3\)",
        ),
        (
            ((tf.zeros([2, 3]), tf.zeros([2, 3])), tf.zeros([3, 5])),
            r"Received state\[1\] of shape \(3, 5\), expected \(2, 5\)",
        ),
    ],
    ids=["tensor", "too_short", "inner_too_short", "inner_nested", "width", "batch"],
)
def test_wrong_state(state, message):
    """A wrong state is refused with the path to what is wrong in it."""
    stack = MultiRNNCell([BasicLSTMCell(3), GRUCell(5)])
    with pytest.raises(ValueError, match=message):
        stack(tf.ones([2, 4]), state)


def test_argument_order():
    """Arguments come in TF1's order."""
    assert MultiRNNCell([GRUCell(3)], False).state_size == 3


@EAGER_AND_GRAPH
@pytest.mark.parametrize("implementation", ["loop", "auto"])
@pytest.mark.parametrize(
    "outer", [lambda cell: DeviceWrapper(cell, "/cpu:0"), DropoutWrapper, lambda cell: cell]
)
def test_a_layer_of_another_width_than_its_cell_s(outer, implementation, in_graph):
    """`residual_fn` may join inputs and outputs; each layer is built for what it is given."""

    def join(inputs, outputs):
        return tf.concat([inputs, outputs], 1)

    lower, upper = GRUCell(3), BasicLSTMCell(2)
    stack = MultiRNNCell([outer(ResidualWrapper(lower, join)), upper])
    inputs = tf.random.stateless_normal([2, 5, 4], [1, 2])
    run = traced(
        lambda: dynamic_rnn(stack, inputs, dtype=tf.float32, implementation=implementation),
        in_graph,
    )
    outputs, (low, high) = run()
    between, expected_low = dynamic_rnn(lower, inputs, dtype=tf.float32)
    expected, expected_high = dynamic_rnn(upper, tf.concat([inputs, between], 2), dtype=tf.float32)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(low, expected_low, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(high.c, expected_high.c, rtol=1e-5, atol=1e-6)
    assert upper.kernel.shape == (4 + 3 + 2, 8)


class Halves(ResidualWrapper):
    """A wrapper of a user's that says another output size."""

    output_size = property(lambda self: self.cell.output_size // 2)

    def call(self, inputs, state, training=None):
        output, state = self.cell(inputs, state)
        return output[:, : self.output_size], state


def test_a_wrapper_s_own_output_size():
    """It holds, not that of the cell inside."""
    stack = MultiRNNCell([Halves(GRUCell(4)), GRUCell(3)])
    outputs, _ = dynamic_rnn(stack, tf.ones([2, 5, 4]), dtype=tf.float32)
    assert outputs.shape == (2, 5, 3)
    assert stack.compute_output_shape((2, 4)) == ((2, 3), ((2, 4), (2, 3)))
