"""`AttentionCellWrapper` against the reference; its states, variables and errors."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
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

SCOPE = "attention_cell_wrapper"


def inner_step(cell):
    """Returns the reference's step of the inner cell, with the attention cell's own weights."""

    def weights(name):
        return weights_below(cell, f"{SCOPE}/{name}")

    if isinstance(cell.cell, GRUCell):
        return functools.partial(reference.gru_step, weights=weights("gru_cell"))
    if isinstance(cell.cell, MultiRNNCell):
        gru = weights("multi_rnn_cell/cell_0/gru_cell")
        lstm = weights("multi_rnn_cell/cell_1/basic_lstm_cell")

        def stack_step(inputs, states):
            output, gru_state = reference.gru_step(inputs, states[0], gru)
            output, lstm_state = reference.lstm_step(output, states[1], lstm)
            return output, (gru_state, lstm_state)

        return stack_step
    projected = {"num_proj": cell.cell.num_proj}
    name = "lstm_cell" if type(cell.cell) is LSTMCell else "basic_lstm_cell"
    return functools.partial(reference.lstm_step, weights=weights(name), **projected)


def reference_step(cell):
    """Returns the reference's step of an attention cell with a tuple as state."""
    return functools.partial(
        reference.attention_step,
        weights=weights_below(cell, SCOPE),
        cell_step=inner_step(cell),
        attn_length=cell.attn_length,
        attn_size=cell.attn_size,
        attn_vec_size=cell.attn_vec_size,
    )


INNER = {
    "gru": lambda: GRUCell(4),
    "lstm": lambda: BasicLSTMCell(4),
    "projected": lambda: LSTMCell(5, num_proj=3),
    "stack": lambda: MultiRNNCell([GRUCell(3), BasicLSTMCell(4)]),
}
SIZES = [
    dict(zip(("attn_size", "attn_vec_size", "input_size"), values))
    for values in itertools.product((None, 5), (None, 2), (None, 6))
]


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_steps(inner, sizes):
    """Outputs and states are the reference's, for every inner cell and every size."""
    cell = randomise(make_float64(AttentionCellWrapper(INNER[inner](), 3, **sizes), 4))
    assert_same_steps(cell, reference_step(cell), 4, steps=5)


@few_examples
@given(
    length=st.integers(1, 6),
    units=st.integers(1, 5),
    depth=st.integers(1, 4),
    rows=st.integers(1, 3),
)
def test_lengths_and_sizes(length, units, depth, rows):
    """Outputs and states are the reference's, whatever the memory's length."""
    cell = randomise(make_float64(AttentionCellWrapper(GRUCell(units), length), depth))
    assert_same_steps(cell, reference_step(cell), depth, batch=rows, steps=length + 2)


def test_concatenated_state():
    """With `state_is_tuple=False` the state is the inner one, d and the memory side by side."""
    options = {"attn_length": 2, "attn_size": 3}
    cell = randomise(make_float64(AttentionCellWrapper(GRUCell(4), **options), 5))
    joined = make_float64(AttentionCellWrapper(GRUCell(4), state_is_tuple=False, **options), 5)
    joined.set_weights(cell.get_weights())
    assert joined.state_size == 4 + 3 + 6
    generator = np.random.default_rng(0)
    inputs, state = draw(generator, (2, 5)), draw(generator, (2, 13))
    expected, expected_state = cell(inputs, (state[:, :4], state[:, 4:7], state[:, 7:]))
    output, new_state = joined(inputs, state)
    assert_close(output, expected, "output")
    assert_close(new_state, np.concatenate(expected_state, axis=1), "state")


def test_concatenated_inner_state():
    """The inner cell's state may be one tensor inside the tuple: c, then h, asks the memory."""
    cell = AttentionCellWrapper(BasicLSTMCell(4, state_is_tuple=False), 2)
    pairs = make_float64(AttentionCellWrapper(BasicLSTMCell(4), 2), 3)
    randomise(pairs)
    make_float64(cell, 3).set_weights(pairs.get_weights())
    step = reference_step(pairs)

    def joined_step(inputs, state):
        inner, attended, memory = state
        output, (inner, *rest) = step(inputs, ((inner[:, :4], inner[:, 4:]), attended, memory))
        return output, (np.concatenate(inner, axis=1), *rest)

    assert_same_steps(cell, joined_step, 3)


def test_sizes():
    """The state is (inner state, d, memory), and the output has the attention's size."""
    cell = AttentionCellWrapper(BasicLSTMCell(4), 3, attn_size=5)
    assert cell.state_size == (LSTMStateTuple(4, 4), 5, 15)
    assert cell.output_size == 5
    assert AttentionCellWrapper(GRUCell(4), 3).state_size == (4, 4, 12)


def test_zero_state_asks_the_cell():
    """The inner cell's own initial state is kept, everything else is zero."""

    class StartsAtOne(GRUCell):
        def zero_state(self, batch_size, dtype):
            return tf.ones([batch_size, self.num_units], dtype)

    inner, attended, memory = AttentionCellWrapper(StartsAtOne(2), 3).zero_state(4, tf.float64)
    np.testing.assert_array_equal(inner, np.ones((4, 2)))
    np.testing.assert_array_equal(attended, np.zeros((4, 2)))
    np.testing.assert_array_equal(memory, np.zeros((4, 6)))
    assert inner.dtype == memory.dtype == tf.float64


def test_memory_is_a_queue_of_outputs():
    """The memory holds the last outputs, oldest first, and zeros before there are any."""
    cell = randomise(make_float64(AttentionCellWrapper(GRUCell(4), 2), 3))
    state, outputs = cell.zero_state(1, tf.float64), []
    for time in range(3):
        output, state = cell(tf.fill([1, 3], tf.cast(time + 1, tf.float64)), state)
        outputs.append(output.numpy())
        expected = [np.zeros((1, 4)), *outputs][-2:]
        np.testing.assert_array_equal(state[2], np.concatenate(expected, axis=1))


