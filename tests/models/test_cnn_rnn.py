"""Convolutions and what reads them: sizes by hand, numbers in float64, errors."""

import keras
import numpy as np
import pytest

from rnn_mnist_tf.models import (
    build_cldnn,
    build_cnn,
    build_cnn_rnn,
    build_model,
    build_rnn,
    make_cell,
)
from rnn_mnist_tf.models.convolution import convolve, feature_shape, parse_filters
from rnn_mnist_tf.training import TrainConfig
from tests import reference

# Blocks of 2, 3, 4 filters over gray images: 9 1 2 + 8 = 26; 9 2 3 + 12 = 66; 9 3 4 + 16 = 124.
BLOCKS = {1: 26, 2: 92, 3: 216}


def randomise(model):
    """Gives a model weights that are all random, and variances that are positive."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        drawn = random.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(drawn) + 0.1 if "variance" in variable.path else drawn)
    return model


def make_images(*shape):
    """Three random images."""
    return np.random.default_rng(1).integers(0, 256, (3, *shape)).astype(np.uint8)


def convolve_float64(model, values, blocks):
    """The features of the blocks in float64, without any library."""
    features = np.asarray(values, np.float64)
    for block in range(1, blocks + 1):
        kernel = np.asarray(model.get_layer(f"convolution_{block}").kernel, np.float64)
        gamma, beta, mean, variance = (
            np.asarray(value, np.float64)
            for value in model.get_layer(f"normalisation_{block}").get_weights()
        )
        height, width = features.shape[1:3]
        padded = np.pad(features, [(0, 0), (1, 1), (1, 1), (0, 0)])
        features = sum(
            padded[:, r : r + height, c : c + width] @ kernel[r, c]
            for r in range(3)
            for c in range(3)
        )
        features = (features - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        features = np.maximum(features, 0)
        if block % 2 == 0:
            cut = features[:, : height // 2 * 2, : width // 2 * 2]
            features = np.max([cut[:, r::2, c::2] for r in (0, 1) for c in (0, 1)], axis=0)
    return features


def lstm_float64(layer, sequence):
    """The outputs of a layer's LSTM over `[batch, time, features]` in float64."""
    cell = layer.cell
    named = reference.named_weights(cell)
    zeros = np.zeros((len(sequence), cell.output_size))
    outputs, _ = reference.unroll(
        lambda inputs, state: reference.lstm_step(inputs, state, named), sequence, (zeros, zeros)
    )
    return outputs


def dense_float64(model, name, features):
    """A dense layer in float64."""
    kernel, bias = (np.asarray(value, np.float64) for value in model.get_layer(name).get_weights())
    return features @ kernel + bias


@pytest.mark.parametrize("shape", [(6, 5), (7, 4, 1), (5, 6, 3)])
@pytest.mark.parametrize("tap", [1, 2, 3, 4])
def test_features_equal_float64(shape, tap):
    """Each tap's features; an odd row or column is dropped by the pooling."""
    inputs = keras.Input(shape)
    model = randomise(keras.Model(inputs, convolve(inputs, (2, 3, 4, 2), tap)))
    values = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    expected = convolve_float64(model, values.reshape(3, *(*shape, 1)[:3]), tap)
    assert expected.shape[1:] == feature_shape(shape, (2, 3, 4, 2), tap) == model.output_shape[1:]
    np.testing.assert_allclose(model(values), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=f"convolution_{tap + 1}"):
        model.get_layer(f"convolution_{tap + 1}")


def test_dropout_is_of_pooled_features():
    """In training each is kept with its probability, and scaled up; each pooling draws apart."""
    inputs = keras.Input((28, 28))
    model = keras.Model(inputs, convolve(inputs, (2, 3, 4, 3, 2), 5, feature_keep_prob=0.25))
    values = np.random.default_rng(1).normal(size=(20, 28, 28)).astype(np.float32)
    for block, following in ((2, "convolution_3"), (4, "convolution_5")):
        outputs = [model.get_layer(f"pool_{block}").output, model.get_layer(following).input]
        around = keras.Model(inputs, outputs)
        pooled, dropped = (value.numpy() for value in around(values, training=True))
        kept = dropped != 0
        np.testing.assert_allclose(dropped[kept], pooled[kept] / 0.25, rtol=1e-5)
        assert 0.23 < kept[pooled != 0].mean() < 0.27
        np.testing.assert_array_equal(*around(values, training=False))
    assert model.get_layer("dropout_2").seed != model.get_layer("dropout_4").seed


