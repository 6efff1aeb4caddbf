"""`ResidualWrapper`, and what `DropoutWrapper` drops in which structure."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)
from rnn_mnist_tf.rnn_cell.dropout import default_state_filter
from tests import reference
from tests.rnn_cell.stepping import (
    assert_close,
    assert_same_steps,
    make_float64,
    named_shapes,
    randomise,
    weights_below,
)

WRAPPERS = pytest.mark.parametrize(
    "wrapper", [DropoutWrapper, ResidualWrapper], ids=lambda wrapper: wrapper.__name__
)


class PairCell(RNNCell):
    """A cell whose inputs and outputs are pairs of matrices; it adds its state to both."""

    state_size = 1
    output_size = (2, 3)

    def call(self, inputs, state):
        first, second = inputs
        return (first + state, second + state), state + 1


@WRAPPERS
def test_delegates_to_the_cell(wrapper):
    """Sizes, states and variables are the inner cell's, without a scope of the wrapper."""
    cell = LSTMCell(4, num_proj=3)
    wrapped = make_float64(wrapper(cell), 3)
    assert wrapped.wrapped_cell is cell
    assert wrapped.state_size == LSTMStateTuple(4, 3)
    assert wrapped.output_size == 3
    assert type(wrapped.zero_state(2, tf.float64)) is LSTMStateTuple
    assert [name for name, _ in named_shapes(wrapped)] == [
        "rnn/lstm_cell/kernel",
        "rnn/lstm_cell/bias",
        "rnn/lstm_cell/projection/kernel",
    ]


@WRAPPERS
def test_zero_state_is_the_cell_s_own(wrapper):
    """A cell's own initial state is kept."""

    class StartsAtOne(GRUCell):
        def zero_state(self, batch_size, dtype):
            return tf.ones([batch_size, self.num_units], dtype)

    np.testing.assert_array_equal(
        wrapper(StartsAtOne(2)).zero_state(3, tf.float32), np.ones((3, 2))
    )


@WRAPPERS
@pytest.mark.parametrize("cell", [None, 3, GRUCell], ids=["none", "number", "class"])
def test_not_a_cell(wrapper, cell):
    """What is not a cell is refused at once."""
    with pytest.raises(TypeError, match="which is not an RNNCell"):
        wrapper(cell)


def residual_step(cell, residual):
    """Returns the reference's step for a `GRUCell` with something done to inputs and output."""
    weights = weights_below(cell, "gru_cell")

    def step(inputs, state):
        output, state = reference.gru_step(inputs, state, weights)
        return residual(inputs, output), state

    return step


def test_residual_sum():
    """The output is inputs plus output, the state is the cell's."""
    cell = randomise(make_float64(ResidualWrapper(GRUCell(4)), 4))
    assert_same_steps(cell, residual_step(cell, np.add), 4)


def test_residual_function():
    """`residual_fn(inputs, outputs)` takes the place of the sum, and may change the size."""
    cell = ResidualWrapper(GRUCell(3), residual_fn=lambda x, y: x[:, :3] - 2 * y)
    randomise(make_float64(cell, 4))
    assert_same_steps(cell, residual_step(cell, lambda x, y: x[:, :3] - 2 * y), 4)


def test_residual_of_pairs():
    """Pairs are added leaf by leaf."""
    inputs = (tf.ones([1, 2]), 2 * tf.ones([1, 3]))
    (first, second), _ = ResidualWrapper(PairCell())(inputs, tf.fill([1, 1], 10.0))
    np.testing.assert_array_equal(first, np.full((1, 2), 12.0))
    np.testing.assert_array_equal(second, np.full((1, 3), 14.0))


def test_residual_of_other_widths():
    """Inputs of another width than the output are refused with both shapes."""
    with pytest.raises(ValueError, match=r"inputs of shape \(2, 3\) and outputs of shape \(2, 4\)"):
        ResidualWrapper(GRUCell(4))(tf.ones([2, 3]), tf.zeros([2, 4]))


