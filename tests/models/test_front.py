"""From bytes to values: against NumPy, and what a black pixel becomes."""

import keras
import numpy as np
import pytest

from rnn_mnist_tf.images import Augmentation
from rnn_mnist_tf.models import Front
from rnn_mnist_tf.models.layers import Augment

WEIGHTS = {"rec601": (0.299, 0.587, 0.114), "article": (0.29, 0.387, 0.114)}


@pytest.mark.parametrize("grayscale", ["rec601", "article", "none"])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3)])
def test_values(shape, grayscale):
    """Scaled, moved and weighed, in the shape that is promised; black is what `blank` says."""
    front = Front(grayscale, pixel_scale=1 / 50, pixel_offset=-2.0)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    pixels[0] = 0
    expected = pixels / 50 - 2.0
    if grayscale != "none" and len(shape) == 3:
        expected = expected @ WEIGHTS[grayscale] if shape[2] == 3 else expected[..., 0]
    values = keras.Model(*front(shape))(pixels).numpy()
    assert values.shape[1:] == front.shape(shape)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    np.testing.assert_allclose(values[0], front.blank(shape), atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
def test_augmentation_comes_first(shape):
    """What comes in from outside is black, whatever black becomes."""
    front = Front("none", 1 / 255, -1.0, Augmentation(shift=1.0))
    model = keras.Model(*front(shape))
    values = model(np.full((50, *shape), 255, np.uint8), training=True).numpy()
    assert values.min() == -1
    assert values.max() == 0


def test_no_augmentation_no_layer():
    """A strength of 0 leaves nothing behind."""
    names = {layer.name for layer in keras.Model(*Front()((4, 4))).layers}
    assert names == {"images", "normalise"}


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3)])
def test_the_layer_draws_from_its_generator(shape):
    """The same state gives the same images; the next call has another."""
    layer = Augment(0.2, 20.0, 0.2, 0.1, seed=3)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    state = layer.seed_generator.state.numpy()
    first, second = (layer(images, training=True).numpy() for _ in range(2))
    assert first.shape == images.shape
    assert np.abs(first - second).max() > 1
    layer.seed_generator.state.assign(state)
    np.testing.assert_array_equal(layer(images, training=True), first)
    np.testing.assert_array_equal(layer(images), images)
    again = Augment.from_config(layer.get_config())
    assert again.augmentation == (0.2, 20.0, 0.2, 0.1)
    np.testing.assert_array_equal(again(images, training=True), first)


def test_channels_move_together():
    """A gray image in three channels stays gray."""
    gray = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
    moved = Augment(0.2, 20.0, 0.2, 0.1)(np.repeat(gray, 3, axis=3), training=True).numpy()
    np.testing.assert_allclose(moved[..., 0], moved[..., 2], atol=1e-4)
    assert moved.std() > 10
