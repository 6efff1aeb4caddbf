"""Answers to several views: against a loop over them in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.models.views import answer_views
from rnn_mnist_tf.serving import export_saved_model
from rnn_mnist_tf.training import TrainConfig, Trainer
from rnn_mnist_tf.training.predictor import make_predictor
from tests.views import mean_over_shifts

SHAPES = [(6, 5), (6, 5, 3)]
CONVOLVED = {"model": "cnn_rnn", "filters": "2,3", "tap": 2}
MODELS = [
    {"model": "rnn"},
    CONVOLVED,
    {**CONVOLVED, "model": "cnn"},
    {**CONVOLVED, "model": "cldnn", "reduction": 3},
    {"model": "renet", "patch_size": 1},
]


def make_config(**options):
    """A configuration of a model that takes no time."""
    return TrainConfig(**{"cell": "gru", "num_units": 4, "num_layers": 1, **options})


def make_pair(shape=(6, 5), **options):
    """A model, and one with its weights whose answers are means over views."""
    plain = build_model(make_config(grayscale="none", **options), shape, 3)
    viewing = build_model(make_config(grayscale="none", views="shifts", **options), shape, 3)
    random = np.random.default_rng(0)
    plain.set_weights([w + random.uniform(0, 0.5, w.shape) for w in plain.get_weights()])
    viewing.set_weights(plain.get_weights())
    return plain, viewing


def make_images(count=4, shape=(6, 5)):
    """Random images, white up to their edges."""
    return np.random.default_rng(1).integers(100, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("options", MODELS, ids=lambda options: options["model"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_answer_is_the_mean_over_the_views(shape, options):
    """Of the logarithms of probabilities, for any number of images, eagerly and in a graph."""
    plain, viewing = make_pair(shape, **options)
    images = make_images(shape=shape)
    expected = mean_over_shifts(plain, images)
    signature = [tf.TensorSpec((None, *shape), tf.uint8)]
    for answer in (viewing, tf.function(viewing, input_signature=signature)):
        for count in (0, 1, 4):
            np.testing.assert_allclose(answer(images[:count]), expected[:count], atol=1e-5)
    assert np.abs(expected - np.asarray(plain(images))).max() > 1e-2
    np.testing.assert_allclose(make_predictor(viewing, 3)(images), expected, atol=1e-5)


def test_in_training_an_image_is_one_view():
    """The logits and their gradients are the model's own, and so are its statistics."""
    plain, viewing = make_pair(**CONVOLVED)
    images = make_images()
    results = []
    for model in (plain, viewing):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
        gradients = tape.gradient(logits, [w.value for w in model.trainable_variables])
        results.append([logits, *gradients, *model.get_weights()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_views_goes_through_files(tmp_path):
    """Its weights, its configuration, a whole Keras file and a SavedModel."""
    _, viewing = make_pair(**CONVOLVED)
    images = make_images()
    expected = viewing(images)
    viewing.save_weights(tmp_path / "model.weights.h5")
    again = build_model(make_config(grayscale="none", views="shifts", **CONVOLVED), (6, 5), 3)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(images), expected)
    viewing.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.models.load_model(tmp_path / "model.keras")(images), expected
    )
    assert export_saved_model(viewing, tmp_path / "served", images) <= 1e-5


def test_unknown_views():
    """The error names those there are."""
    with pytest.raises(ValueError, match=r"'flips'.*shifts"):
        answer_views(make_pair()[0], "flips")


def test_views_have_no_part_in_training():
    """The same run gives the same weights, to the bit, with whatever answers it is tested."""
    options = {"dense_keep_prob": 0.5, "augment_shift": 0.2, "ema_momentum": 0.9, "epochs": 2}
    labels = np.arange(8) % 3
    results = []
    for views in ("one", "shifts"):
        config = make_config(views=views, batch_size=4, **options, **CONVOLVED)
        trainer = Trainer(config, make_images(8), labels, 3)
        assert trainer.fit()
        results.append(trainer.model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
