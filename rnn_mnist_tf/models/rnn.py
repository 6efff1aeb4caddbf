"""The article's classifier: scan, cells over time, the last step, one dense layer."""

import keras

from rnn_mnist_tf.images import Scan
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, apply_head, run_directions
from rnn_mnist_tf.models.layers import BlankSteps, ScanImage


def build_rnn(
    image_shape,
    num_classes,
    cell,
    scan="rows",
    patch_size=7,
    cell_bw=None,
    *,
    head="last",
    blank_steps=0,
    dense_units=0,
    dense_keep_prob=1.0,
    front=Front(),  # noqa: B008  frozen
    seed=0,
):
    """Builds the classifier: plain pixels in, logits out.

        sequence = scan(front(pixels))
        outputs, state = dynamic_rnn(cell, sequence)
        logits = outputs[:, -1, :] W + b

    2 x LSTM 100 on 28 x 28 has 133,010 parameters.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        cell: an `RNNCell` or a Keras cell, for example from `make_cell`. Keras's cells run in
            `keras.layers.RNN`, all others in `DynamicRNN`.
        scan, patch_size: how an image becomes a sequence; see `Scan`.
        cell_bw: None, or a second cell that reads the steps backward; its outputs are put beside.
        head: what the dense layer sees: `last`, each cell's last output; `mean`, the mean over
            steps; `attention`, a learnt weighted mean.
        blank_steps: so many steps of black pixels follow the image's; a second cell meets them
            first.
        dense_units, dense_keep_prob: a hidden layer and dropout before the logits; see
            `apply_dense`.
        front: a `Front`: how bytes become values.
        seed: of the scan's order and of dropout.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown scan or head, or a scan that does not fit the image.

    >>> from rnn_mnist_tf.models import make_cell
    >>> build_rnn((28, 28), 10, make_cell()).count_params()
    133010
    """
    images, values = front(image_shape)
    gray_shape = front.shape(image_shape)
    sequence = ScanImage(scan, gray_shape, patch_size, seed, name="scan")(values)
    if blank_steps:
        blank = BlankSteps(blank_steps, front.blank(image_shape), name="blank_steps")
        sequence = blank(sequence)
    features = apply_head(head, run_directions(cell, cell_bw, sequence))
    logits = apply_dense(features, num_classes, dense_units, dense_keep_prob, seed)
    return keras.Model(images, logits, name="rnn_classifier")


def step_size(image_shape, scan, patch_size, front):
    """Returns the features of one step.

    >>> step_size((28, 28), "patches", 7, Front())
    49
    """
    return Scan(scan, front.shape(image_shape), patch_size).input_size
