"""The article's classifier: scan, cells over time, the last step, one dense layer."""

import keras
import tensorflow as tf

from rnn_mnist_tf.images import Scan, rgb_to_grayscale
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
)
from rnn_mnist_tf.rnn_cell.base import PACKAGE
from rnn_mnist_tf.unroll import DynamicRNN

CELLS = {
    "basic_rnn": BasicRNNCell,
    "gru": GRUCell,
    "basic_lstm": BasicLSTMCell,
    "lstm": LSTMCell,
}


@keras.saving.register_keras_serializable(PACKAGE)
class ScanImage(keras.layers.Layer):
    """`Scan.to_sequence` as a Keras layer, time first: `[time_steps, batch, input_size]`.

    Args:
        scan: one of `rnn_mnist_tf.images.SCANS`.
        image_shape: `(h, w)` or `(h, w, c)`.
        patch_size: for `patches`.
        seed: of the order of `permuted_rows`, and of the draws of `shuffled_rows`.

    >>> ScanImage("rows", (28, 28))(tf.zeros([2, 28, 28])).shape
    TensorShape([28, 2, 28])
    """

    def __init__(self, scan, image_shape, patch_size=7, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.scan = Scan(scan, tuple(image_shape), patch_size, seed)
        self.seed_generator = keras.random.SeedGenerator(seed) if self.scan.random else None

    def call(self, images):
        """Reads the images as sequences."""
        seed = None if self.seed_generator is None else self.seed_generator.next()
        return tf.transpose(self.scan.to_sequence(images, seed), [1, 0, 2])

    def get_config(self):
        """Returns the constructor's arguments."""
        scan = self.scan
        return {
            **super().get_config(),
            "scan": scan.name,
            "image_shape": scan.image_shape,
            "patch_size": scan.patch_size,
            "seed": scan.seed,
        }


@keras.saving.register_keras_serializable(PACKAGE)
class Grayscale(keras.layers.Layer):
    """`rgb_to_grayscale` as a Keras layer.

    >>> Grayscale("article")(tf.ones([2, 4, 4, 3])).shape
    TensorShape([2, 4, 4])
    """

    def __init__(self, weights="rec601", **kwargs):
        super().__init__(**kwargs)
        self.channel_weights = weights

    def call(self, images):
        """Weighs the channels."""
        return rgb_to_grayscale(images, self.channel_weights)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "weights": self.channel_weights}


@keras.saving.register_keras_serializable(PACKAGE)
class LastStep(keras.layers.Layer):
    """`outputs[-1]` of time-major outputs: `[time, batch, units]` gives `[batch, units]`.

    >>> LastStep()(tf.zeros([28, 2, 100])).shape
    TensorShape([2, 100])
    """

    def call(self, outputs):
        """Takes the last step."""
        return outputs[-1]


def make_cell(
    cell="basic_lstm", num_units=100, num_layers=2, use_peepholes=False, cell_clip=0.0, num_proj=0
):
    """Returns the stack `MultiRNNCell([...])`, or the bare cell for one layer.

    Args:
        cell: one of `CELLS`.
        num_units: of each layer.
        num_layers: at least 1.
        use_peepholes, cell_clip, num_proj: of `lstm`; 0 means none.

    Raises:
        ValueError: an unknown cell, no layer, or an option of `lstm` for another cell.

    >>> make_cell("gru", num_units=4).state_size
    (4, 4)
    """
    if cell not in CELLS:
        raise ValueError(f"Received cell={cell!r}, expected one of {tuple(CELLS)}.")
    if num_layers < 1:
        raise ValueError(f"Received num_layers={num_layers}, expected at least 1.")
    options = {}
    if use_peepholes:
        options["use_peepholes"] = True
    if cell_clip:
        options["cell_clip"] = cell_clip
    if num_proj:
        options["num_proj"] = num_proj
    if options and cell != "lstm":
        raise ValueError(f"Received {options} for cell={cell!r}, expected --cell=lstm for these.")
    cells = [CELLS[cell](num_units, **options) for _ in range(num_layers)]
    return cells[0] if num_layers == 1 else MultiRNNCell(cells)


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
):
    """Builds the classifier: plain pixels in, logits out.

        sequence = scan(pixel_scale * pixels + pixel_offset)
        outputs, state = dynamic_rnn(cell, sequence)
        logits = outputs[:, -1, :] W + b

    2 x LSTM 100 on 28 x 28 has 133,010 parameters.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        cell: an `RNNCell`, for example from `make_cell`.
        scan, patch_size, scan_seed: how an image becomes a sequence; see `Scan`.
        grayscale: for colour images, `rec601`, `article`, or `none`, which keeps the channels.
        pixel_scale, pixel_offset: the normalisation of pixels 0 to 255.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown scan, or one that does not fit the image.

    >>> build_rnn((28, 28), 10, make_cell()).count_params()
    133010
    """
    images = keras.Input(image_shape, dtype="uint8", name="images")
    values = keras.layers.Rescaling(pixel_scale, pixel_offset, name="normalise")(images)
    if len(image_shape) == 3 and grayscale != "none":
        values = Grayscale(grayscale, name="grayscale")(values)
        image_shape = image_shape[:2]
    sequence = ScanImage(scan, image_shape, patch_size, scan_seed, name="scan")(values)
    # The state is not needed here: without lengths the last output is the whole answer.
    outputs = DynamicRNN(cell, time_major=True, return_state=False, name="rnn")(sequence)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(
        LastStep(name="last_step")(outputs)
    )
    return keras.Model(images, logits, name="rnn_classifier")
