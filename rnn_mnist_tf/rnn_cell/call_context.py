"""What Keras tells the layers inside a layer: whether they train, in which dtype they compute."""

import contextlib

import keras
from keras.src.backend import AutocastScope  # Keras has no public one

_LAYER = keras.layers.Layer(name="call_context")  # Keras asks for one


def told_training():
    """Returns what a layer around says of training, or None.

    >>> told_training()
    """
    with training_within():
        return _LAYER._get_call_context().get_value("training")


@contextlib.contextmanager
def training_within(training=None):
    """Makes the layers that are run follow `training`, as if a layer around them had been told it.

    Args:
        training: None, which changes nothing, True or False.

    >>> dropout, inputs = keras.layers.Dropout(0.999), keras.ops.ones([1, 99])
    >>> with training_within(True):
    ...     float(keras.ops.min(dropout(inputs)))
    0.0
    """
    context = _LAYER._get_call_context()  # made where there is no layer around
    depth, told = context.get_value("depth", 0), context.get_value("training")
    context.set_value("depth", depth + 1)
    if training is not None:
        context.set_value("training", training)
    try:
        yield
    finally:
        context.set_value("training", told)
        context.set_value("depth", depth)
        if depth == 0:
            _LAYER._maybe_reset_call_context()


def reading_as(dtype):
    """Makes variables be read as in the call of a layer that computes in `dtype`.

    Keras reads them in the dtype of the layer around, and so it would those of another layer in it
    whose own call has not begun.

    >>> variable = keras.Variable([1 / 3])
    >>> with reading_as("float16"):
    ...     variable.value.dtype.name
    'float16'
    """
    return AutocastScope(dtype)


def is_inside(layer, kind):
    """Whether some layer of another kind than `kind` is the outermost one around a layer's call.

    >>> is_inside(_LAYER, keras.layers.Layer)
    False
    """
    entry = layer._get_call_context().entry_layer
    return entry is not _LAYER and not isinstance(entry, kind)