def test_residual_of_other_structures():
    """Inputs of another structure than the output are refused."""

    class Joins(PairCell):
        output_size = 5

        def call(self, inputs, state):
            return tf.concat(inputs, 1), state

    with pytest.raises((TypeError, ValueError), match="structure"):
        ResidualWrapper(Joins())((tf.ones([1, 2]), tf.ones([1, 3])), tf.ones([1, 1]))


def everything_dropped(cell, state, **options):
    """Returns output and state of one step in which what is dropped is dropped wholly."""
    wrapper = make_float64(DropoutWrapper(cell, seed=1, **options), 3)
    randomise(wrapper)
    return wrapper(tf.ones([2, 3], tf.float64), state)


def is_zero(tensor):
    """Whether a tensor is zero; a tensor that is zero here and there fails the test."""
    zeros = tensor.numpy() == 0
    assert zeros.all() or not zeros.any()
    return bool(zeros.all())


def ones_like_state(cell):
    """Returns a state of ones for two rows."""
    return tf.nest.map_structure(lambda size: tf.ones([2, size], tf.float64), cell.state_size)


CELLS = {
    "gru": lambda: GRUCell(4),
    "lstm": lambda: BasicLSTMCell(4),
    "concatenated": lambda: BasicLSTMCell(4, state_is_tuple=False),
    "stack": lambda: MultiRNNCell([BasicLSTMCell(4), GRUCell(3)]),
}


@pytest.mark.parametrize("kind", CELLS)
def test_output_drop_leaves_the_state(kind):
    """The output is dropped after it went into the state."""
    cell = CELLS[kind]()
    output, state = everything_dropped(cell, ones_like_state(cell), output_keep_prob=0.0)
    assert is_zero(output)
    assert not any(is_zero(leaf) for leaf in tf.nest.flatten(state))


@pytest.mark.parametrize(
    ("kind", "dropped"),
    [("gru", [True]), ("lstm", [False, True]), ("stack", [False, True, True])],
)
def test_state_drop_never_drops_c(kind, dropped):
    """By default every part of the state is dropped but the c of an `LSTMStateTuple`."""
    cell = CELLS[kind]()
    output, state = everything_dropped(cell, ones_like_state(cell), state_keep_prob=0.0)
    assert not is_zero(output)
    assert [is_zero(leaf) for leaf in tf.nest.flatten(state)] == dropped


def test_state_drop_of_a_concatenated_state():
    """With `state_is_tuple=False` there is one tensor, and its c is dropped too."""
    cell = CELLS["concatenated"]()
    _, state = everything_dropped(cell, ones_like_state(cell), state_keep_prob=0.0)
    assert is_zero(state)


def test_input_drop():
    """Dropped inputs reach the cell as zeros."""
    cell = DropoutWrapper(BasicRNNCell(4), input_keep_prob=0.0, seed=1)
    randomise(make_float64(cell, 3))
    weights = weights_below(cell, "basic_rnn_cell")
    output, _ = cell(tf.ones([2, 3], tf.float64), tf.ones([2, 4], tf.float64))
    expected, _ = reference.basic_rnn_step(np.zeros((2, 3)), np.ones((2, 4)), weights)
    assert_close(output, expected, "output")


def test_dropped_state_is_what_the_next_step_sees():
    """The next step starts from the state that was dropped."""
    cell = DropoutWrapper(GRUCell(4), state_keep_prob=0.0, seed=1)
    randomise(make_float64(cell, 3))
    step = functools.partial(reference.gru_step, weights=weights_below(cell, "gru_cell"))
    inputs = tf.ones([2, 3], tf.float64)
    _, state = cell(inputs, tf.ones([2, 4], tf.float64))
    output, _ = cell(inputs, state)
    assert_close(output, step(np.ones((2, 3)), np.zeros((2, 4)))[0], "output")