def test_statistics_settle_within_fifty_steps():
    """Then an answer in training and one afterwards are nearly the same."""
    inputs = keras.Input((6, 5))
    model = keras.Model(inputs, convolve(inputs, (2, 3), 2))
    values = np.random.default_rng(1).normal(5, 3, (20, 6, 5)).astype(np.float32)
    assert np.abs(model(values) - model(values, training=True)).max() > 1
    for _ in range(50):
        features = model(values, training=True)
    np.testing.assert_allclose(model(values), features, atol=0.1)


@pytest.mark.parametrize("serialize", ["rows", "columns", "positions"])
def test_cnn_rnn_equals_float64(serialize):
    """Features, sequence, two directions, hidden layer, logits."""
    cells = [make_cell("basic_lstm", 4, 1) for _ in range(2)]
    model = randomise(
        build_cnn_rnn((6, 4), 3, *cells, filters=(2, 3), tap=2, serialize=serialize, dense_units=5)
    )
    images = make_images(6, 4)
    features = convolve_float64(model, images[..., None] / 255, 2)
    if serialize == "columns":
        features = features.transpose(0, 2, 1, 3)
    steps = features.shape[1] if serialize != "positions" else 6
    sequence = features.reshape(3, steps, -1)
    forward = lstm_float64(model.get_layer("rnn"), sequence)[:, -1]
    backward = lstm_float64(model.get_layer("rnn_backward"), sequence[:, ::-1])[:, -1]
    hidden = dense_float64(model, "hidden", np.concatenate([forward, backward], 1))
    expected = dense_float64(model, "logits", np.maximum(hidden, 0))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)


def test_cldnn_equals_float64():
    """The reduction is linear and the same for every step."""
    model = randomise(
        build_cldnn(
            (6, 4),
            3,
            make_cell("basic_lstm", 4, 1),
            dense_units=5,
            filters=(2, 3),
            tap=2,
            reduction=3,
        )
    )
    images = make_images(6, 4)
    sequence = convolve_float64(model, images[..., None] / 255, 2).reshape(3, 3, 6)
    reduced = dense_float64(model, "reduction", sequence)
    assert reduced.min() < 0 < reduced.max()
    last = lstm_float64(model.get_layer("rnn"), reduced)[:, -1]
    hidden = np.maximum(dense_float64(model, "hidden", last), 0)
    expected = dense_float64(model, "logits", hidden)
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", ["last", "mean"])
def test_cnn_equals_float64(head):
    """All features side by side, or their mean over positions."""
    model = randomise(build_cnn((6, 4), 3, 300, filters=(2, 3), tap=2, head=head))
    images = make_images(6, 4)
    features = convolve_float64(model, images[..., None] / 255, 2)
    features = features.reshape(3, -1) if head == "last" else features.mean(axis=(1, 2))
    hidden = np.maximum(dense_float64(model, "hidden", features), 0)
    expected = dense_float64(model, "logits", hidden)
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)


def build(shape=(8, 8), num_classes=10, **options):
    """Builds a small model of a configuration."""
    small = {"model": "cnn_rnn", "num_units": 5, "num_layers": 1}
    if options.get("model") != "rnn":
        small |= {"filters": "2,3,4", "tap": 3}
    return build_model(TrainConfig(**{**small, **options}), shape, num_classes)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # 4 x 4 x 4 features; rows of 16: (16 + 5) 20 + 20 = 440; 5 10 + 10 = 60
        ({}, BLOCKS[3] + 500),
        # rows of 4 3 = 12: (12 + 5) 20 + 20 = 360
        ({"tap": 2}, BLOCKS[2] + 420),
        # 8 x 8 x 2: rows of 16
        ({"tap": 1}, BLOCKS[1] + 500),
        # positions of 4: (4 + 5) 20 + 20 = 200
        ({"serialize": "positions"}, BLOCKS[3] + 260),
        # both directions: 2 440; 10 10 + 10 = 110
        ({"bidirectional": True, "serialize": "both"}, BLOCKS[3] + 990),
        # dropout has none
        ({"feature_keep_prob": 0.5}, BLOCKS[3] + 500),
        # hidden 5 6 + 6 = 36; 6 10 + 10 = 70
        ({"dense_units": 6, "dense_keep_prob": 0.5}, BLOCKS[3] + 440 + 106),
        # attention 5 5 + 5 + 5 = 35
        ({"head": "attention"}, BLOCKS[3] + 535),
        # GRU (16 + 5) 15 + 15 = 330; second layer (5 + 5) 15 + 15 = 165; 60
        ({"cell": "gru", "num_layers": 2}, BLOCKS[3] + 555),
        # colour: 9 2 2 = 36 more weights of the first block
        ({"grayscale": "none", "shape": (8, 8, 3)}, BLOCKS[3] + 536),
        # reduction 16 3 + 3 = 51; (3 + 5) 20 + 20 = 180; hidden 5 5 + 5 = 30; 60
        ({"model": "cldnn", "reduction": 3}, BLOCKS[3] + 321),
        # ... hidden 5 7 + 7 = 42; 7 10 + 10 = 80
        ({"model": "cldnn", "reduction": 3, "dense_units": 7}, BLOCKS[3] + 353),
        # budget 500 less 10 logits' biases; a unit has 64 + 1 + 10 = 75: 6 units, 450
        ({"model": "cnn"}, BLOCKS[3] + 460),
        # mean over positions: a unit has 4 + 1 + 10 = 15: 32 units, 480
        ({"model": "cnn", "head": "mean"}, BLOCKS[3] + 490),
        # rnn of rows of 8: (8 + 40) 160 + 160 = 7840; 40 10 + 10 = 410; 8250 less 216 less 10 is
        # 8024: 106 units of 75
        ({"model": "cnn", "budget_model": "rnn", "num_units": 40}, BLOCKS[3] + 7960),
    ],
)
def test_parameters(options, parameters):
    """They add up as the options say."""
    assert build(**options).count_params() == parameters


