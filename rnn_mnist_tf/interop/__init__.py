"""Weights and cells between this package and others."""

from rnn_mnist_tf.interop.keras_layers import (
    from_keras,
    refusal,
    to_keras_cell,
    to_keras_layers,
    to_keras_weights,
)
from rnn_mnist_tf.interop.same_weights import KerasSide, compare_with_keras
from rnn_mnist_tf.interop.tf1_checkpoint import restore_tf1_checkpoint

__all__ = [
    "KerasSide",
    "compare_with_keras",
    "from_keras",
    "refusal",
    "restore_tf1_checkpoint",
    "to_keras_cell",
    "to_keras_layers",
    "to_keras_weights",
]
