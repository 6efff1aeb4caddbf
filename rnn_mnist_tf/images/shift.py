"""Images are moved by whole pixels."""

import tensorflow as tf


def shift_image(images, rows, columns):
    """Moves images down and to the right; what comes in from outside is 0, which is black.

    Args:
        images: `[batch, h, w]` or `[batch, h, w, channels]`.
        rows, columns: whole numbers, negative ones up and to the left.

    >>> shift_image(tf.constant([[[1, 2], [3, 4]]]), 0, -1).numpy().tolist()
    [[[2, 0], [4, 0]]]
    """
    height, width = images.shape[1:3]
    rest = [[0, 0]] * (len(images.shape) - 3)
    padding = [[0, 0], [max(rows, 0), max(-rows, 0)], [max(columns, 0), max(-columns, 0)], *rest]
    top, left = max(-rows, 0), max(-columns, 0)
    return tf.pad(images, padding)[:, top : top + height, left : left + width]
