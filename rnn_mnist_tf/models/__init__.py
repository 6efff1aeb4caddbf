"""Models: plain Keras models, from plain pixels to logits, behind one registry."""

from rnn_mnist_tf.models.registry import MODELS, build_model
from rnn_mnist_tf.models.rnn import CELLS, build_rnn, make_cell

__all__ = ["CELLS", "MODELS", "build_model", "build_rnn", "make_cell"]
