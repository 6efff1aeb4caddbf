"""Copies of cells, as TF1's code makes the layers of a stack."""

import copy

import keras
import tensorflow as tf


def deep_copy_of(cell, memo):
    """Returns a cell made with copies of the same arguments, and with the same weights.

    Functions and tensors stay the same ones, as in TF1; Keras copies only what it can save. What
    was set on the cell after it was made is not copied.

    Args:
        cell: an `RNNCell`.
        memo: of `copy.deepcopy`.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell, ResidualWrapper
    >>> deep_copy_of(ResidualWrapper(GRUCell(4), lambda x, y: x - y), {}).cell.num_units
    4
    """
    made_with = cell.__dict__["_made_with"]
    for part in tf.nest.flatten(made_with):
        if tf.is_tensor(part) or isinstance(part, keras.Variable):
            memo[id(part)] = part
    arguments, options = copy.deepcopy(made_with, memo)
    twin = type(cell)(*arguments, **options)
    twin.finish_init()
    twin._scope, twin._own_scope = cell._scope, cell._own_scope
    if twin.trainable != cell.trainable:  # to set it sets it for all that is inside
        twin.trainable = cell.trainable
    if cell.built:
        twin.adopt_dtype(cell.dtype_policy)
        twin.build_from_config(cell.get_build_config())
        twin.set_weights(cell.get_weights())
    return twin
