"""What a cell, a loop or a layer does with a cell of any kind that it holds."""

import contextlib

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import RNNCell

_MET_AGAIN = keras.initializers.Zeros()


def call_cell(cell, inputs, state, training=None):
    """Runs one step of any cell, passing `training` to those that take it.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> output, state = call_cell(GRUCell(4), tf.ones([2, 3]), tf.zeros([2, 4]), training=False)
    """
    if training is not None and getattr(cell, "_call_has_training_arg", False):
        return cell(inputs, state, training=training)
    return cell(inputs, state)


def build_inner(cell, inputs_shape):
    """Builds a cell that is a Keras layer, once.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = GRUCell(4)
    >>> build_inner(cell, (None, 3))
    >>> cell.built
    True
    """
    if isinstance(cell, keras.layers.Layer) and not cell.built:
        cell.build(inputs_shape)


def run_scope_of(cell, batch_size, inputs_shape, training=None):
    """Returns a cell's `run_scope`, or one that does nothing for a cell without.

    >>> with run_scope_of(object(), 2, (2, 3)):
    ...     pass
    """
    if isinstance(cell, RNNCell):
        return cell.run_scope(batch_size, inputs_shape, training)
    return contextlib.nullcontext()


def named_variables_of(cell):
    """Returns a cell's `tf1_named_variables`, or none for an object that has no such method.

    >>> named_variables_of(object())
    []
    """
    return cell.tf1_named_variables() if isinstance(cell, RNNCell) else []


def track_for_checkpoints(cell, cells):
    """Makes `tf.train.Checkpoint` of a cell hold the cells of its list.

    Keras keeps a layer's list in a type of its own, which TensorFlow does not look into.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> outer, inner = GRUCell(4), GRUCell(3)
    >>> track_for_checkpoints(outer, [inner])
    >>> outer._trackable_children()["cell_0"] is inner
    True
    """
    for index, inner in enumerate(cells):
        if isinstance(inner, tf.__internal__.tracking.Trackable):
            cell._track_trackable(inner, f"cell_{index}")


def serialize_cell(cell):
    """Returns a cell's saved form; inside of a saved model two that share a cell share it again.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> serialize_cell(GRUCell(4))["config"]["num_units"]
    4
    """
    config = keras.saving.serialize_keras_object(cell)
    # Keras names an object of a model that it saves when it meets it again. The first place is
    # then a copy without the name, and would be loaded as another object.
    if _is_model_being_saved():
        config["shared_object_id"] = id(cell)
    return config


def _is_model_being_saved():
    """Whether Keras names objects that it meets again: this one it has then met."""
    keras.saving.serialize_keras_object(_MET_AGAIN)
    return "shared_object_id" in keras.saving.serialize_keras_object(_MET_AGAIN)


def with_cell(config, custom_objects=None):
    """Returns constructor's arguments in which the saved `cell` is an object again.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> with_cell({"cell": serialize_cell(GRUCell(4))})["cell"].num_units
    4
    """
    cell = keras.saving.deserialize_keras_object(config["cell"], custom_objects=custom_objects)
    return {**config, "cell": cell}
