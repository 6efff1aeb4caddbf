"""`BasicLSTMCell` and `LSTMCell` against the reference; their variables, defaults and errors."""

import functools
import itertools
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf.rnn_cell import BasicLSTMCell, LSTMCell, LSTMStateTuple
from tests import reference
from tests.rnn_cell.stepping import (
    assert_close,
    assert_same_steps,
    draw,
    few_examples,
    make_float64,
    named_shapes,
    randomise,
    relu,
    weights_below,
)

SCOPES = {BasicLSTMCell: "basic_lstm_cell", LSTMCell: "lstm_cell"}
EITHER = pytest.mark.parametrize("kind", SCOPES, ids=lambda kind: kind.__name__)
OPTIONS = [
    dict(zip(("use_peepholes", "cell_clip", "num_proj", "proj_clip"), values))
    for values in itertools.product((False, True), (None, 0.3, 0.0), (None, 2, 6), (None, 0.1))
]


def option_id(options):
    """Returns a test's name for a dict of options."""
    return ",".join(f"{name}={value}" for name, value in options.items()) or "default"


def reference_step(cell, **options):
    """Returns the reference's step with a cell's weights."""
    weights = weights_below(cell, SCOPES[type(cell)])
    return functools.partial(reference.lstm_step, weights=weights, **options)


def assert_like_reference(cell, depth, batch=3, **options):
    """Asserts that a cell agrees with the reference for random weights."""
    randomise(make_float64(cell, depth), scale=1.0)
    assert_same_steps(cell, reference_step(cell, **options), depth, batch)


@pytest.mark.parametrize("options", OPTIONS, ids=option_id)
def test_steps(options):
    """Outputs and states are the reference's with peepholes, clips and projection combined."""
    assert_like_reference(LSTMCell(4, **options), 3, **options)


@EITHER
@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.5, -1.0])
def test_forget_bias(kind, forget_bias):
    """The forget bias is the reference's."""
    cell = kind(4, forget_bias=forget_bias)
    assert_like_reference(cell, 3, forget_bias=forget_bias)


@EITHER
@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", relu), (tf.nn.relu, relu), (lambda x: 0.5 * x, lambda x: 0.5 * x), (None, np.tanh)],
    ids=["name", "tensorflow", "own", "none"],
)
def test_activation(kind, activation, expected):
    """The activation is applied to the candidate and to c, never to the gates."""
    assert_like_reference(kind(4, activation=activation), 3, activation=expected)


@few_examples
@given(
    units=st.integers(1, 6),
    depth=st.integers(1, 5),
    batch=st.integers(1, 4),
    num_proj=st.none() | st.integers(1, 7),
    use_peepholes=st.booleans(),
)
def test_sizes(units, depth, batch, num_proj, use_peepholes):
    """Outputs and states are the reference's, whatever the sizes."""
    options = {"num_proj": num_proj, "use_peepholes": use_peepholes}
    assert_like_reference(LSTMCell(units, **options), depth, batch, **options)


@EITHER
def test_basic_sizes(kind):
    """Sizes of a cell without options."""
    cell = kind(4)
    assert cell.state_size == LSTMStateTuple(4, 4)
    assert type(cell.state_size) is LSTMStateTuple
    assert cell.output_size == 4
    assert kind(4, state_is_tuple=False).state_size == 8


def test_projected_sizes():
    """A projection sets the size of h and of the output."""
    cell = LSTMCell(4, num_proj=3)
    assert cell.state_size == LSTMStateTuple(c=4, h=3)
    assert cell.output_size == 3
    assert LSTMCell(4, num_proj=3, state_is_tuple=False).state_size == 7


def assert_concatenated(tuple_cell, cell, c_size):
    """Asserts that a cell with one tensor as state gives the columns of c, then of h."""
    randomise(make_float64(tuple_cell, 3))
    make_float64(cell, 3).set_weights(tuple_cell.get_weights())
    generator = np.random.default_rng(0)
    inputs, state = draw(generator, (2, 3)), draw(generator, (2, cell.state_size))
    expected, expected_state = tuple_cell(inputs, (state[:, :c_size], state[:, c_size:]))
    output, new_state = cell(inputs, state)
    assert_close(output, expected, "output")
    assert_close(new_state, np.concatenate(expected_state, axis=1), "state")


@EITHER
def test_concatenated_state(kind):
    """With `state_is_tuple=False` the state is c, then h."""
    assert_concatenated(kind(4), kind(4, state_is_tuple=False), 4)


