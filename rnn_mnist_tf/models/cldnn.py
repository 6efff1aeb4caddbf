"""CLDNN: convolutions, a linear reduction, LSTM layers, a dense layer."""

import keras

from rnn_mnist_tf.models.convolution import convolve
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, apply_head, run_directions
from rnn_mnist_tf.models.serialize import read_features


def build_cldnn(
    image_shape,
    num_classes,
    cell,
    cell_bw=None,
    *,
    dense_units,
    filters=(32, 48, 48, 64),
    tap=4,
    feature_keep_prob=1.0,
    reduction=128,
    serialize="rows",
    shuffle_steps="none",
    head="last",
    dense_keep_prob=1.0,
    front=Front(),  # noqa: B008  frozen
    seed=0,
):
    """Builds a CLDNN: what it is for the frames of speech, for the rows of an image.

        sequence = serialize(block_tap(... block_1(values)))
        reduced_t = sequence_t W_r + b_r, the same for every step, without activation
        outputs, state = dynamic_rnn(cell, reduced)
        logits = relu(outputs[:, -1, :] W_1 + b_1) W + b

    The paper's point: 448 features a step would cost an LSTM more weights than it uses, so a
    linear layer reduces them first; and a dense layer after the LSTM makes its output easier to
    separate. It has 2 LSTM layers. Four blocks, a reduction to 128, 2 x LSTM 100 and a dense layer
    of 100 have 303,846 parameters on 28 x 28: 63,264 of the blocks, 57,472 of the reduction, 91,600
    and 80,400 of the LSTM, 10,100, and 1,010.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        cell, cell_bw: see `build_rnn`; they read steps of `reduction` features.
        dense_units: of the hidden dense layer, at least 1; a configuration's 0 means its
            `num_units`.
        filters, tap, feature_keep_prob: which convolutions, and their dropout; see `convolve`.
        reduction: the units of the linear layer.
        serialize, shuffle_steps: see `read_features`.
        head: `last`, `mean` or `attention`; see `build_rnn`.
        dense_keep_prob: see `apply_dense`.
        front: a `Front`: how bytes become values.
        seed: of the order of steps and of dropout.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown head, tap or way to serialize, or one that does not fit.

    Source: Sainath, Vinyals, Senior and Sak 2015, "Convolutional, Long Short-Term Memory, Fully
    Connected Deep Neural Networks".

    >>> from rnn_mnist_tf.models import make_cell
    >>> build_cldnn((28, 28), 10, make_cell("basic_lstm", 100), dense_units=100).count_params()
    303846
    """
    images, values = front(image_shape)
    features = convolve(values, filters, tap, feature_keep_prob, seed)
    sequence = read_features(features, serialize, shuffle_steps, seed)
    reduced = keras.layers.Dense(reduction, name="reduction")(sequence)
    features = apply_head(head, run_directions(cell, cell_bw, reduced))
    logits = apply_dense(features, num_classes, dense_units, dense_keep_prob, seed)
    return keras.Model(images, logits, name="cldnn_classifier")
