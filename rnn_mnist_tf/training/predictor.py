"""From images to logits: one graph for few images, another that splits large batches."""

import functools
import itertools

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.models import viewed_model
from rnn_mnist_tf.training.strategy import MINIMUM_ROWS, choose_parts, split_rows

_LARGEST_BATCH = 1000
_LARGEST_SIDE = 28  # of an image of which as many fit


def evaluation_batch(image_shape):
    """Returns how many images fit into a batch, larger ones fewer.

    >>> evaluation_batch((28, 28)), evaluation_batch((224, 224, 3)), evaluation_batch((2000, 2000))
    (1000, 15, 1)
    """
    height, width = image_shape[:2]
    return min(_LARGEST_BATCH, max(1, _LARGEST_BATCH * _LARGEST_SIDE**2 // (height * width)))


def make_predictor(model, batch_size=None):
    """Returns a function from uint8 images to logits, NumPy arrays both.

    Every image is answered, whatever the batch size. A batch of fewer images than pay for a split
    stays whole. Each of the two graphs is traced when it is first needed, once. What a model draws
    at random, such as the order of its steps, is drawn alike in each call, on any number of cores:
    a run's result is what `evaluate` says of it later.

    Args:
        model: pixels to logits.
        batch_size: images a call of the graph; if None, see `evaluation_batch`.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> predict = make_predictor(build_rnn((4, 4), 3, make_cell("gru", 2)))
    >>> predict(np.zeros([5, 4, 4], np.uint8)).shape
    (5, 3)
    """
    batch_size = batch_size or evaluation_batch(model.input_shape[1:])
    # Batch statistics are constants here: no row depends on another.
    most_parts = choose_parts(model, batch_size, training=False)
    if any(getattr(layer, "draws_in_inference", False) for layer in model._flatten_layers()):
        most_parts = 1  # each part draws for itself

    @functools.cache
    def graph(parts):
        @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.uint8)])
        def logits_of(batch):
            if parts == 1:
                return model(batch, training=False)
            bounds = split_rows(tf.shape(batch)[0], parts)
            pieces = [batch[begin:end] for begin, end in itertools.pairwise(bounds)]
            return tf.concat([model(piece, training=False) for piece in pieces], 0)

        return logits_of.get_concrete_function()

    def predict_batch(batch):
        parts = most_parts if len(batch) >= most_parts * MINIMUM_ROWS else 1
        return graph(parts)(tf.constant(batch)).numpy()

    generators = seed_generators(model)

    def predict(images):
        for index, generator in enumerate(generators):  # an order that is drawn is the same anew
            generator.state.assign([index, 0])
        if len(images) <= batch_size:  # no images too: they give no logits
            return predict_batch(images)
        begins = range(0, len(images), batch_size)
        return np.concatenate([predict_batch(images[b : b + batch_size]) for b in begins])

    return predict


def seed_generators(model):
    """Returns the `SeedGenerator`s of a model's layers, in the order of the layers.

    >>> import keras
    >>> len(seed_generators(keras.Sequential([keras.layers.Dropout(0.5)])))
    1
    """
    found = []
    # Keras lists the layers of a model inside another in another order; draws go by the order.
    for layer in viewed_model(model)._flatten_layers():
        for generator in getattr(layer, "_seed_generators", []):
            if all(generator is not known for known in found):
                found.append(generator)
    return found
