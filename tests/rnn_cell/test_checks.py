"""What cells are given: initialisers of TensorFlow 1, inputs, bounds, cells of a user's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.keras import activations as tf1_activations

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicRNNCell,
    DropoutWrapper,
    GridLSTMCell,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    RNNCell,
    checks,
)

INPUTS = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("initializer", "low", "high"),
    [
        (tf.compat.v1.random_uniform_initializer(0.1, 0.2), 0.1, 0.2),
        (tf.compat.v1.random_uniform_initializer(0.9), 0.9, 1.0),
        (tf.compat.v1.constant_initializer(0.3), 0.3, 0.3),
        (tf.compat.v1.ones_initializer(), 1.0, 1.0),
        (tf.compat.v1.truncated_normal_initializer(5.0, 0.1), 4.8, 5.2),
    ],
)
def test_initializers_of_tensorflow_1(initializer, low, high):
    """They draw what they say, and the cell can be saved."""
    cell = LSTMCell(4, initializer=initializer)
    cell.build((None, 3))
    again = LSTMCell.from_config(cell.get_config())
    again.build((None, 3))
    for kernel in (cell.kernel, again.kernel):
        assert low - 1e-6 <= np.min(kernel) <= np.max(kernel) <= high + 1e-6


def test_a_function_as_initializer():
    """Any function of shape and dtype will do."""
    cell = GRUCell(2, kernel_initializer=lambda shape, dtype=None: tf.fill(shape, 0.25))
    cell.build((None, 1))
    np.testing.assert_array_equal(cell.candidate_kernel, 0.25)


class Scaling(RNNCell):
    """A user's cell with one variable."""

    state_size = output_size = 3

    def build(self, inputs_shape):
        """Makes the variable."""
        self.factor = self.add_weight(name="factor", shape=(), initializer="ones")

    def call(self, inputs, state):
        """Adds the scaled inputs."""
        total = state + self.factor * inputs
        return total, total


class Linear(RNNCell):
    """A user's cell of TF1, which gives names first, as TF1 has them."""

    state_size = output_size = 4

    def build(self, inputs_shape):
        """Makes the variables."""
        depth = int(inputs_shape[-1])
        self.kernel = self.add_variable("kernel", shape=[depth, 4])
        self.bias = self.add_variable("bias", [4], tf.float32, tf.compat.v1.ones_initializer())
        self.gain = self.add_weight("gain", (4,), initializer="ones", trainable=False)
        self.built = True

    def call(self, inputs, state):
        """Adds the product of inputs and kernel."""
        state = self.gain * (state + tf.matmul(inputs, self.kernel) + self.bias)
        return state, state


def test_variables_of_a_tf1_cell_of_a_user():
    """Names come first in TF1, shapes in Keras; both orders make the same variables."""
    cell = Linear()
    outputs, state = dynamic_rnn(cell, INPUTS, dtype=tf.float32)
    expected = np.sum(INPUTS @ np.asarray(cell.kernel) + 1, axis=1)
    np.testing.assert_allclose(state, expected, rtol=1e-5)
    np.testing.assert_array_equal(outputs[:, -1], state)
    names = ["rnn/linear/kernel", "rnn/linear/bias", "rnn/linear/gain"]
    assert list(cell.tf1_variables()) == names
    assert [variable.name for variable in cell.trainable_variables] == ["kernel", "bias"]
    keras_order = RNNCell().add_weight((2, 3), "ones", "float64", False)
    assert (keras_order.shape, keras_order.dtype) == ((2, 3), "float64")
    np.testing.assert_array_equal(keras_order, 1.0)


def test_too_many_arguments_of_a_variable():
    """None of them is dropped."""
    with pytest.raises(TypeError, match="Received 7 arguments without a name, expected at most 6"):
        RNNCell().add_variable("kernel", [1], "float32", "ones", None, True, "seventh")


def test_an_argument_of_a_variable_twice():
    """Neither of the two is taken for the other."""
    with pytest.raises(TypeError, match="Received shape by place and by name"):
        RNNCell().add_weight((2, 3), shape=(4,))


def test_tf1_s_default_is_trainable():
    """In TF1 None means yes."""
    assert RNNCell().add_variable("kernel", [2], trainable=None).trainable


