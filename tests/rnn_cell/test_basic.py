"""`BasicRNNCell` and `GRUCell` against the reference; their variables, defaults and errors."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf.rnn_cell import BasicRNNCell, GRUCell
from tests import reference
from tests.rnn_cell.stepping import (
    assert_same_steps,
    few_examples,
    make_float64,
    named_shapes,
    randomise,
    relu,
    weights_below,
)

STEPS = {BasicRNNCell: reference.basic_rnn_step, GRUCell: reference.gru_step}
SCOPES = {BasicRNNCell: "basic_rnn_cell", GRUCell: "gru_cell"}
EITHER = pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)
ACTIVATIONS = {
    "none": (None, np.tanh),
    "empty": ("", np.tanh),
    "name": ("relu", relu),
    "keras_name": ("softsign", lambda x: x / (1 + np.abs(x))),
    "tensorflow": (tf.nn.relu, relu),
    "own": (lambda x: 0.5 * x, lambda x: 0.5 * x),
}


def assert_like_reference(cell, depth, batch=3, activation=np.tanh):
    """Asserts that a cell agrees with the reference for random weights."""
    kind = type(cell)
    randomise(make_float64(cell, depth))
    weights = weights_below(cell, SCOPES[kind])
    step = functools.partial(STEPS[kind], weights=weights, activation=activation)
    assert_same_steps(cell, step, depth, batch)


@EITHER
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
def test_steps(kind, activation):
    """Outputs and states are the reference's, with every kind of activation."""
    ours, expected = activation
    assert_like_reference(kind(4, activation=ours), 3, activation=expected)


@few_examples
@given(
    kind=st.sampled_from(list(STEPS)),
    units=st.integers(1, 6),
    depth=st.integers(1, 5),
    batch=st.integers(1, 4),
)
def test_sizes(kind, units, depth, batch):
    """Outputs and states are the reference's, whatever the sizes."""
    assert_like_reference(kind(units), depth, batch)


@EITHER
def test_sizes_are_bare(kind):
    """State and output are one tensor of `num_units`."""
    cell = kind(5)
    assert (cell.state_size, cell.output_size) == (5, 5)
    assert cell.zero_state(2, tf.float32).shape == (2, 5)


@EITHER
def test_output_is_the_state(kind):
    """The output equals the new state."""
    output, state = kind(4)(tf.ones([2, 3]), tf.ones([2, 4]))
    np.testing.assert_array_equal(output, state)


def test_basic_rnn_variables():
    """Names and shapes are TF1's."""
    assert named_shapes(make_float64(BasicRNNCell(4), 3)) == [
        ("rnn/basic_rnn_cell/kernel", (7, 4)),
        ("rnn/basic_rnn_cell/bias", (4,)),
    ]


def test_gru_variables():
    """Names and shapes are TF1's."""
    assert named_shapes(make_float64(GRUCell(4), 3)) == [
        ("rnn/gru_cell/gates/kernel", (7, 8)),
        ("rnn/gru_cell/gates/bias", (8,)),
        ("rnn/gru_cell/candidate/kernel", (7, 4)),
        ("rnn/gru_cell/candidate/bias", (4,)),
    ]


def test_default_biases():
    """Biases start at 0, those of the GRU's gates at 1."""
    basic, gru = make_float64(BasicRNNCell(2), 3), make_float64(GRUCell(2), 3)
    np.testing.assert_array_equal(basic.bias, [0, 0])
    np.testing.assert_array_equal(gru.gates_bias, [1, 1, 1, 1])
    np.testing.assert_array_equal(gru.candidate_bias, [0, 0])


def assert_glorot(kernel):
    """Asserts uniform numbers up to Glorot's limit for the whole matrix."""
    limit = np.sqrt(6 / sum(kernel.shape))
    largest = np.max(np.abs(kernel))
    assert 0.98 * limit < largest <= limit


def test_default_kernels():
    """Kernels start as Glorot uniform over the whole matrix, all gates together."""
    basic, gru = make_float64(BasicRNNCell(40), 30), make_float64(GRUCell(40), 30)
    for kernel in (basic.kernel, gru.gates_kernel, gru.candidate_kernel):
        assert_glorot(kernel.numpy())


def test_gru_kernels_start_apart():
    """Gates and candidate start with numbers that have nothing to do with each other."""
    cell = make_float64(GRUCell(40), 30)
    gates, candidate = cell.gates_kernel.numpy().ravel(), cell.candidate_kernel.numpy().ravel()
    assert abs(np.corrcoef(gates[: candidate.size], candidate)[0, 1]) < 0.1


def test_gru_initializers():
    """A given initialiser covers both kernels, or both biases."""
    cell = GRUCell(
        2,
        kernel_initializer=tf.constant_initializer(0.25),
        bias_initializer=tf.constant_initializer(-2.0),
    )
    make_float64(cell, 3)
    np.testing.assert_array_equal(cell.gates_kernel, np.full((5, 4), 0.25))
    np.testing.assert_array_equal(cell.candidate_kernel, np.full((5, 2), 0.25))
    np.testing.assert_array_equal(cell.gates_bias, np.full(4, -2.0))
    np.testing.assert_array_equal(cell.candidate_bias, np.full(2, -2.0))


def test_basic_rnn_initializers():
    """Given initialisers are used."""
    cell = BasicRNNCell(2, kernel_initializer="ones", bias_initializer="ones")
    make_float64(cell, 1)
    np.testing.assert_array_equal(cell.kernel, np.ones((3, 2)))
    np.testing.assert_array_equal(cell.bias, np.ones(2))


@EITHER
@pytest.mark.parametrize("units", [0, -1, 2.5, "4", None, True])
def test_wrong_units(kind, units):
    """A size that is not a positive whole number is refused at once."""
    with pytest.raises(ValueError, match=r"Received num_units=.*expected a positive integer"):
        kind(units)


@EITHER
def test_numpy_units(kind):
    """A size may be NumPy's integer."""
    assert kind(np.int64(3)).state_size == 3


@EITHER
def test_reuse(kind):
    """Sharing by name is refused, with the way to share; a false `reuse` is taken."""
    assert kind(3, reuse=False).num_units == 3
    with pytest.raises(ValueError, match=r"Received reuse=True.*same cell object again"):
        kind(3, reuse=True)


def test_argument_order():
    """Arguments come in TF1's order."""
    basic = BasicRNNCell(3, "relu", None, "first", "float64")
    gru = GRUCell(3, "relu", None, "ones", "zeros", "second", "float64")
    assert (basic.name, basic.compute_dtype) == ("first", "float64")
    assert (gru.name, gru.compute_dtype) == ("second", "float64")
    assert gru.kernel_initializer.__class__.__name__ == "Ones"
    assert gru.activation.__name__ == basic.activation.__name__ == "relu"
