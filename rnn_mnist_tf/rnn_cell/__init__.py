"""One step: the cells of TensorFlow 1 with their names, arguments, variables and numbers."""

from rnn_mnist_tf.rnn_cell.attention import AttentionCellWrapper
from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.basic import BasicRNNCell, GRUCell
from rnn_mnist_tf.rnn_cell.dropout import DropoutWrapper
from rnn_mnist_tf.rnn_cell.grid import GridLSTMCell
from rnn_mnist_tf.rnn_cell.lstm import BasicLSTMCell, LSTMCell
from rnn_mnist_tf.rnn_cell.lstm_state import LSTMStateTuple
from rnn_mnist_tf.rnn_cell.multi import MultiRNNCell
from rnn_mnist_tf.rnn_cell.wrappers import DeviceWrapper, ResidualWrapper

__all__ = [
    "AttentionCellWrapper",
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "GRUCell",
    "GridLSTMCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
    "ResidualWrapper",
]
