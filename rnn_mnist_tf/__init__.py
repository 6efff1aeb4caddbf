"""The vocabulary of TensorFlow 1's RNNs on Keras 3, and an image classifier built with it."""

import sys

if sys.argv[:1] == ["-m"]:  # Python is starting one of this package's programs
    from rnn_mnist_tf.quiet import import_tensorflow

    try:
        import_tensorflow()
    except KeyboardInterrupt:
        sys.exit(130)

from rnn_mnist_tf import rnn_cell
from rnn_mnist_tf.rnn_cell import LSTMStateTuple
from rnn_mnist_tf.unroll import (
    DynamicRNN,
    bidirectional_dynamic_rnn,
    compare_last_output,
    dynamic_rnn,
    last_relevant_output,
    raw_rnn,
    static_bidirectional_rnn,
    static_rnn,
    static_state_saving_rnn,
)

__all__ = [
    "DynamicRNN",
    "LSTMStateTuple",
    "bidirectional_dynamic_rnn",
    "compare_last_output",
    "dynamic_rnn",
    "last_relevant_output",
    "raw_rnn",
    "rnn_cell",
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
]