def test_a_first_try():
    """63,264 of the blocks, (448 + 96) 384 + 384 = 209,280 twice, 192 10 + 10 = 1,930."""
    config = TrainConfig(model="cnn_rnn", num_units=96, num_layers=1, bidirectional=True)
    assert build_model(config, (28, 28), 10).count_params() == 483_754


@pytest.mark.parametrize("head", ["last", "mean", "attention"])
@pytest.mark.parametrize("budget_model", ["cnn_rnn", "rnn"])
@pytest.mark.parametrize("num_units", [13, 30])
def test_the_control_spends_its_budget(num_units, budget_model, head):
    """It has no more parameters than the other model, and one unit more would be too many."""
    options = {"head": head, "num_units": num_units, "bidirectional": True, "dense_units": 6}
    budget = build(model=budget_model, **options).count_params()
    control = build(model="cnn", budget_model=budget_model, **options)
    unit = control.get_layer("hidden").kernel.shape[0] + 1 + 10
    assert budget - unit < control.count_params() <= budget


@pytest.mark.parametrize("filters", ["", "32,", "32,,48", "a", "0", "-1", "3.5", "32;48"])
def test_filters_that_are_none(filters):
    """The error has the text and an example."""
    with pytest.raises(ValueError, match=r"filters=.*such as 32,48,48,64"):
        parse_filters(filters)


@pytest.mark.parametrize(("text", "filters"), [("8", (8,)), (" 3, 4 ,5", (3, 4, 5))])
def test_filters(text, filters):
    """Spaces do not matter."""
    assert parse_filters(text) == filters


def test_a_cell_that_cuts_its_steps():
    """Four windows of rows of 4 x 1 features."""
    assert build(cell="grid_lstm", filters="2,3,1").output_shape == (None, 10)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((8, 8), {"tap": 4}, "tap=4, expected a block from 1 to 3"),
        ((1, 8), {"tap": 2}, "tap=2 for images of 1 x 8, expected at least 2 x 2"),
        ((3, 3), {"filters": "1,1,1,1", "tap": 4}, "expected at least 4 x 4"),
        ((8, 8), {"tap": 1, "feature_keep_prob": 0.5}, "feature_keep_prob=0.5 and tap=1"),
        ((8, 6), {"serialize": "both"}, "4 x 3"),
        ((8, 8), {"filters": "8;8"}, "filters='8;8'"),
        ((8, 8), {"cell": "grid_lstm", "serialize": "positions", "tap": 2}, "3 features"),
        # blocks 216; LSTM (4 + 1) 4 + 4 = 24; 1 10 + 10 = 20; a unit has 64 + 1 + 10, and 10
        (
            (8, 8),
            {"model": "cnn", "num_units": 1, "serialize": "positions"},
            "budget of 260 .* expected at least 301",
        ),
    ],
)
def test_models_that_cannot_be_built(shape, options, message):
    """The error says what would do."""
    with pytest.raises(ValueError, match=message) as caught:
        build(shape, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("builder", ["rnn", "cnn_rnn", "cnn", "cldnn"])
def test_unknown_heads(builder):
    """Every builder refuses one."""
    cell = make_cell("gru", 4, 1)
    calls = {
        "rnn": lambda: build_rnn((8, 8), 10, cell, head="first"),
        "cnn_rnn": lambda: build_cnn_rnn((8, 8), 10, cell, head="first"),
        "cnn": lambda: build_cnn((8, 8), 10, 10**6, head="first"),
        "cldnn": lambda: build_cldnn((8, 8), 10, cell, dense_units=4, head="first"),
    }
    with pytest.raises(ValueError, match=r"head='first'.*last.*mean.*attention"):
        calls[builder]()
