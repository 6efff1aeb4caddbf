"""The article's classifier: scan, cells over time, the last step, one dense layer."""

import keras

from rnn_mnist_tf.images import Scan
from rnn_mnist_tf.models.layers import (
    AttentionOverSteps,
    Grayscale,
    LastStep,
    MeanStep,
    ReverseTime,
    ScanImage,
)
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell
from rnn_mnist_tf.unroll import DynamicRNN

HEADS = ("last", "mean", "attention")


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
        scan, patch_size, scan_seed: how an image becomes a sequence; see `Scan`.
        grayscale: for colour images, `rec601`, `article`, or `none`, which keeps the channels.
        pixel_scale, pixel_offset: the normalisation of pixels 0 to 255.
        cell_bw: None, or a second cell that reads the steps backward; its outputs are put beside.
        head: what the dense layer sees: `last`, each cell's last output; `mean`, the mean over
            steps; `attention`, a learnt weighted mean.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown scan or head, or a scan that does not fit the image.

    >>> from rnn_mnist_tf.models import make_cell
    >>> build_rnn((28, 28), 10, make_cell()).count_params()
    133010
    """
    if head not in HEADS:
        raise ValueError(f"Received head={head!r}, expected one of {HEADS}.")
    images = keras.Input(image_shape, dtype="uint8", name="images")
    values = keras.layers.Rescaling(pixel_scale, pixel_offset, name="normalise")(images)
    if len(image_shape) == 3 and grayscale != "none":
        values = Grayscale(grayscale, name="grayscale")(values)
    gray_shape = scanned_shape(image_shape, grayscale)
    sequence = ScanImage(scan, gray_shape, patch_size, scan_seed, name="scan")(values)
    directions = [run_over_time(cell, sequence, "rnn")]
    if cell_bw is not None:
        backward = ReverseTime(name="reverse_inputs")(sequence)
        directions.append(run_over_time(cell_bw, backward, "rnn_backward"))
    features = _apply_head(head, directions)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(images, logits, name="rnn_classifier")


def scanned_shape(image_shape, grayscale):
    """Returns the shape of the images that are scanned, after colour went to gray.

    >>> scanned_shape((32, 32, 3), "rec601"), scanned_shape((32, 32, 3), "none")
    ((32, 32), (32, 32, 3))
    """
    return tuple(image_shape) if grayscale == "none" else tuple(image_shape)[:2]


def step_size(image_shape, scan, patch_size, grayscale):
    """Returns the features of one step.

    >>> step_size((28, 28), "patches", 7, "rec601")
    49
    """
    return Scan(scan, scanned_shape(image_shape, grayscale), patch_size).input_size


def run_over_time(cell, sequence, name):
    """Returns the outputs of a cell over `[time, batch, input_size]`, time first.

    >>> run_over_time(keras.layers.GRUCell(4), keras.Input((2, 3), batch_size=5), "rnn").shape
    (5, 2, 4)
    """
    # The state is not needed here: without lengths the last output is the whole answer.
    if isinstance(cell, KerasCell.TAKEN):
        layer = keras.layers.RNN(cell, return_sequences=True, return_state=True, name=name)
        swap = (1, 0, 2)
        outputs, *_ = layer(keras.ops.transpose(sequence, swap))
        return keras.ops.transpose(outputs, swap)
    return DynamicRNN(cell, time_major=True, return_state=False, name=name)(sequence)


def _apply_head(head, directions):
    """Returns `[batch, features]` from the outputs of one direction, or two."""
    if head == "attention":
        if len(directions) == 2:
            directions = [directions[0], ReverseTime(name="reverse_outputs")(directions[1])]
            directions = [keras.layers.Concatenate(name="both")(directions)]
        return AttentionOverSteps(name="attention")(directions[0])
    # Each direction's own last step has seen the whole image.
    pool = LastStep(name="last_step") if head == "last" else MeanStep(name="mean_step")
    features = [pool(outputs) for outputs in directions]
    return features[0] if len(features) == 1 else keras.layers.Concatenate(name="both")(features)
