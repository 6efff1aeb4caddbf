"""One door to all data: the embedded digits, a directory of IDX files, or a TFDS name."""

import hashlib
import typing

import numpy as np

from rnn_mnist_tf.data.idx import read_idx_directory
from rnn_mnist_tf.data.resize import resize_images
from rnn_mnist_tf.data.tfds_source import load_tfds
from rnn_mnist_tf.errors import InputError


class Dataset(typing.NamedTuple):
    """A data set in memory.

    Attributes:
        name: what it was asked for by.
        train_images, test_images: uint8 `[count, height, width]` (gray) or
            `[count, height, width, 3]`.
        train_labels, test_labels: int64 `[count]`, 0 to `num_classes - 1`.
        class_names: one text a class.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: list

    @property
    def num_classes(self):
        """The number of classes."""
        return len(self.class_names)

    @property
    def digest(self):
        """A sha256 of the training images and labels, in hexadecimal."""
        return _sha256(self.train_images, self.train_labels)

    @property
    def test_digest(self):
        """A sha256 of the test images and labels, in hexadecimal."""
        return _sha256(self.test_images, self.test_labels)

    @property
    def image_shape(self):
        """`(height, width)` or `(height, width, 3)`."""
        return self.train_images.shape[1:]


def _sha256(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def load_dataset(name="mnist5k", data_dir=None, tfds_dir=None, image_size=0, num_classes=10):
    """Loads a data set into memory.

    Args:
        name: `mnist5k` (embedded, no network), `idx` (the files in `data_dir`), or a TFDS name.
        data_dir: for `idx`, the directory with the four IDX files.
        tfds_dir: where TFDS keeps its data sets; its own default if None or empty.
        image_size: 0, or the side that images are resized to; see `resize_image`.
        num_classes: for `idx`, labels are 0 to `num_classes - 1`.

    Raises:
        InputError: with one line that says what to do instead.
    """
    size = (image_size, image_size) if image_size else None
    if name == "idx":
        if not data_dir:
            raise InputError("Received dataset='idx' without data_dir, expected --data_dir=DIR.")
        arrays = read_idx_directory(data_dir)
        if size:
            for part in ("train_images", "test_images"):
                arrays[part] = resize_images(arrays[part], size)
        class_names = [str(label) for label in range(num_classes)]
    else:
        if data_dir:
            raise InputError(
                f"Received data_dir={data_dir!r} and dataset={name!r}, expected --dataset=idx; "
                "for TFDS pass --tfds_dir."
            )
        arrays, class_names = load_tfds(name, tfds_dir or None, size)
    dataset = Dataset(
        name,
        arrays["train_images"],
        arrays["train_labels"].astype(np.int64),
        arrays["test_images"],
        arrays["test_labels"].astype(np.int64),
        class_names,
    )
    check_labels(dataset)
    return dataset


def check_labels(dataset):
    """Raises `InputError` if a label is not one of the classes.

    >>> images, labels = np.zeros([1, 2, 2], np.uint8), np.array([3])
    >>> check_labels(Dataset("x", images, labels, images, labels, ["a", "b"]))
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received train labels from 3 to 3, expected 0 to 1 (2 classes).
    """
    for part, labels in (("train", dataset.train_labels), ("test", dataset.test_labels)):
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= dataset.num_classes:
            raise InputError(
                f"Received {part} labels from {low} to {high}, expected 0 to "
                f"{dataset.num_classes - 1} ({dataset.num_classes} classes)."
            )
