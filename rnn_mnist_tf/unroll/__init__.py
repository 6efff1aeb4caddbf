"""Many steps: the loops of TensorFlow 1 over a cell."""

from rnn_mnist_tf.unroll.dynamic import dynamic_rnn
from rnn_mnist_tf.unroll.layer import DynamicRNN

__all__ = ["DynamicRNN", "dynamic_rnn"]
