"""From images to logits: every image answered, few of them in one piece, many side by side."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training import TrainConfig, make_predictor

PARTS = 3
FEWEST = PARTS * 16  # that are split: 16 images a part


@pytest.fixture
def three_workers(monkeypatch):
    """Three operations can run side by side, one thread each."""
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: 1)
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: PARTS)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 20])
def test_every_image_is_answered(mnist5k, count):
    """Whatever the batch size, each image has its own logits, in order."""
    model = build_model(TrainConfig(cell="gru", num_units=6, num_layers=1), (28, 28), 10)
    images = mnist5k.train_images[:count]
    logits = make_predictor(model, batch_size=7)(images)
    assert logits.shape == (count, 10)
    np.testing.assert_allclose(logits, model(images), atol=1e-5)


class Recorder(keras.layers.Layer):
    """Writes down each time that it becomes a part of a graph."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = 0

    def call(self, values):
        """Counts."""
        self.calls += 1
        return values


@pytest.fixture
def recorder():
    """A layer that counts."""
    return Recorder()


@pytest.fixture
def model(recorder):
    """A model with batch statistics that training has moved."""
    images = keras.Input((4, 4), dtype="uint8")
    values = keras.layers.Flatten()(recorder(images))
    values = keras.layers.BatchNormalization()(keras.ops.cast(values, "float32"))
    model = keras.Model(images, keras.layers.Dense(3)(values))
    model(np.random.default_rng(1).integers(0, 256, (20, 4, 4), np.uint8), training=True)
    return model


def images_of(count):
    """Some images of noise."""
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4), np.uint8)


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1, FEWEST, 2 * FEWEST + 1])
def test_few_images_stay_whole(three_workers, model, recorder, count):
    """A graph of one piece below 16 images a part, a piece a part from there, traced once."""
    predict = make_predictor(model)
    expected = model(images_of(count), training=False)
    recorder.calls = 0
    for _ in range(2):
        np.testing.assert_allclose(predict(images_of(count)), expected, atol=1e-5)
    assert recorder.calls == (PARTS if count >= FEWEST else 1)


def test_both_graphs_follow_the_weights(three_workers, model):
    """What was traced before a weight changed answers with the changed one."""
    predict = make_predictor(model)
    before = [predict(images_of(count)) for count in (1, FEWEST)]
    bias = model.layers[-1].bias
    bias.assign_add([1.0, 2.0, 3.0])
    for count, logits in zip((1, FEWEST), before, strict=True):
        expected = logits + np.array([1, 2, 3])
        np.testing.assert_allclose(predict(images_of(count)), expected, atol=1e-5)


def test_orders_are_drawn_alike(mnist5k):
    """Of a model that draws orders two predictors say the same, whatever was drawn before."""
    config = TrainConfig(scan="shuffled_rows", cell="gru", num_units=6, num_layers=1)
    model = build_model(config, (28, 28), 10)
    images = mnist5k.train_images[:20]
    predict = make_predictor(model, batch_size=7)
    logits = predict(images)
    model(images)  # draws too
    np.testing.assert_array_equal(predict(images), logits)
    np.testing.assert_array_equal(make_predictor(model, batch_size=7)(images), logits)
    assert np.max(np.abs(logits[:7] - predict(images[7:14]))) > 0


def test_orders_are_the_same_on_any_number_of_cores(request, mnist5k):
    """A model that draws them is not split: each part would draw for itself."""
    config = TrainConfig(scan="shuffled_rows", cell="gru", num_units=6, num_layers=1)
    model = build_model(config, (28, 28), 10)
    images = mnist5k.train_images[:200]
    logits = make_predictor(model)(images)
    request.getfixturevalue("three_workers")
    np.testing.assert_array_equal(make_predictor(model)(images), logits)
