"""A configuration becomes a model."""

import types

import numpy as np
import pytest

from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training import TrainConfig

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 4)).astype(np.uint8)


def build(shape=(6, 4), **options):
    """Builds a small model of a configuration."""
    return build_model(TrainConfig(**{"num_units": 4, "num_layers": 1, **options}), shape, 3)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # input 4: (4 + 4) 16 + 16 = 144; dense 4 3 + 3 = 15
        ({}, 159),
        # (4 + 5) 20 + 20 = 200; 5 3 + 3 = 18
        ({"num_units": 5}, 218),
        # a second layer: (4 + 4) 16 + 16 = 144 more
        ({"num_layers": 2}, 303),
        # (4 + 4) 8 + 8 = 72; (4 + 4) 4 + 4 = 36; 15
        ({"cell": "gru"}, 123),
        # (4 + 4) 4 + 4 = 36; 15
        ({"cell": "basic_rnn"}, 51),
        # (4 + 2) 16 + 16 = 112; peepholes 12; projection 8; 2 3 + 3 = 9
        ({"cell": "lstm", "use_peepholes": True, "num_proj": 2}, 141),
        # columns, input 6: (6 + 4) 16 + 16 = 176; 15
        ({"scan": "columns"}, 191),
        # patches of 1: input 1: (1 + 4) 16 + 16 = 96; 15
        ({"scan": "patches", "patch_size": 1}, 111),
    ],
)
def test_every_size_is_the_configurations(options, parameters):
    """The parameters add up as the options say."""
    assert build(**options).count_params() == parameters


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"pixel_scale": 0.1}, {"pixel_scale": 0.2}),
        ({"pixel_offset": 0.0}, {"pixel_offset": -1.0}),
        ({"scan": "rows"}, {"scan": "rows_reversed"}),
        ({"scan": "permuted_rows", "seed": 1}, {"scan": "permuted_rows", "seed": 2}),
        ({"cell": "lstm"}, {"cell": "lstm", "cell_clip": 0.01}),
    ],
)
def test_options_without_weights_reach_the_model(first, second):
    """Two configurations with the same weights answer otherwise."""
    models = [build(**options) for options in (first, second)]
    models[1].set_weights(models[0].get_weights())
    assert np.abs(models[0](IMAGES) - models[1](IMAGES)).max() > 1e-4


def test_grayscale_reaches_the_model():
    """So does the weighing of colours."""
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 4, 3)).astype(np.uint8)
    models = [build((6, 4, 3), grayscale=weights) for weights in ("rec601", "article")]
    models[1].set_weights(models[0].get_weights())
    assert np.abs(models[0](images) - models[1](images)).max() > 1e-4
    assert build((6, 4, 3), grayscale="none").count_params() > models[0].count_params()


def test_unknown_model():
    """The error names those there are."""
    with pytest.raises(ValueError, match=r"'transformer'.*rnn"):
        build_model(types.SimpleNamespace(model="transformer"), (6, 4), 3)
