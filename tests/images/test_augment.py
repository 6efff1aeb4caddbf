"""Augmentation: each move against its definition, its bounds, its seeds."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rnn_mnist_tf.images import Augmentation, augment_images
from rnn_mnist_tf.images.augment import affine_coordinates, elastic_displacements, sample

SEED = (3, 4)
ALL = Augmentation(shift=0.1, rotation=15.0, zoom=0.1, elastic=0.05)


def random_images(*shape, seed=0):
    """Images of whole numbers up to 255, as floats."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


def move(image, shift=(0, 0), angle=0.0, scale=1.0):
    """Moves one image `[h, w]`."""
    places = affine_coordinates(image.shape, tf.constant([shift], tf.float32), [angle], [scale])
    return sample(image[None, ..., None], places).numpy()[0, ..., 0]


def read(image, row, column):
    """One bilinear reading, the textbook's, with zeros outside."""
    total = 0.0
    for r in (int(np.floor(row)), int(np.floor(row)) + 1):
        for c in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
                total += image[r, c] * (1 - abs(row - r)) * (1 - abs(column - c))
    return total


@pytest.mark.parametrize("shape", [(5, 7, 1), (4, 4, 3), (1, 1, 1)])
def test_no_strength_changes_nothing(shape):
    """To the bit, colour too."""
    images = random_images(3, *shape)
    np.testing.assert_array_equal(augment_images(images, Augmentation(), SEED), images)


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(
    sides=st.tuples(*[st.integers(1, 8)] * 2), shift=st.tuples(*[st.integers(-9, 9)] * 2)
)
def test_a_shift_by_whole_pixels_is_a_roll(sides, shift):
    """What is rolled over the edge is 0 instead."""
    image = random_images(*sides)
    expected = np.pad(image, 9)
    expected = np.roll(expected, shift, axis=(0, 1))[9 : 9 + sides[0], 9 : 9 + sides[1]]
    np.testing.assert_array_equal(move(image, shift), expected)


@pytest.mark.parametrize("degrees", [90, -90, 180, 30, -7.5])
@pytest.mark.parametrize("sides", [(16, 16), (17, 16), (12, 21)])
def test_a_turn_is_pillows(sides, degrees):
    """Counterclockwise about the middle, as Pillow turns, which does not blend with the outside."""
    image = np.zeros(sides, np.float32)
    image[5:-5, 5:-5] = random_images(*sides)[5:-5, 5:-5]
    expected = Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR)
    actual = move(image, angle=np.deg2rad(degrees))
    assert expected.getbbox() is not None
    np.testing.assert_allclose(actual, np.asarray(expected), atol=0.02)


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(
    sides=st.tuples(*[st.integers(1, 7)] * 2),
    shift=st.tuples(*[st.floats(-4, 4)] * 2),
    angle=st.floats(-4, 4),
    scale=st.floats(0.3, 2),
)
def test_all_moves_at_once(sides, shift, angle, scale):
    """A pixel of the result is read where scaling, turning and shifting, one by one, begin."""
    image = random_images(*sides)
    middle = (np.array(sides) - 1) / 2
    expected = np.zeros(sides)
    for pixel in np.ndindex(*sides):
        row, column = np.array(pixel) - middle - shift
        turned = (column - 1j * row) * np.exp(-1j * angle)  # right is 1, up is i
        place = np.array([-turned.imag, turned.real]) / scale + middle
        expected[pixel] = read(image, *place)
    np.testing.assert_allclose(move(image, shift, angle, scale), expected, atol=0.02)


def spots(count, row, column):
    """Images of 41 x 41 with a soft spot at a place relative to the middle."""
    rows, columns = np.mgrid[-20:21, -20:21]
    spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8).astype(np.float32)
    return np.tile(spot[None, ..., None], [count, 1, 1, 1])


def centres(images):
    """Where the mass of each image is, relative to the middle: rows, columns."""
    images, at = np.asarray(images)[..., 0], np.arange(-20, 21)
    mass = images.sum(axis=(1, 2))
    return images.sum(axis=2) @ at / mass, images.sum(axis=1) @ at / mass


def assert_fills(values, bound):
    """Draws stay within a bound on both sides and come near to both ends."""
    assert np.abs(values).max() <= bound * 1.02
    assert values.max() > 0.9 * bound
    assert values.min() < -0.9 * bound


