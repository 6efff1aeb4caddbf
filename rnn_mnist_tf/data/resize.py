"""Images of one size from images of another."""

import numpy as np
import tensorflow as tf

_AT_ONCE = 1000


def resize_image(image, size):
    """Resizes with bilinear weights, which are widened where an image becomes smaller.

    Args:
        image: a tensor of pixels 0 to 255, `[h, w, channels]` or `[count, h, w, channels]`.
        size: `(height, width)`.

    Returns:
        A uint8 tensor.

    >>> resize_image(tf.constant([[[0], [100]]], tf.uint8), (1, 4)).numpy().ravel().tolist()
    [0, 25, 75, 100]
    """
    resized = tf.image.resize(image, size, antialias=True)
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def resize_images(images, size):
    """Resizes a data set, uint8 `[count, h, w]`, as `resize_image` does.

    >>> resize_images(np.full([2, 6, 5], 7, np.uint8), (3, 3)).tolist()[1]
    [[7, 7, 7], [7, 7, 7], [7, 7, 7]]
    """
    resized = np.empty([len(images), *size], np.uint8)
    for begin in range(0, len(images), _AT_ONCE):  # floats of all of them would fill the memory
        some = slice(begin, begin + _AT_ONCE)
        resized[some] = resize_image(images[some, ..., np.newaxis], size)[..., 0]
    return resized
