"""How the work is laid out: threads, parts of a batch, devices."""

import os
import warnings

import keras
import tensorflow as tf

# Below this, a part's matrix products are too small to pay for a part of their own.
MINIMUM_ROWS = 16

# By name, because threads are configured before TensorFlow starts and a model can be built.
MODELS_WITH_BATCH_STATISTICS = frozenset({"cnn_rnn", "cnn", "cldnn"})


def configure_threads(cores=0, model="rnn"):
    """Gives each operation one thread and lets `cores` operations run side by side.

    Products of recurrent size lose by being split over threads; parts of a batch side by side win.
    The batches of a model with batch statistics stay whole: there each operation gets `cores`
    threads. Call it before TensorFlow does anything. Only programs do: a library leaves threads
    alone.

    Args:
        cores: 0 means all that this process may use.
        model: the name of the model that will run.

    Returns:
        The number of cores.
    """
    cores = cores or available_cores()
    whole_batches = model in MODELS_WITH_BATCH_STATISTICS
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cores if whole_batches else 1)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:  # TensorFlow has started, with other threads
        warnings.warn(
            "TensorFlow's threads are fixed already; the work will not be laid out for "
            f"{cores} cores.",
            stacklevel=2,
        )
    return cores


def available_cores():
    """Returns how many processors this process may run on.

    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_batch_statistics(model):
    """Whether a layer mixes the rows of a batch, so that a batch must stay whole.

    >>> has_batch_statistics(keras.Sequential([keras.layers.BatchNormalization()]))
    True
    """
    return bool(batch_statistics(model))


def batch_statistics(model):
    """Returns the variables that hold the statistics of past batches.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
    >>> [variable.name for variable in batch_statistics(model)]
    ['moving_mean', 'moving_variance']
    """
    return [
        statistic
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]


def choose_parts(model, rows, training=True):
    """Returns into how many parts a batch of `rows` is split, to run side by side.

    As many as operations can run side by side, if each has enough rows. One where TensorFlow was
    left to spread each operation over the cores itself, or where the rows depend on each other:
    in a model with batch statistics, in training.

    Args:
        model: a Keras model.
        rows: the most that a batch has.
        training: whether batches are trained on.
    """
    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        return 1
    if training and has_batch_statistics(model):
        return 1
    workers = tf.config.threading.get_inter_op_parallelism_threads() or available_cores()
    return max(1, min(workers, rows // MINIMUM_ROWS))


def split_rows(rows, parts):
    """Returns `parts + 1` boundaries that split `rows` (a scalar tensor) as evenly as can be.

    >>> [int(boundary) for boundary in split_rows(tf.constant(7), 2)]
    [0, 3, 7]
    """
    return [rows * part // parts for part in range(parts + 1)]
