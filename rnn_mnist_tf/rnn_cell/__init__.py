"""One step: the cells of TensorFlow 1 with their names, arguments, variables and numbers."""

from rnn_mnist_tf.rnn_cell.base import LSTMStateTuple, RNNCell
from rnn_mnist_tf.rnn_cell.basic import BasicRNNCell, GRUCell
from rnn_mnist_tf.rnn_cell.lstm import BasicLSTMCell, LSTMCell
from rnn_mnist_tf.rnn_cell.wrappers import MultiRNNCell

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "GRUCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
]