def test_concatenated_projected_state():
    """With a projection h is the narrow part."""
    options = {"num_proj": 3, "use_peepholes": True, "cell_clip": 0.5, "proj_clip": 0.2}
    assert_concatenated(
        LSTMCell(5, **options), LSTMCell(5, state_is_tuple=False, **options), c_size=5
    )


@EITHER
@pytest.mark.parametrize("container", [tuple, list, lambda leaves: LSTMStateTuple(*leaves)])
def test_state_is_always_an_lstm_state_tuple(kind, container):
    """A plain tuple or a list is taken as (c, h), and an `LSTMStateTuple` comes back."""
    cell = randomise(make_float64(kind(2), 3))
    c, h = tf.ones([1, 2], tf.float64), tf.zeros([1, 2], tf.float64)
    output, state = cell(tf.ones([1, 3], tf.float64), container([c, h]))
    assert type(state) is LSTMStateTuple
    _, expected = reference_step(cell)(np.ones((1, 3)), (c, h))
    assert_close(state.c, expected[0], "c")
    assert_close(output, expected[1], "output")


def test_basic_lstm_variables():
    """Names and shapes are TF1's."""
    assert named_shapes(make_float64(BasicLSTMCell(4), 3)) == [
        ("rnn/basic_lstm_cell/kernel", (7, 16)),
        ("rnn/basic_lstm_cell/bias", (16,)),
    ]


def test_lstm_variables():
    """Names and shapes are TF1's, with its order of the peepholes."""
    assert named_shapes(make_float64(LSTMCell(4, use_peepholes=True, num_proj=2), 3)) == [
        ("rnn/lstm_cell/kernel", (5, 16)),
        ("rnn/lstm_cell/bias", (16,)),
        ("rnn/lstm_cell/w_f_diag", (4,)),
        ("rnn/lstm_cell/w_i_diag", (4,)),
        ("rnn/lstm_cell/w_o_diag", (4,)),
        ("rnn/lstm_cell/projection/kernel", (4, 2)),
    ]


def test_weights_are_interchangeable():
    """A `BasicLSTMCell` and a plain `LSTMCell` take each other's weights."""
    basic = randomise(make_float64(BasicLSTMCell(4), 3))
    full = make_float64(LSTMCell(4), 3)
    full.set_weights(basic.get_weights())
    assert_same_steps(full, reference_step(basic), 3)


@EITHER
def test_bias_starts_at_zero(kind):
    """The forget bias is not in the variable."""
    np.testing.assert_array_equal(make_float64(kind(2, forget_bias=3.0), 3).bias, np.zeros(8))


def test_default_kernel():
    """The kernel starts as Glorot uniform over the whole matrix, all four gates together."""
    kernel = make_float64(LSTMCell(30), 20).kernel.numpy()
    limit = np.sqrt(6 / sum(kernel.shape))
    assert 0.98 * limit < np.max(np.abs(kernel)) <= limit


def test_peepholes_start_apart():
    """The three peepholes do not start with the same numbers."""
    cell = make_float64(LSTMCell(20, use_peepholes=True), 3)
    f, i, o = (peephole.numpy() for peephole in cell.peepholes)
    assert len({tuple(f), tuple(i), tuple(o)}) == 3


def test_initializer_covers_all_but_the_bias():
    """`initializer` makes kernel, peepholes and projection, and leaves the bias at 0."""
    cell = LSTMCell(2, use_peepholes=True, num_proj=3, initializer=tf.constant_initializer(0.5))
    weights = weights_below(make_float64(cell, 1), "lstm_cell")
    np.testing.assert_array_equal(weights.pop("bias"), np.zeros(8))
    assert len(weights) == 5
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, np.full(weight.shape, 0.5), err_msg=name)


def test_basic_lstm_initializers():
    """Given initialisers are used."""
    cell = BasicLSTMCell(2, kernel_initializer="ones", bias_initializer="ones")
    make_float64(cell, 1)
    np.testing.assert_array_equal(cell.kernel, np.ones((3, 8)))
    np.testing.assert_array_equal(cell.bias, np.ones(8))


def test_clip_of_zero_is_a_clip():
    """`cell_clip=0.0` makes c, h and the output zero."""
    cell = randomise(make_float64(LSTMCell(4, cell_clip=0.0), 3))
    output, state = cell(tf.ones([2, 3], tf.float64), cell.zero_state(2, tf.float64))
    for leaf in (output, *state):
        np.testing.assert_array_equal(leaf, np.zeros((2, 4)))


def test_clips_bind():
    """Where a clip binds, c or h stands exactly at it."""
    cell = LSTMCell(20, cell_clip=0.1, num_proj=10, proj_clip=0.05)
    randomise(make_float64(cell, 3), scale=2.0)
    _, state = cell(tf.ones([4, 3], tf.float64), cell.zero_state(4, tf.float64))
    assert np.max(np.abs(state.c)) == 0.1
    assert np.max(np.abs(state.h)) == 0.05


