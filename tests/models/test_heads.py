"""What `rnn` has between its outputs and its logits, and after its image."""

import keras
import numpy as np
import pytest

from rnn_mnist_tf.images import SCANS
from rnn_mnist_tf.models import Front, build_rnn, make_cell
from tests import reference

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 4)).astype(np.uint8)


def build(**options):
    """Builds a GRU of 5 units, its weights all random."""
    random = np.random.default_rng(0)
    model = build_rnn((6, 4), 3, make_cell("gru", 5, 1), front=Front(pixel_offset=-0.5), **options)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def reference_features(model, sequence):
    """The last output in float64."""
    cell = model.get_layer("rnn").cell
    named = reference.named_weights(cell)
    outputs, _ = reference.unroll(
        lambda inputs, state: reference.gru_step(inputs, state, named),
        sequence,
        np.zeros((len(sequence), 5)),
    )
    return outputs[:, -1]


def dense(model, name):
    """A dense layer's kernel and bias in float64."""
    return [np.asarray(value, np.float64) for value in model.get_layer(name).get_weights()]


@pytest.mark.parametrize("blank_steps", [0, 3])
@pytest.mark.parametrize("dense_units", [0, 7])
def test_logits_equal_float64(blank_steps, dense_units):
    """Black rows follow the image; a hidden layer comes before the logits."""
    model = build(blank_steps=blank_steps, dense_units=dense_units)
    black = np.zeros((4, blank_steps, 4))
    features = reference_features(model, np.concatenate([IMAGES, black], 1) / 255 - 0.5)
    if dense_units:
        kernel, bias = dense(model, "hidden")
        assert kernel.shape == (5, 7)
        features = np.maximum(features @ kernel + bias, 0)
    kernel, bias = dense(model, "logits")
    np.testing.assert_allclose(model(IMAGES), features @ kernel + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scan", SCANS)
def test_blank_steps_follow_every_scan(scan):
    """They have the features of a step and come last, in colour too."""
    cell = make_cell("gru", 5, 1)
    model = build_rnn(
        (6, 4, 3), 3, cell, scan, 2, blank_steps=2, front=Front("none", pixel_offset=0.25)
    )
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 4, 3)).astype(np.uint8)
    scanned = keras.Model(model.input, model.get_layer("scan").output)(images)
    padded = keras.Model(model.input, model.get_layer("blank_steps").output)(images).numpy()
    assert padded.shape == (scanned.shape[0] + 2, *scanned.shape[1:])
    assert (padded[-2:] == 0.25).all()
    assert (padded[:-2] != 0.25).any()


def test_parameters():
    """GRU (4 + 5) 15 + 15 = 150; hidden 5 7 + 7 = 42; logits 7 3 + 3 = 24; a blank has none."""
    assert build(dense_units=7, blank_steps=9, dense_keep_prob=0.5).count_params() == 216


@pytest.mark.parametrize("dense_units", [0, 40])
def test_dropout_is_of_the_last_features(dense_units):
    """In training each feature before the logits is kept with its probability, and scaled up."""
    model = build(dense_units=dense_units, dense_keep_prob=0.25)
    images = np.tile(IMAGES[:1], [500, 1, 1])
    before = model.get_layer("hidden" if dense_units else "last_step").output
    both = keras.Model(model.input, [before, model.get_layer("logits").input])
    features, dropped = (value.numpy() for value in both(images, training=True))
    kept, lit = dropped != 0, features != 0
    np.testing.assert_allclose(dropped[kept], features[kept] / 0.25, rtol=1e-5)
    assert 0.2 < kept[lit].mean() < 0.3
    features, dropped = both(images)
    np.testing.assert_array_equal(features, dropped)


def test_names_of_two_directions():
    """TF1's, and none twice."""
    cells = [make_cell("gru", 5, 1) for _ in range(2)]
    model = build_rnn((6, 4), 3, cells[0], cell_bw=cells[1])
    names = [name for cell in cells for name in cell.tf1_variables()]
    assert len({*names}) == len(names) == len(model.weights) - 2
    assert {name.split("/gru_cell")[0].split("/multi")[0] for name in names} == {
        "bidirectional_rnn/fw",
        "bidirectional_rnn/bw",
    }
