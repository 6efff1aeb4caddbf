"""Images: colour to gray, augmentation, and the ways in which an image becomes a sequence."""

from rnn_mnist_tf.images.augment import Augmentation, augment_images
from rnn_mnist_tf.images.grayscale import rgb_to_grayscale, split_channels
from rnn_mnist_tf.images.scan import SCANS, Scan
from rnn_mnist_tf.images.shift import shift_image

__all__ = [
    "SCANS",
    "Augmentation",
    "Scan",
    "augment_images",
    "rgb_to_grayscale",
    "shift_image",
    "split_channels",
]
