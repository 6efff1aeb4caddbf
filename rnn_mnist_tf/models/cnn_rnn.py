"""Convolutions read the image, cells read their features."""

import keras

from rnn_mnist_tf.models.convolution import convolve
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, apply_head, run_directions
from rnn_mnist_tf.models.serialize import read_features


def build_cnn_rnn(
    image_shape,
    num_classes,
    cell,
    cell_bw=None,
    *,
    filters=(32, 48, 48, 64),
    tap=4,
    feature_keep_prob=1.0,
    serialize="rows",
    shuffle_steps="none",
    head="last",
    dense_units=0,
    dense_keep_prob=1.0,
    front=Front(),  # noqa: B008  frozen
    seed=0,
):
    """Builds convolutions, whose features are a sequence that cells read.

        features = block_tap(... block_1(values))
        sequence = serialize(features)
        outputs, state = dynamic_rnn(cell, sequence)
        logits = outputs[:, -1, :] W + b

    The first four blocks and two directions of LSTM 96, over the rows of 7 x 7 x 64 features, have
    483,754 parameters on 28 x 28: 63,264 of the blocks, 2 x 209,280, and 1,930.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        cell, cell_bw: see `build_rnn`. A cell that has to know the size of a step finds it with
            `sequence_shape(feature_shape(...), serialize)`.
        filters, tap, feature_keep_prob: which convolutions, and their dropout; see `convolve`.
        serialize, shuffle_steps: see `read_features`.
        head: `last`, `mean` or `attention`; see `build_rnn`.
        dense_units, dense_keep_prob: see `apply_dense`.
        front: a `Front`: how bytes become values.
        seed: of the order of steps and of dropout.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown head, tap or way to serialize, or one that does not fit.

    Source: Shi, Bai and Yao 2017, "An End-to-End Trainable Neural Network for Image-based Sequence
    Recognition and Its Application to Scene Text Recognition", which reads columns.

    >>> from rnn_mnist_tf.models import make_cell
    >>> cells = [make_cell("basic_lstm", 96, num_layers=1) for _ in range(2)]
    >>> build_cnn_rnn((28, 28), 10, *cells).count_params()
    483754
    """
    images, values = front(image_shape)
    features = convolve(values, filters, tap, feature_keep_prob, seed)
    sequence = read_features(features, serialize, shuffle_steps, seed)
    features = apply_head(head, run_directions(cell, cell_bw, sequence))
    logits = apply_dense(features, num_classes, dense_units, dense_keep_prob, seed)
    return keras.Model(images, logits, name="cnn_rnn_classifier")
