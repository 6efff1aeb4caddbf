"""What cells are given: initialisers of TensorFlow 1, cells of a user's own, shared cells."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    DropoutWrapper,
    GridLSTMCell,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    RNNCell,
)

INPUTS = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("initializer", "low", "high"),
    [
        (tf.compat.v1.random_uniform_initializer(0.1, 0.2), 0.1, 0.2),
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


def test_shared_cells_stay_shared():
    """The same object twice is one set of variables, after `from_config` too."""
    cell = BasicLSTMCell(3)
    with pytest.warns(UserWarning, match="share"):
        stack = MultiRNNCell([cell, cell, BasicLSTMCell(3)])
    with pytest.warns(UserWarning, match="share"):
        again = MultiRNNCell.from_config(stack.get_config())
    assert again.cells[0] is again.cells[1]
    assert again.cells[1] is not again.cells[2]
    again.build((None, 3))
    assert len(again.weights) == 4
    assert again.get_config()["first_use"] == [0, 0, 2]


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
