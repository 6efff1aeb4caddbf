"""The vocabulary of TensorFlow 1's RNNs on Keras 3, and an image classifier built with it."""

import sys

if sys.argv[:1] == ["-m"]:  # Python is starting one of this package's programs
    from rnn_mnist_tf.quiet import import_tensorflow

    import_tensorflow()

from rnn_mnist_tf import rnn_cell
from rnn_mnist_tf.rnn_cell import LSTMStateTuple
from rnn_mnist_tf.unroll import DynamicRNN, dynamic_rnn

__all__ = ["DynamicRNN", "LSTMStateTuple", "dynamic_rnn", "rnn_cell"]