def test_variables():
    """Names and shapes are TF1's."""
    cell = AttentionCellWrapper(BasicLSTMCell(4), 3, attn_size=5, attn_vec_size=2, input_size=6)
    assert dict(named_shapes(make_float64(cell, 7))) == {
        f"rnn/{SCOPE}/kernel": (12, 6),
        f"rnn/{SCOPE}/bias": (6,),
        f"rnn/{SCOPE}/basic_lstm_cell/kernel": (10, 16),
        f"rnn/{SCOPE}/basic_lstm_cell/bias": (16,),
        f"rnn/{SCOPE}/attention/attn_w": (1, 1, 5, 2),
        f"rnn/{SCOPE}/attention/attn_v": (2,),
        f"rnn/{SCOPE}/attention/kernel": (8, 2),
        f"rnn/{SCOPE}/attention/bias": (2,),
        f"rnn/{SCOPE}/attn_output_projection/kernel": (9, 5),
        f"rnn/{SCOPE}/attn_output_projection/bias": (5,),
    }


def test_stack_variables_stand_below():
    """The names of an inner stack stand below the attention's scope."""
    cell = make_float64(AttentionCellWrapper(INNER["stack"](), 2), 3)
    names = [name for name, _ in named_shapes(cell)]
    assert f"rnn/{SCOPE}/multi_rnn_cell/cell_0/gru_cell/gates/kernel" in names
    assert f"rnn/{SCOPE}/multi_rnn_cell/cell_1/basic_lstm_cell/bias" in names


def test_initial_values():
    """The initialiser makes everything but the biases, which start at 0."""
    cell = AttentionCellWrapper(
        GRUCell(4), 2, attn_vec_size=3, kernel_initializer=tf.constant_initializer(0.5)
    )
    weights = weights_below(make_float64(cell, 3), SCOPE)
    for name, weight in weights.items():
        if not name.startswith("gru_cell"):
            expected = 0.0 if name.endswith("bias") else 0.5
            np.testing.assert_array_equal(weight, np.full(weight.shape, expected), err_msg=name)


def test_kernels_start_apart():
    """Kernels of one shape do not start with the same numbers."""
    cell = make_float64(AttentionCellWrapper(GRUCell(4), 2), 4)
    assert cell.kernel.shape == cell.output_kernel.shape
    assert not np.array_equal(cell.kernel, cell.output_kernel)


@pytest.mark.parametrize("cell", [None, 4, GRUCell], ids=["none", "number", "class"])
def test_not_a_cell(cell):
    """What is not a cell is refused at once."""
    with pytest.raises(TypeError, match="which is not an RNNCell"):
        AttentionCellWrapper(cell, 2)


@pytest.mark.parametrize("length", [0, -1])
def test_wrong_length(length):
    """A memory without rows is refused at once."""
    with pytest.raises(ValueError, match=rf"attn_length should be greater than zero, got {length}"):
        AttentionCellWrapper(GRUCell(4), length)


def test_tuple_states_need_a_tuple():
    """A cell with a tuple as state does not go into a concatenated state."""
    with pytest.raises(ValueError, match="Cell returns tuple of states"):
        AttentionCellWrapper(BasicLSTMCell(4), 2, state_is_tuple=False)


def test_reuse():
    """Sharing by name is refused."""
    with pytest.raises(ValueError, match="Received reuse=True"):
        AttentionCellWrapper(GRUCell(4), 2, reuse=True)


def test_integer_inputs():
    """Integer inputs are refused as by every cell."""
    cell = AttentionCellWrapper(GRUCell(4), 2)
    with pytest.raises(ValueError, match=r"only supports floating point inputs.*inputs of dtype"):
        cell(tf.ones([2, 3], tf.int32), cell.zero_state(2, tf.float32))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((4, 4, 7), r"Received state\[2\] of shape \(2, 7\), expected \(2, 8\)"),
        ((4, 5, 8), r"Received state\[1\] of shape \(2, 5\), expected \(2, 4\)"),
        ((3, 4, 8), r"Received state\[0\] of shape \(2, 3\), expected \(2, 4\)"),
    ],
)
def test_wrong_state(sizes, message):
    """A state of another width is refused, with the path to the leaf."""
    cell = AttentionCellWrapper(GRUCell(4), 2)
    with pytest.raises(ValueError, match=message):
        cell(tf.ones([2, 3]), tuple(tf.zeros([2, size]) for size in sizes))


def test_argument_order():
    """Arguments come in TF1's order."""
    cell = AttentionCellWrapper(GRUCell(4), 2, 5, 3, 6, False)
    assert (cell.attn_length, cell.attn_size, cell.attn_vec_size, cell.input_size) == (2, 5, 3, 6)
    assert cell.state_size == 4 + 5 + 10


@EAGER_AND_GRAPH
def test_masks_of_a_keras_cell_have_its_own_width(in_graph):
    """Dropout of a Keras cell inside is drawn for x', which `input_size` makes wider."""
    inner = keras.layers.LSTMCell(4, dropout=0.5, seed=1)
    cell = AttentionCellWrapper(inner, attn_length=2, input_size=7)

    def call():
        return dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32, training=True)[0]

    assert traced(call, in_graph)().shape == (2, 5, 4)
    assert inner.kernel.shape == (7, 16)


@pytest.mark.parametrize("input_size", [0, -1, 2.5])
def test_wrong_input_size(input_size):
    """A size that is none is refused at construction."""
    with pytest.raises(ValueError, match="input_size"):
        AttentionCellWrapper(GRUCell(4), attn_length=2, input_size=input_size)