def only_c(state):
    """Drops c, and not h."""
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(c=True, h=False)
    return True


def no_lstm(state):
    """Drops everything but LSTM states."""
    return not isinstance(state, LSTMStateTuple)


def only_the_first(state):
    """Drops the first of a pair of layers."""
    if type(state) is tuple:
        return (True, False)
    return True


def nothing(state):
    """Drops nothing."""
    del state
    return False


def everything(state):
    """Drops all."""
    del state
    return True


@pytest.mark.parametrize(
    ("visitor", "dropped"),
    [
        (None, [False, True, True]),
        (default_state_filter, [False, True, True]),
        (only_c, [True, False, True]),
        (no_lstm, [False, False, True]),
        (only_the_first, [True, True, False]),
        (nothing, [False, False, False]),
        (everything, [True, True, True]),
    ],
)
def test_state_filters(visitor, dropped):
    """A visitor says what is dropped: a part, a whole branch or nothing of it."""
    cell = CELLS["stack"]()
    _, state = everything_dropped(
        cell,
        ones_like_state(cell),
        state_keep_prob=0.0,
        dropout_state_filter_visitor=visitor,
    )
    assert [is_zero(leaf) for leaf in tf.nest.flatten(state)] == dropped
    tf.nest.assert_same_structure(state, cell.state_size)


def test_default_filter_leaves_tensor_arrays():
    """A `TensorArray` in a state is never dropped."""
    assert default_state_filter(tf.TensorArray(tf.float32, 1)) is False
    assert default_state_filter(tf.ones([1])) is True


@pytest.mark.parametrize("visitor", [True, "c", 0])
def test_filter_must_be_callable(visitor):
    """A filter that is no function is refused at once."""
    with pytest.raises(TypeError, match="dropout_state_filter_visitor must be callable"):
        DropoutWrapper(GRUCell(2), dropout_state_filter_visitor=visitor)


@pytest.mark.parametrize("name", ["input_keep_prob", "output_keep_prob", "state_keep_prob"])
@pytest.mark.parametrize("probability", [-0.1, 1.5, 2, float("nan"), True])
def test_wrong_probability(name, probability):
    """A probability outside [0, 1] is refused at once, with its name."""
    with pytest.raises(ValueError, match=rf"Parameter {name} must be between 0 and 1"):
        DropoutWrapper(GRUCell(2), **{name: probability})


def test_variational_needs_a_dtype():
    """Masks of a whole run need their dtype."""
    with pytest.raises(ValueError, match=r"variational_recurrent=True, dtype must be provided"):
        DropoutWrapper(GRUCell(2), variational_recurrent=True)


@pytest.mark.parametrize("keep_prob", [0.5, tf.Variable(1.0)], ids=["number", "variable"])
def test_variational_inputs_need_their_size(keep_prob):
    """A mask for the inputs needs `input_size`, and only then."""
    with pytest.raises(ValueError, match="input_size must be provided"):
        DropoutWrapper(GRUCell(2), keep_prob, variational_recurrent=True, dtype=tf.float32)
    DropoutWrapper(GRUCell(2), 1.0, keep_prob, variational_recurrent=True, dtype=tf.float32)
    # A constant is a number, as in TF1.
    DropoutWrapper(GRUCell(2), tf.constant(1.0), variational_recurrent=True, dtype=tf.float32)


def test_argument_order():
    """Arguments come in TF1's order."""
    wrapper = DropoutWrapper(GRUCell(2), 0.9, 0.8, 0.7, True, 3, tf.float32, 5, nothing)
    assert wrapper.input_keep_prob == 0.9
    assert wrapper.output_keep_prob == 0.8
    assert wrapper.state_keep_prob == 0.7
    assert wrapper.variational_recurrent
    assert (wrapper.input_size, wrapper.seed) == (3, 5)
    assert wrapper.dropout_state_filter_visitor is nothing
