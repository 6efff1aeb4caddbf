"""What stands between the cells' outputs and the logits, and the cells over time."""

import keras

from rnn_mnist_tf.models.layers import AttentionOverSteps, LastStep, MeanStep, ReverseTime
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell
from rnn_mnist_tf.unroll import DynamicRNN

HEADS = ("last", "mean", "attention")


def run_over_time(cell, sequence, name, scope):
    """Returns the outputs of a cell over `[time, batch, input_size]`, time first.

    The layer has the name, a cell of this package its variables in the scope.

    >>> sequence = keras.Input((2, 3), batch_size=5)
    >>> run_over_time(keras.layers.GRUCell(4), sequence, "rnn", "rnn").shape
    (5, 2, 4)
    """
    # The state is not needed here: without lengths the last output is the whole answer.
    if isinstance(cell, KerasCell.TAKEN):
        layer = keras.layers.RNN(cell, return_sequences=True, return_state=True, name=name)
        swap = (1, 0, 2)
        outputs, *_ = layer(keras.ops.transpose(sequence, swap))
        return keras.ops.transpose(outputs, swap)
    return DynamicRNN(cell, time_major=True, return_state=False, name=name, scope=scope)(sequence)


def run_directions(cell, cell_bw, sequence):
    """Returns the outputs of a cell and, unless it is None, of one that reads from the end.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> sequence = keras.Input((None, 3), batch_size=5)
    >>> [outputs.shape for outputs in run_directions(GRUCell(4), GRUCell(2), sequence)]
    [(5, None, 4), (5, None, 2)]
    """
    if cell_bw is None:
        return [run_over_time(cell, sequence, "rnn", "rnn")]
    backward = ReverseTime(name="reverse_inputs")(sequence)
    return [
        run_over_time(cell, sequence, "rnn", "bidirectional_rnn/fw"),
        run_over_time(cell_bw, backward, "rnn_backward", "bidirectional_rnn/bw"),
    ]


def apply_head(head, directions):
    """Returns `[batch, features]` from the outputs of one direction, or two.

    Args:
        head: `last`, each direction's last output; `mean`, the mean over steps; `attention`, a
            learnt weighted mean.
        directions: outputs `[time, batch, units]`, each in the order in which it was read.

    Raises:
        ValueError: an unknown head.

    >>> apply_head("mean", [keras.Input((2, 3), batch_size=5)] * 2).shape
    (2, 6)
    """
    if head not in HEADS:
        raise ValueError(f"Received head={head!r}, expected one of {HEADS}.")
    if head == "attention":
        if len(directions) == 2:
            directions = [directions[0], ReverseTime(name="reverse_outputs")(directions[1])]
            directions = [keras.layers.Concatenate(name="both")(directions)]
        return AttentionOverSteps(name="attention")(directions[0])
    # Each direction's own last step has seen the whole image.
    pool = LastStep(name="last_step") if head == "last" else MeanStep(name="mean_step")
    features = [pool(outputs) for outputs in directions]
    return features[0] if len(features) == 1 else keras.layers.Concatenate(name="both")(features)


def apply_dense(features, num_classes, dense_units=0, dense_keep_prob=1.0, seed=0):
    """Returns logits `[batch, num_classes]`.

        hidden = relu(features W_1 + b_1), if dense_units is not 0
        logits = dropout(hidden) W + b

    Args:
        features: `[batch, features]`.
        num_classes: the number of logits.
        dense_units: of the hidden layer; 0 means none.
        dense_keep_prob: the part of the features before the logits that is kept in training.
        seed: of the dropout.

    >>> apply_dense(keras.Input((100,)), 10, dense_units=32, dense_keep_prob=0.5).shape
    (None, 10)
    """
    if dense_units:
        features = keras.layers.Dense(dense_units, "relu", name="hidden")(features)
    if dense_keep_prob != 1.0:
        dropout = keras.layers.Dropout(1 - dense_keep_prob, seed=seed, name="dropout")
        features = dropout(features)
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
