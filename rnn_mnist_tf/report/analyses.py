"""Measurements of a trained model beside its accuracy: how far back it looks, how fast it is."""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from rnn_mnist_tf.models import viewed_model
from rnn_mnist_tf.training import make_predictor
from rnn_mnist_tf.unroll import DynamicRNN

_BATCH_SIZES = (1, 100)
_BATCH = 100


def forgetting(model, images, batch_size=_BATCH):
    """Returns how much the logits depend on each step of the sequence, `[time]` floats.

        norm[t] = mean over images of || d logits / d x[t] ||_F

    where `x` is the sequence that the model's RNN reads: the inputs of the layer `rnn`, or of the
    first `DynamicRNN` or `keras.layers.RNN`. A model that forgets has small norms for early steps.
    Of a model that answers with the mean over views, it is the model of one view that is measured.

    Args:
        model: a functional Keras model, pixels to logits.
        images: uint8 `[count, ...]`.
        batch_size: images at once.

    Raises:
        ValueError: no such layer, or logits that do not come from its inputs alone.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> model = build_rnn((4, 3), 2, make_cell("gru", 5))
    >>> len(forgetting(model, np.zeros([6, 4, 3], np.uint8)))
    4
    """
    to_sequence, to_logits, time_major = _split_at_sequence(model)

    @tf.function(reduce_retracing=True)
    def gradient(sequence, label):
        with tf.GradientTape() as tape:
            tape.watch(sequence)
            logits = to_logits(sequence, training=False)[:, label]
        return tape.gradient(logits, sequence)

    norms = []
    for begin in range(0, len(images), batch_size):
        sequence = to_sequence(tf.constant(images[begin : begin + batch_size]), training=False)
        squares = 0.0
        for label in range(model.output_shape[-1]):
            # Rows do not depend on each other, so one gradient has those of all rows.
            by_step = np.asarray(gradient(sequence, tf.constant(label)), np.float64)
            by_step = np.swapaxes(by_step, 0, 1) if time_major else by_step
            squares = squares + np.sum(by_step**2, axis=tuple(range(2, by_step.ndim)))
        norms.append(np.sqrt(squares))
    return np.mean(np.concatenate(norms), axis=0).tolist()


def speed(model, images, repeats=20, limit=10.0):
    """Returns milliseconds an image at inference, `{"batch_1": ms, "batch_100": ms}`.

    Medians of several calls of `make_predictor`'s function, after calls to warm up.

    Args:
        model: pixels to logits.
        images: uint8 `[count, ...]`, at least one; repeated where they are fewer than a batch.
        repeats: timed calls of each batch size.
        limit: seconds; once timed calls have taken as much, and there are 3, no more follow.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> model = build_rnn((4, 3), 2, make_cell("gru", 5))
    >>> sorted(speed(model, np.zeros([1, 4, 3], np.uint8), repeats=1))
    ['batch_1', 'batch_100']
    """
    milliseconds = {}
    for size in _BATCH_SIZES:
        predict = make_predictor(model, size)
        batch = np.ascontiguousarray(images[np.arange(size) % len(images)])
        for _ in range(3):
            predict(batch)
        seconds = []
        while len(seconds) < repeats and (len(seconds) < 3 or sum(seconds) < limit):
            begin = time.perf_counter()
            predict(batch)
            seconds.append(time.perf_counter() - begin)
        milliseconds[f"batch_{size}"] = 1e3 * statistics.median(seconds) / size
    return milliseconds


ANALYSES = {"forgetting": forgetting, "speed": speed}


def check_analyses(names, model):
    """Raises what the measurements of these names would, without measuring.

    Args:
        names: of `ANALYSES`.
        model: as it will be trained.

    Raises:
        ValueError: a model that one of them does not apply to.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> check_analyses(["forgetting", "speed"], build_rnn((4, 3), 2, make_cell("gru", 5)))
    """
    if "forgetting" in names:
        _split_at_sequence(model)


def _split_at_sequence(model):
    """Returns `(images to sequence, sequence to logits, whether time comes first)`."""
    model = viewed_model(model)
    layer = _find_rnn(model)
    time_major = isinstance(layer, DynamicRNN) and layer.time_major
    try:
        sequence = layer.input
        producer = sequence._keras_history.operation
        if not isinstance(layer, DynamicRNN) and getattr(producer, "axes", None) == (1, 0, 2):
            # Two directions of Keras's cells share what lies before their transpositions.
            sequence, time_major = producer.input, True
        return keras.Model(model.input, sequence), keras.Model(sequence, model.output), time_major
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"Received the model {model.name!r}, expected one whose logits come from the inputs of "
            f"its layer {layer.name!r} alone: {error}"
        ) from error


def _find_rnn(model):
    kinds = (DynamicRNN, keras.layers.RNN)
    candidates = [layer for layer in model.layers if layer.name == "rnn"]
    candidates += [layer for layer in model.layers if isinstance(layer, kinds)]
    if not candidates:
        raise ValueError(
            f"Received the model {model.name!r} without an RNN, expected a layer 'rnn', a "
            "DynamicRNN or a keras.layers.RNN. Of other models measure only the speed."
        )
    return candidates[0]