def test_shifts_fill_their_bounds():
    """Rows and columns apart, up to the part of the side."""
    rows, columns = centres(augment_images(spots(300, 0, 0), Augmentation(shift=0.2), SEED))
    assert_fills(rows, 0.2 * 41)
    assert_fills(columns, 0.2 * 41)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.2


def test_turns_fill_their_bounds():
    """The angle of a spot on the right."""
    rows, columns = centres(augment_images(spots(300, 0, 12), Augmentation(rotation=25.0), SEED))
    assert_fills(np.rad2deg(np.arctan2(-rows, columns)), 25)
    np.testing.assert_allclose(np.hypot(rows, columns), 12, atol=0.1)


def test_scales_fill_their_bounds():
    """The distance of a spot from the middle."""
    rows, columns = centres(augment_images(spots(300, 0, -8), Augmentation(zoom=0.2), SEED))
    assert_fills(-columns / 8 - 1, 0.2)
    np.testing.assert_allclose(rows, 0, atol=0.01)


@pytest.mark.parametrize("name", ["shift", "rotation", "zoom", "elastic"])
def test_the_seed_decides(name):
    """The same seed gives the same images, another others; each image moves by itself."""
    images = np.tile(random_images(1, 9, 9, 1), [4, 1, 1, 1])
    augmentation = Augmentation(**{name: 0.4 if name != "rotation" else 40.0})
    first, again, other = (
        augment_images(images, augmentation, tf.constant(seed)).numpy()
        for seed in (SEED, SEED, (3, 5))
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max(axis=(1, 2, 3)).min() > 1
    assert len(np.unique(first.reshape(4, -1), axis=0)) == 4


def test_the_state_of_a_keras_generator_is_a_seed():
    """Unsigned and past 2**31."""
    seed = tf.constant([2**32 - 1, 7], tf.uint32)
    assert augment_images(random_images(2, 5, 5, 1), ALL, seed).shape == (2, 5, 5, 1)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_a_graph_of_any_batch(batch):
    """What is computed eagerly, for each image of the batch, none included."""
    signature = [tf.TensorSpec([None, 8, 6, 3], tf.float32)]
    graph = tf.function(lambda images: augment_images(images, ALL, SEED), input_signature=signature)
    images = random_images(batch, 8, 6, 3)
    moved = graph(images)
    assert moved.shape == images.shape
    np.testing.assert_allclose(moved, augment_images(images, ALL, SEED), atol=1e-3)


def test_displacements():
    """Bounded, of the size that was asked for, centred, smooth, and independent of each other."""
    field = elastic_displacements(200, (28, 28), 0.05, SEED).numpy()
    unit = 0.05 * 28
    assert np.abs(field).max() <= 2 * 1.25**2 * unit
    assert 0.5 * unit < field.std() < unit
    assert abs(field.mean()) < 0.05 * unit
    assert np.abs(np.diff(field)).max() < unit  # a whole unit takes many pixels
    rows, columns = field[:, 0], field[:, 1]
    assert abs(np.corrcoef(rows.ravel(), columns.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(rows[:-1].ravel(), rows[1:].ravel())[0, 1]) < 0.1


def test_displacements_are_parts_of_their_side():
    """The same draws reach twice as far along a side twice as long."""
    field = elastic_displacements(3, (10, 20), 0.1, SEED).numpy()
    square = elastic_displacements(3, (10, 10), 0.1, SEED).numpy()
    wide = elastic_displacements(3, (20, 20), 0.1, SEED).numpy()
    np.testing.assert_allclose(
        field.std(axis=(2, 3))[:, 0], square.std(axis=(2, 3))[:, 0], rtol=0.1
    )
    np.testing.assert_allclose(field.std(axis=(2, 3))[:, 1], wide.std(axis=(2, 3))[:, 1], rtol=0.1)


def test_elastic_reads_where_the_field_says():
    """Against one bilinear reading a pixel."""
    images = random_images(2, 6, 5, 1)
    field = np.random.default_rng(1).normal(0, 2, (2, 2, 6, 5)).astype(np.float32)
    places = field + np.mgrid[:6, :5].astype(np.float32)
    expected = [
        [[read(image[..., 0], *places[b, :, r, c]) for c in range(5)] for r in range(6)]
        for b, image in enumerate(images)
    ]
    np.testing.assert_allclose(sample(images, places)[..., 0], expected, atol=1e-3)
