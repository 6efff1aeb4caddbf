"""Every model of the registry, with a tiny configuration: what all have in common."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import MODELS, READ_BY, build_model
from rnn_mnist_tf.serving import export_saved_model
from rnn_mnist_tf.training import TrainConfig, Trainer
from rnn_mnist_tf.training.predictor import seed_generators
from tests.modes import mostly_slow

TINY = {
    "num_units": 4,
    "num_layers": 1,
    "filters": "2,3,4",
    "tap": 2,
    "reduction": 3,
    "epochs": 1,
    "batch_size": 4,
}
CASES = {
    "rnn": {"blank_steps": 2, "dense_units": 3, "augment_shift": 0.2},
    "cnn_rnn": {"serialize": "both", "bidirectional": True},
    "cnn_rnn-keras": {"api": "keras", "serialize": "columns", "tap": 3, "feature_keep_prob": 0.5},
    "cnn_rnn-fresh": {"shuffle_steps": "fresh", "serialize": "positions", "head": "mean"},
    "cnn": {"dense_keep_prob": 0.5, "feature_keep_prob": 0.5},
    "cnn-attention": {"head": "attention", "budget_model": "rnn", "num_units": 10},
    "cldnn": {
        "head": "attention",
        "shuffle_steps": "fixed",
        "residual": True,
        "num_layers": 2,
        "feature_keep_prob": 0.5,
    },
    "renet": {
        "patch_size": 2,
        "cell": "gru",
        "num_layers": 2,
        "dense_units": 3,
        "augment_elastic": 0.1,
    },
    "renet-keras": {"patch_size": 2, "cell": "gru", "api": "keras"},
}
# Cells that take no kernel, whose graphs are slow to make.
OTHER_CELLS = {
    "cnn_rnn-grid": {"cell": "grid_lstm", "tap": 3},
    "cldnn-keras": {"api": "keras", "bidirectional": True, "num_layers": 2},
    "renet-attention": {"patch_size": 2, "cell": "attention", "output_keep_prob": 0.5},
}
every_case = pytest.mark.parametrize("case", CASES)
SHAPES = {
    "gray": ((8, 8), "rec601"),
    "weighed": ((8, 8, 3), "article"),
    "colour": ((8, 8, 3), "none"),
}


def make_config(case, **options):
    """The configuration of a case."""
    own, model = {**CASES, **OTHER_CELLS}[case], case.split("-")[0]
    tiny = {name: v for name, v in TINY.items() if model in READ_BY.get(name, (model,))}
    return TrainConfig(**{**tiny, "model": model, **own, **options})


def make_images(count=6, shape=(8, 8)):
    """Random images."""
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.uint8)


def build(case, shape=(8, 8), **options):
    """Builds the model of a case; biases and statistics are drawn too."""
    model = build_model(make_config(case, **options), shape, 3)
    random = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(variable + np.abs(random.normal(0, 0.1, variable.shape)))
    return model


def test_every_model_has_a_case():
    """A model that joins the registry joins these tests."""
    assert {case.split("-")[0] for case in CASES} == set(MODELS)


@pytest.mark.parametrize("kind", mostly_slow(SHAPES, ["gray", "colour"]))
@pytest.mark.parametrize("case", [*CASES, *OTHER_CELLS])
def test_bytes_in_logits_out(case, kind):
    """Of any number of images, none included, eagerly and in a graph, each by itself."""
    shape, grayscale = SHAPES[kind]
    model, images = build(case, shape, grayscale=grayscale), make_images(shape=shape)
    assert (model.input.dtype, model.input_shape) == ("uint8", (None, *shape))
    assert (model.output.dtype, model.output_shape) == ("float32", (None, 3))
    if "fresh" in case:
        return  # no two calls are alike
    expected = model(images).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, *shape), tf.uint8)])
    for batch in (0, 1, 6):
        np.testing.assert_allclose(graph(images[:batch]), expected[:batch], atol=1e-5)


@every_case
def test_weights_go_through_a_file(case, tmp_path):
    """Another model of the same configuration answers the same with them."""
    model, images = build(case), make_images()
    model.save_weights(tmp_path / "model.weights.h5")
    again = build_model(make_config(case), (8, 8), 3)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(images), model(images))


@every_case
def test_the_model_is_described_by_its_config(case):
    """A model rebuilt from `get_config` answers the same."""
    model, images = build(case), make_images()
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.parametrize("case", mostly_slow(CASES, MODELS))  # the first of each model
def test_export(case, tmp_path):
    """The SavedModel answers what the model answers."""
    model, images = build(case), make_images()
    assert export_saved_model(model, tmp_path / "served", images) <= 1e-5
    assert (tmp_path / "served" / "saved_model.pb").is_file()


@every_case
def test_a_step_of_training(case):
    """Every weight gets a gradient and moves; the loss is a number."""
    labels = np.arange(6) % 3
    trainer = Trainer(make_config(case, learning_rate=0.1), make_images(), labels, 3)
    before = trainer.model.get_weights()
    assert trainer.fit()
    assert np.isfinite(trainer.history[0]["loss"])
    for variable, old in zip(trainer.model.weights, before, strict=True):
        assert np.any(np.asarray(variable) != old), variable.path


@pytest.mark.parametrize("case", ["rnn", "cnn_rnn-fresh"])
def test_the_same_seed_trains_the_same(case):
    """Augmentation and dropout are functions of (seed, step)."""
    options = {"augment_rotation": 20.0, "augment_elastic": 0.1, "dense_keep_prob": 0.5}
    weights = []
    for seed in (1, 1, 2):
        config = make_config(case, seed=seed, **options)
        trainer = Trainer(config, make_images(), np.arange(6) % 3, 3, parts=1)
        trainer.model.set_weights(build(case, **options).get_weights())
        trainer.fit()
        weights.append(np.concatenate([np.ravel(weight) for weight in trainer.model.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.any(weights[0] != weights[2])


@every_case
def test_augmentation_is_training_alone(case):
    """Its seeds are among those that the trainer sets, and it leaves answers alone."""
    plain = dict.fromkeys(("augment_shift", "augment_elastic"), 0.0)
    model, images = build(case, **plain), make_images()
    moved = build(case, augment_rotation=40.0, augment_zoom=0.5)
    assert len(seed_generators(moved)) == len(seed_generators(model)) + 1
    moved.set_weights(model.get_weights())
    np.testing.assert_array_equal(moved(images, training=False), model(images, training=False))
    np.testing.assert_array_equal(moved(images), model(images))
    layer = moved.get_layer("augment")
    assert np.abs(layer(images, training=True) - images).max() > 10
    assert {layer.name for layer in moved.layers} - {layer.name for layer in model.layers} == {
        "augment"
    }