@pytest.mark.parametrize("cell", [GRUCell(3), AttentionCellWrapper(GRUCell(3), 2)])
def test_nested_inputs(cell):
    """A cell of matrices that is given several says so."""
    inputs = [tf.ones([2, 3]), tf.ones([2, 3])]
    with pytest.raises(ValueError, match=r"Received nested inputs of shapes .* expected one"):
        cell(inputs, cell.zero_state(2, tf.float32))


@pytest.mark.parametrize("nest", ["step", "loop"])
def test_complex_inputs(nest):
    """They are refused: Keras would lose their imaginary part."""
    cell, inputs = GRUCell(3), tf.ones([2, 5, 3], tf.complex64)
    with pytest.raises(ValueError, match="Received inputs of dtype complex64"):
        if nest == "step":
            cell(inputs[:, 0], cell.zero_state(2, tf.float32))
        else:
            dynamic_rnn(cell, inputs, dtype=tf.float32)


@pytest.mark.parametrize("make_cell", [LSTMCell, GridLSTMCell])
@pytest.mark.parametrize("number", [np.float32, np.float64, np.int64, int])
def test_clips_of_any_number_type(make_cell, number):
    """NumPy's numbers are numbers, and are saved as such."""
    options = {"num_frequency_blocks": [1]} if make_cell is GridLSTMCell else {}
    cell = make_cell(3, cell_clip=number(2), **options)
    assert type(cell.get_config()["cell_clip"]) is float
    assert make_cell.from_config(cell.get_config()).cell_clip == 2.0


@pytest.mark.parametrize("make_cell", [LSTMCell, GridLSTMCell])
@pytest.mark.parametrize("clip", [-1.0, np.nan, True, "1", 1j])
def test_wrong_clips(make_cell, clip):
    """What is no number of at least 0 is refused."""
    options = {"num_frequency_blocks": [1]} if make_cell is GridLSTMCell else {}
    with pytest.raises(ValueError, match=r"Received cell_clip=.*expected None or a number"):
        make_cell(3, cell_clip=clip, **options)


class Summing:
    """A cell by its methods alone."""

    state_size = output_size = 3

    def zero_state(self, batch_size, dtype):
        """Zeros."""
        return tf.zeros([batch_size, 3], dtype)

    def __call__(self, inputs, state):
        """Adds the inputs."""
        return state + inputs, state + inputs


def test_names_of_a_users_cell():
    """A user's cell has the names that it gave its variables; a duck-typed one has none."""
    cell = MultiRNNCell([DropoutWrapper(Scaling()), Summing(), GRUCell(4)])
    outputs, _ = dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=False)
    assert outputs.shape == (2, 5, 4)
    names = list(cell.tf1_variables())
    assert names[0] == "rnn/multi_rnn_cell/cell_0/scaling/factor"
    assert names[1] == "rnn/multi_rnn_cell/cell_2/gru_cell/gates/kernel"
    assert list(AttentionCellWrapper(Summing(), 2).tf1_variables()) == []


def test_grid_without_starts_looks_at_no_ends():
    """As in TF1: one block over all of the inputs."""
    cell = GridLSTMCell(
        2, feature_size=1, frequency_skip=1, num_frequency_blocks=[3], end_freqindex_list=[2]
    )
    output, _ = cell(tf.ones([1, 3]), cell.zero_state(1, tf.float32))
    assert output.shape == (1, 12)


def test_keras_initializers_by_name():
    """Keras's names mean Keras's initialisers."""
    assert isinstance(
        GRUCell(2, kernel_initializer="orthogonal").kernel_initializer,
        keras.initializers.Orthogonal,
    )


X = np.linspace(-4, 4, 33).astype(np.float32)


def test_hard_sigmoid_is_tf1_s():
    """The name means TF1's function, Keras 3's has to be given itself; both are saved as such."""
    line = np.clip(0.2 * X + 0.5, 0, 1)
    np.testing.assert_allclose(checks.hard_sigmoid(X), line, rtol=1e-6)
    np.testing.assert_allclose(tf1_activations.get("hard_sigmoid")(tf.constant(X)), line, rtol=1e-6)
    for given, function in (
        ("hard_sigmoid", checks.hard_sigmoid),
        (keras.activations.hard_sigmoid, keras.activations.hard_sigmoid),
        (keras.ops.hard_sigmoid, keras.activations.hard_sigmoid),
    ):
        cell = BasicRNNCell(4, activation=given)
        assert cell.activation is function
        assert BasicRNNCell.from_config(cell.get_config()).activation is function