def test_clip_of_projection_without_projection_does_nothing():
    """`proj_clip` without `num_proj` changes no number."""
    assert_like_reference(LSTMCell(4, proj_clip=0.01), 3)


@pytest.mark.parametrize("argument", ["num_unit_shards", "num_proj_shards"])
def test_shards_warn(argument):
    """Shards are warned of, one of them is not."""
    with pytest.warns(UserWarning, match=f"Received {argument}=3: variables are whole"):
        LSTMCell(4, num_proj=2, **{argument: 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LSTMCell(4, num_proj=2, **{argument: 1})


@pytest.mark.parametrize("argument", ["cell_clip", "proj_clip"])
@pytest.mark.parametrize("clip", [-0.1, "1", True])
def test_wrong_clip(argument, clip):
    """A clip that is not a number of at least 0 is refused at once."""
    with pytest.raises(ValueError, match=rf"Received {argument}=.*expected None or a number"):
        LSTMCell(4, **{argument: clip})


@EITHER
@pytest.mark.parametrize("units", [0, -2, 1.0, None])
def test_wrong_units(kind, units):
    """A size that is not a positive whole number is refused at once."""
    with pytest.raises(ValueError, match=r"Received num_units=.*expected a positive integer"):
        kind(units)


@pytest.mark.parametrize("num_proj", [0, -2, 1.5])
def test_wrong_projection(num_proj):
    """So is such a projection; TF1 contradicts itself on 0."""
    with pytest.raises(ValueError, match=r"Received num_proj=.*expected a positive integer"):
        LSTMCell(4, num_proj=num_proj)


@EITHER
def test_reuse(kind):
    """Sharing by name is refused."""
    with pytest.raises(ValueError, match=r"Received reuse=True"):
        kind(4, reuse=True)


@EITHER
@pytest.mark.parametrize(
    ("c_shape", "h_shape", "message"),
    [
        ((2, 5), (2, 4), r"Received state\.c of shape \(2, 5\), expected \(2, 4\)"),
        ((2, 4), (2, 3), r"Received state\.h of shape \(2, 3\), expected \(2, 4\)"),
        ((3, 4), (3, 4), r"Received state\.c of shape \(3, 4\), expected \(2, 4\)"),
    ],
)
def test_wrong_state(kind, c_shape, h_shape, message):
    """A state of another width or batch is refused, with the path to the leaf."""
    with pytest.raises(ValueError, match=message):
        kind(4)(tf.ones([2, 3]), (tf.zeros(c_shape), tf.zeros(h_shape)))


@EITHER
def test_one_tensor_where_two_are_due(kind):
    """A bare tensor is not an `LSTMStateTuple`."""
    with pytest.raises(ValueError, match=r"Expected state to be a tuple of length 2"):
        kind(4)(tf.ones([2, 3]), tf.zeros([2, 8]))


@EITHER
def test_two_tensors_where_one_is_due(kind):
    """A pair is not a concatenated state."""
    cell = kind(4, state_is_tuple=False)
    with pytest.raises(ValueError, match=r"expected one tensor of size 8"):
        cell(tf.ones([2, 3]), (tf.zeros([2, 4]), tf.zeros([2, 4])))


def test_argument_order():
    """Arguments come in TF1's order."""
    basic = BasicLSTMCell(3, 0.5, False, "relu", None, "first", "float64")
    assert (basic.forget_bias, basic.state_is_tuple, basic.name) == (0.5, False, "first")
    full = LSTMCell(
        3, True, 0.1, "ones", 2, 0.2, None, None, 0.5, False, "relu", None, "second", "float64"
    )
    assert (full.use_peepholes, full.cell_clip, full.num_proj, full.proj_clip) == (
        True,
        0.1,
        2,
        0.2,
    )
    assert (full.forget_bias, full.state_is_tuple, full.name) == (0.5, False, "second")
    assert full.compute_dtype == basic.compute_dtype == "float64"
    assert full.activation.__name__ == basic.activation.__name__ == "relu"


@pytest.mark.parametrize(
    "option",
    [{"num_proj": 2}, {"use_peepholes": True}, {"cell_clip": 1.0}, {"proj_clip": 1.0}],
    ids=str,
)
def test_options_that_the_basic_cell_does_not_have(option):
    """As in TF1: they would be lost when the cell is saved."""
    with pytest.raises(TypeError, match=f"{next(iter(option))}.*use LSTMCell"):
        BasicLSTMCell(4, **option)
