"""Data: real images and labels in memory, and the validation split."""

from rnn_mnist_tf.data.sources import Dataset, load_dataset
from rnn_mnist_tf.data.splits import split_images, training_subset, validation_split

__all__ = ["Dataset", "load_dataset", "split_images", "training_subset", "validation_split"]
