"""The article's classifier: scan, cells over time, the last step, one dense layer."""

import keras

from rnn_mnist_tf.images import Scan
from rnn_mnist_tf.images.augment import UNCHANGED
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, apply_head, run_directions
from rnn_mnist_tf.models.layers import BlankSteps, ScanImage


def build_rnn(
    image_shape,
    num_classes,
    cell,
    scan="rows",
    patch_size=7,
    scan_seed=0,
    grayscale="rec601",
    pixel_scale=1 / 255,
    pixel_offset=0.0,
    cell_bw=None,
    head="last",
    *,
    augmentation=UNCHANGED,
    blank_steps=0,
    dense_units=0,
    dense_keep_prob=1.0,
):
    """Builds the classifier: plain pixels in, logits out.

        sequence = scan(pixel_scale * pixels + pixel_offset)
        outputs, state = dynamic_rnn(cell, sequence)
        logits = outputs[:, -1, :] W + b

    2 x LSTM 100 on 28 x 28 has 133,010 parameters.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        cell: an `RNNCell` or a Keras cell, for example from `make_cell`. Keras's cells run in
            `keras.layers.RNN`, all others in `DynamicRNN`.
        scan, patch_size: how an image becomes a sequence; see `Scan`.
        scan_seed: of the scan's order, and of everything else that is drawn.
        grayscale, pixel_scale, pixel_offset, augmentation: see `Front`.
        cell_bw: None, or a second cell that reads the steps backward; its outputs are put beside.
        head: what the dense layer sees: `last`, each cell's last output; `mean`, the mean over
            steps; `attention`, a learnt weighted mean.
        blank_steps: so many steps of black pixels follow the image's; a second cell meets them
            first.
        dense_units, dense_keep_prob: a hidden layer and dropout before the logits; see
            `apply_dense`.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown scan or head, or a scan that does not fit the image.

    >>> from rnn_mnist_tf.models import make_cell
    >>> build_rnn((28, 28), 10, make_cell()).count_params()
    133010
    """
    front = Front(grayscale, pixel_scale, pixel_offset, augmentation, scan_seed)
    images, values = front(image_shape)
    gray_shape = front.shape(image_shape)
    sequence = ScanImage(scan, gray_shape, patch_size, scan_seed, name="scan")(values)
    if blank_steps:
        blank = BlankSteps(blank_steps, front.blank(image_shape), name="blank_steps")
        sequence = blank(sequence)
    features = apply_head(head, run_directions(cell, cell_bw, sequence))
    logits = apply_dense(features, num_classes, dense_units, dense_keep_prob, scan_seed)
    return keras.Model(images, logits, name="rnn_classifier")


def step_size(image_shape, scan, patch_size, grayscale):
    """Returns the features of one step.

    >>> step_size((28, 28), "patches", 7, "rec601")
    49
    """
    return Scan(scan, Front(grayscale).shape(image_shape), patch_size).input_size
