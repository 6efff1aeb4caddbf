"""Structures around the cells: sizes, the two interfaces with one set of weights, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.interop import to_keras_cell
from rnn_mnist_tf.models import build_rnn, make_cell
from rnn_mnist_tf.rnn_cell import DropoutWrapper, ResidualWrapper

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
# One LSTM of 12 on 28 features: (28 + 12) 48 + 48 = 1,968.
PARAMETERS = {
    # 2 x 1,968; dense 24 10 + 10
    "bidirectional": ({"bidirectional": True}, 4_186),
    # ... and over 24 features: W 24 24 + 24, v 24
    "attention_head": ({"bidirectional": True, "head": "attention"}, 4_810),
    "mean_head": ({"head": "mean"}, 2_098),
    # second layer (12 + 12) 48 + 48 = 1,200; the wrappers add nothing
    "wrappers": ({"num_layers": 2, "residual": True, "output_keep_prob": 0.5}, 3_298),
    # input (28 + 12) 28 + 28; LSTM 1,968; attn_w 144; attn_v 12; query 24 12 + 12;
    # output 24 12 + 12; dense 130
    "attention_cell": ({"cell": "attention"}, 4_002),
    # two kernels (7 + 24) 48 + 48; dense 96 10 + 10
    "grid_cell": ({"cell": "grid_lstm"}, 4_042),
}


def build(bidirectional=False, head="last", num_layers=1, **options):
    """Builds a classifier of 12 units a layer."""
    cells = [make_cell(num_units=12, num_layers=num_layers, **options) for _ in range(2)]
    backward = cells[1] if bidirectional else None
    return build_rnn((28, 28), 10, cells[0], cell_bw=backward, head=head)


@pytest.mark.parametrize(("options", "parameters"), PARAMETERS.values(), ids=PARAMETERS.keys())
def test_parameters(options, parameters):
    """The number of weights is what the shapes of TF1's variables add up to."""
    model = build(**options)
    assert model.count_params() == parameters
    assert model(IMAGES).shape == (5, 10)


@pytest.mark.parametrize("cell", ["basic_rnn", "gru", "basic_lstm"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_both_interfaces_compute_the_same(cell, num_layers):
    """Keras's cells with this package's weights give this package's logits."""
    own_cell = make_cell(cell, 6, num_layers)
    own = build_rnn((28, 28), 10, own_cell)
    keras_cell = to_keras_cell(own_cell)
    other = build_rnn((28, 28), 10, keras_cell)
    other.get_layer("logits").set_weights(own.get_layer("logits").get_weights())
    expected = own(IMAGES).numpy()
    np.testing.assert_allclose(other(IMAGES), expected, atol=1e-5 * np.abs(expected).max())


def test_the_backward_stack_reads_the_image_upside_down():
    """The backward half of the features is the forward features of the flipped image."""
    model = build(bidirectional=True)
    model.get_layer("rnn_backward").cell.set_weights(model.get_layer("rnn").cell.get_weights())
    features = keras.Model(model.input, model.get_layer("both").output)
    forward, backward = tf.split(features(IMAGES), 2, axis=1)
    flipped, _ = tf.split(features(IMAGES[:, ::-1]), 2, axis=1)
    np.testing.assert_array_equal(backward, flipped)
    assert not np.allclose(forward, backward)


def test_dropout_is_off_unless_training():
    """Dropout follows Keras's flag inside a model."""
    model = build(output_keep_prob=0.5)
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES, training=False))
    assert not np.allclose(model(IMAGES, training=True), model(IMAGES, training=False))


def test_wrappers():
    """Dropout goes around every layer, the residual sum around each after the first."""
    first, second = make_cell("gru", 4, 2, residual=True, input_keep_prob=0.5).cells
    assert type(first) is DropoutWrapper
    assert type(second) is ResidualWrapper
    assert type(second.cell) is DropoutWrapper
    assert first.seed != second.cell.seed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api": "keras", "cell": "lstm"}, "cell='lstm' for api='keras'"),
        ({"api": "keras", "residual": True}, "residual for api='keras'"),
        ({"api": "torch"}, "api='torch'"),
        ({"cell": "grid_lstm", "input_size": 27}, "27 features"),
    ],
)
def test_what_does_not_go_together(options, message):
    """Options that a cell or an interface does not have are refused."""
    with pytest.raises(ValueError, match=message):
        make_cell(**options)


def test_unknown_head():
    """An unknown head is refused."""
    with pytest.raises(ValueError, match="head='first'"):
        build(head="first")
