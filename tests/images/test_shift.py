"""Shifts of whole pixels: against one pixel at a time in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.images import shift_image
from tests.views import move


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
@pytest.mark.parametrize("shift", [(0, 0), (2, 0), (-1, 3), (1, -2)])
def test_what_comes_in_is_black(shape, shift):
    """Every pixel has moved, none has come around."""
    images = np.random.default_rng(1).integers(100, 256, (4, *shape)).astype(np.uint8)
    moved = shift_image(images, *shift)
    assert moved.dtype == tf.uint8
    np.testing.assert_array_equal(moved, move(images, *shift))
