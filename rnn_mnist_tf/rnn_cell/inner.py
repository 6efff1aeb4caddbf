"""What a cell, a loop or a layer does with a cell of any kind that it holds."""

import contextlib
import functools

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.call_context import training_within
from rnn_mnist_tf.rnn_cell.checks import takes_argument

_MET_AGAIN = keras.initializers.Zeros()


def call_cell(cell, inputs, state, training=None):
    """Runs one step of any cell; `training` reaches it where it is taken, and all layers inside.

    A cell made for Keras gets a bare state as Keras hands it over, in a list.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> output, state = call_cell(GRUCell(4), tf.ones([2, 3]), tf.zeros([2, 4]), training=False)
    """
    is_layer = isinstance(cell, keras.layers.Layer)
    of_keras = is_layer and not hasattr(cell, "zero_state")
    if of_keras and not tf.nest.is_nested(cell.state_size):
        output, state = _call(cell, inputs, [state], training)
        return output, nest.pack_state_as(cell.state_size, state)
    return _call(cell, inputs, state, training)


def _call(cell, inputs, state, training):
    if training is None:
        return cell(inputs, state)
    if isinstance(cell, keras.layers.Layer) and takes_argument(type(cell).__call__, "training"):
        return cell(inputs, state, training=training)
    with training_within(training):
        return cell(inputs, state)


def initial_state_of(cell, batch_size, dtype):
    """Returns what a cell's `get_initial_state` gives, in the structure of its `state_size`.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> initial_state_of(GRUCell(4), 2, tf.float32).shape
    TensorShape([2, 4])
    """
    function = getattr(cell.get_initial_state, "__func__", cell.get_initial_state)
    asked = {"dtype": dtype} if takes_argument(function, "dtype") else {}  # Keras 3's have none
    state = cell.get_initial_state(batch_size=batch_size, **asked)
    state = nest.pack_state_as(cell.state_size, state, "get_initial_state()")
    return state if asked else tf.nest.map_structure(functools.partial(cast_floating, dtype), state)


def zero_state_of(cell, batch_size, dtype):
    """Returns a cell's `zero_state`, or its `get_initial_state` if it has none.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> zero_state_of(GRUCell(4), 2, tf.float32).shape
    TensorShape([2, 4])
    """
    if hasattr(cell, "zero_state"):
        return cell.zero_state(batch_size, dtype)
    return initial_state_of(cell, batch_size, dtype)


def cast_floating(dtype, leaf):
    """Casts a tensor that is floating point; a `tf.TensorArray` and whole numbers stay.

    >>> cast_floating(tf.float64, 1.0).dtype.name, cast_floating(tf.float64, 1).dtype.name
    ('float64', 'int32')
    """
    if isinstance(leaf, tf.TensorArray):
        return leaf
    leaf = tf.convert_to_tensor(leaf)
    return tf.cast(leaf, dtype) if leaf.dtype.is_floating else leaf


def step_output_shape_of(cell, inputs_shape):
    """Returns the shape of what a step of a cell gives, nested like it.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> step_output_shape_of(GRUCell(4), (2, 3))
    (2, 4)
    """
    if isinstance(cell, RNNCell):
        return cell.step_output_shape(inputs_shape)
    return nest.sizes_to_shapes(cell.output_size, nest.first_shape(inputs_shape)[0])


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
    scopes = contextlib.ExitStack()
    for inner in _cells_held_by(cell):
        scopes.enter_context(inner.run_scope(batch_size, inputs_shape, training))
    return scopes


def _cells_held_by(cell):
    """The cells of this package's kind that an object has as attributes, or in lists of them."""
    found = []
    for value in getattr(cell, "__dict__", {}).values():
        members = value if isinstance(value, (list, tuple)) else [value]
        found += [member for member in members if isinstance(member, RNNCell)]
    for inner in found:
        inner.finish_init()
    return list({id(inner): inner for inner in found}.values())  # Keras lists a layer's again


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
