"""One cell in several places: one set of variables, which saving does not multiply."""

import keras
import numpy as np
import pytest

from rnn_mnist_tf import DynamicRNN
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    DropoutWrapper,
    GRUCell,
    MultiRNNCell,
    ResidualWrapper,
)

INPUTS = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)


def one_cell_in_a_stack():
    """Returns a stack that holds one cell in two wrappers."""
    cell = GRUCell(4)
    return MultiRNNCell([ResidualWrapper(cell), DropoutWrapper(cell), BasicLSTMCell(4)])


def two_layers(cell):
    """Returns a model that runs one cell twice."""
    inputs = keras.Input((5, 4))
    outputs = DynamicRNN(cell, return_state=False)(inputs)
    return keras.Model(inputs, DynamicRNN(cell, return_state=False)(outputs))


def one_layer(cell):
    """Returns a model of one layer around a cell."""
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, DynamicRNN(cell, return_state=False)(inputs))


@pytest.mark.parametrize(
    ("make_model", "weights"),
    [
        (lambda: two_layers(GRUCell(4)), 4),
        (lambda: two_layers(MultiRNNCell([BasicLSTMCell(4), GRUCell(4)])), 6),
        (lambda: two_layers(AttentionCellWrapper(GRUCell(4), 2)), 8 + 4),
        (lambda: two_layers(keras.layers.LSTMCell(4)), 3),
        (lambda: one_layer(one_cell_in_a_stack()), 6),
    ],
    ids=["gru", "stack", "attention", "keras_cell", "two_wrappers"],
)
def test_saved_models_share_what_they_shared(make_model, weights, tmp_path):
    """A loaded model has as many weights and the same numbers, also after one step of training."""
    model = make_model()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)
    assert len(loaded.trainable_weights) == weights
    np.testing.assert_array_equal(loaded(INPUTS), model(INPUTS))
    for one in (model, loaded):
        one.compile("sgd", "mse")
        one.fit(INPUTS, np.ones_like(INPUTS), verbose=0)
    np.testing.assert_allclose(loaded(INPUTS), model(INPUTS), rtol=1e-6)


def test_different_cells_stay_different(tmp_path):
    """Two cells of one configuration are two cells again."""
    inputs = keras.Input((5, 4))
    outputs = DynamicRNN(GRUCell(4), return_state=False)(inputs)
    model = keras.Model(inputs, DynamicRNN(GRUCell(4), return_state=False)(outputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == 8
    np.testing.assert_array_equal(loaded(INPUTS), model(INPUTS))


def test_a_stack_from_its_configuration():
    """The same object twice in a stack is so outside of a saved model, too."""
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
