"""Images are shifted, turned, scaled and bent at random, all in one resampling."""

import functools
import typing

import numpy as np
import tensorflow as tf

# A grid of 4 bends 28 pixels every 7, about as smoothly as Simard's Gaussian of 4 pixels.
_ELASTIC_GRID = 4


class Augmentation(typing.NamedTuple):
    """How far images may be moved; 0 everywhere leaves them alone.

    Attributes:
        shift: the largest shift along each side, a part of that side.
        rotation: the largest turn, in degrees.
        zoom: the largest change of scale; 0.1 means from 0.9 to 1.1.
        elastic: the deviation of the elastic displacements' draws along each side, a part of that
            side. Simard's choice for digits, 34 times uniform draws under a Gaussian of 4 pixels,
            displaces 29 pixels by 1.4 on the average (root mean square), as 0.06 does here.

    >>> Augmentation(rotation=10.0).active, Augmentation().active
    (True, False)
    """

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    elastic: float = 0.0

    @property
    def active(self):
        """Whether images change at all."""
        return any(self)


UNCHANGED = Augmentation()


def augment_images(images, augmentation, seed):
    """Returns images that were moved at random, each otherwise; what comes in from outside is 0.

    One draw for each image of a shift, an angle, a scale (uniform, within the bounds) and a field
    of displacements; `affine_coordinates` and `elastic_displacements` add up to the places where
    `sample` reads the image, once: chained layers would blur it each time, and cost more.

    Args:
        images: `[batch, h, w, channels]`, floats. The batch may be unknown, or 0.
        augmentation: an `Augmentation`.
        seed: two integers: the images are a function of them.

    Returns:
        `[batch, h, w, channels]`, float32.

    Source: Simard, Steinkraus and Platt 2003, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis".

    >>> image = tf.reshape(tf.range(6.0), [1, 2, 3, 1])
    >>> augment_images(image, Augmentation(), seed=(1, 2)).numpy().ravel().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    batch = tf.shape(images)[0]
    height, width = images.shape[1:3]
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 2))
    draws = tf.random.stateless_uniform([batch, 4], seeds[0], -1.0, 1.0)
    shift = draws[:, :2] * (augmentation.shift * np.array([height, width], np.float32))
    angle = draws[:, 2] * float(np.deg2rad(augmentation.rotation))
    places = affine_coordinates((height, width), shift, angle, 1 + draws[:, 3] * augmentation.zoom)
    if augmentation.elastic:
        places += elastic_displacements(batch, (height, width), augmentation.elastic, seeds[1])
    return sample(images, places)


def affine_coordinates(sides, shift, angle, scale):
    """Returns the place in the image from which each pixel of the result is read.

        place = centre + R(angle) (pixel - centre - shift) / scale
        R(angle) = [[cos, sin], [-sin, cos]], over (row, column)

    So the image is scaled about its centre, turned counterclockwise, then shifted.

    Args:
        sides: `(h, w)`.
        shift: `[batch, 2]`, in pixels down and to the right.
        angle: `[batch]`, in radians.
        scale: `[batch]`, more than 1 enlarges.

    Returns:
        `[batch, 2, h, w]`, rows and columns, which may lie outside.

    >>> places = affine_coordinates((3, 3), tf.zeros([1, 2]), tf.constant([np.pi / 2]), tf.ones(1))
    >>> tf.round(places)[0, :, 0].numpy().tolist()  # what was right is now on top
    [[0.0, 1.0, 2.0], [2.0, 2.0, 2.0]]
    """
    shift, angle, scale = (tf.cast(value, tf.float32) for value in (shift, angle, scale))
    centre = (np.array(sides, np.float32) - 1) / 2
    pixels = np.mgrid[: sides[0], : sides[1]].reshape(2, -1) - centre[:, None]
    cosine, sine = tf.cos(angle) / scale, tf.sin(angle) / scale
    turn = tf.stack([tf.stack([cosine, sine], 1), tf.stack([-sine, cosine], 1)], 1)
    constant = centre - tf.linalg.matvec(turn, shift)
    # One product of matrices for all images, whose last factor is 1 for the constants.
    factors = np.concatenate([pixels, np.ones_like(pixels[:1])]).astype(np.float32)
    return _combine(tf.concat([turn, constant[..., None]], 2), factors, sides)


def elastic_displacements(batch, sides, strength, seed):
    """Returns smooth random displacements, another field for each image.

    A coarse grid of normal draws, cut at two deviations, is resized bicubically; its weights add
    up to at most 1.25 along a side in absolute value, so no displacement exceeds
    `2 * 1.25 ** 2 * strength` of its side.

    Keras's own layer is not used. In keras 3.15.1 it reads the first image for all of a batch whose
    size is unknown when the graph is traced, and displaces along the diagonal alone.

    Args:
        batch: how many.
        sides: `(h, w)`.
        strength: the deviation of the draws, a part of each side.
        seed: two integers.

    Returns:
        `[batch, 2, h, w]`, in pixels, along rows and columns.

    >>> elastic_displacements(2, (28, 20), 0.05, (1, 2)).shape
    TensorShape([2, 2, 28, 20])
    """
    draws = tf.random.stateless_truncated_normal(
        [batch, 2, _ELASTIC_GRID**2], tf.cast(seed, tf.int64)
    )
    deviations = strength * np.array(sides, np.float32)
    return _combine(draws * deviations[:, None], _bicubic(tuple(sides)), sides)


@functools.lru_cache
def _bicubic(sides):
    """The part that each draw of the grid has in each pixel: `[draws, h w]`."""
    draws = _ELASTIC_GRID**2
    with tf.init_scope():  # it is a constant, in a graph too
        grids = tf.reshape(tf.eye(draws), [1, _ELASTIC_GRID, _ELASTIC_GRID, draws])
        return tf.image.resize(grids, sides, "bicubic").numpy().reshape(-1, draws).T


def _combine(coefficients, factors, sides):
    """`[batch, 2, count]` times `[count, h w]`, as `[batch, 2, h, w]`."""
    products = tf.reshape(coefficients, [-1, factors.shape[0]]) @ factors
    return tf.reshape(products, [-1, 2, *sides])


def sample(images, places):
    """Returns the images read at given places, bilinearly; outside they are 0.

    Args:
        images: `[batch, h, w, channels]`.
        places: `[batch, 2, h', w']`, rows and columns.

    Returns:
        `[batch, h', w', channels]`, float32.

    >>> places = tf.constant([[[[0.0, 0.5]], [[0.5, 0.0]]]])
    >>> sample(tf.constant([[[[1.0], [3.0]]]]), places).numpy().ravel().tolist()
    [2.0, 0.5]
    """
    height, width, channels = images.shape[1:]
    # A border of zeros, wide enough for the four neighbours of any place, stands for the outside.
    padded = tf.pad(tf.cast(images, tf.float32), [[0, 0], [1, 2], [1, 2], [0, 0]])
    pixels = tf.reshape(padded, [-1, channels])
    sides = np.array([height, width], np.float32)[:, None, None]
    places = tf.clip_by_value(places, -1.0, sides)
    corners = tf.floor(places)
    down, right = tf.unstack((places - corners)[..., None], axis=1)
    rows, columns = tf.unstack(tf.cast(corners, tf.int32) + 1, axis=1)
    stride = width + 3
    first = tf.range(tf.shape(images)[0])[:, None, None] * ((height + 3) * stride)
    index = first + rows * stride + columns

    def row(index):
        left = tf.gather(pixels, index)
        return left + right * (tf.gather(pixels, index + 1) - left)

    upper = row(index)
    return upper + down * (row(index + stride) - upper)
