"""Models: plain Keras models, from plain pixels to logits, behind one registry."""

from rnn_mnist_tf.models.cells import APIS, CELLS, make_cell
from rnn_mnist_tf.models.registry import BUDGETS, MODELS, build_model
from rnn_mnist_tf.models.rnn import HEADS, build_rnn
from rnn_mnist_tf.models.serialize import SERIALIZATIONS, SHUFFLES

__all__ = [
    "APIS",
    "BUDGETS",
    "CELLS",
    "HEADS",
    "MODELS",
    "SERIALIZATIONS",
    "SHUFFLES",
    "build_model",
    "build_rnn",
    "make_cell",
]
