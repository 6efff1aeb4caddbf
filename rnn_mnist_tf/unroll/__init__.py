"""Many steps: the loops of TensorFlow 1 over a cell."""

from rnn_mnist_tf.unroll.dynamic import bidirectional_dynamic_rnn, dynamic_rnn
from rnn_mnist_tf.unroll.last_output import (
    Comparison,
    compare_last_output,
    last_relevant_output,
)
from rnn_mnist_tf.unroll.layer import DynamicRNN
from rnn_mnist_tf.unroll.raw import raw_rnn
from rnn_mnist_tf.unroll.static import (
    static_bidirectional_rnn,
    static_rnn,
    static_state_saving_rnn,
)

__all__ = [
    "Comparison",
    "DynamicRNN",
    "bidirectional_dynamic_rnn",
    "compare_last_output",
    "dynamic_rnn",
    "last_relevant_output",
    "raw_rnn",
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
]
