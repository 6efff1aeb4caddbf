"""A feature map becomes a sequence."""

import keras
import tensorflow as tf

from rnn_mnist_tf.images import Scan
from rnn_mnist_tf.models.layers import ScanImage
from rnn_mnist_tf.rnn_cell.base import PACKAGE

SERIALIZATIONS = ("rows", "columns", "both", "positions")
SHUFFLES = ("none", "fixed", "fresh")

_SCANS = {
    "rows": ("rows",),
    "columns": ("columns",),
    "both": ("rows", "columns"),
    "positions": ("pixels",),
}
# Each is a scan of the sequence, which has its steps where an image has its rows.
_ORDERS = {"none": "rows", "fixed": "permuted_rows", "fresh": "shuffled_rows"}


def sequence_shape(feature_shape, serialize):
    """Returns `(steps, features)` of a feature map `(h, w, c)` that is read as a sequence.

    | serialize   | steps | features | a step is                             |
    |-------------|-------|----------|---------------------------------------|
    | `rows`      | h     | w c      | a row, top to bottom                  |
    | `columns`   | w     | h c      | a column, left to right               |
    | `both`      | h + w | w c      | the rows, then the columns; h is w    |
    | `positions` | h w   | c        | a position, row by row                |

    Raises:
        ValueError: an unknown way; `both` for a map that is not square.

    >>> sequence_shape((7, 7, 64), "rows"), sequence_shape((7, 7, 64), "both")
    ((7, 448), (14, 448))
    """
    if serialize not in SERIALIZATIONS:
        raise ValueError(f"Received serialize={serialize!r}, expected one of {SERIALIZATIONS}.")
    height, width, _ = feature_shape
    if serialize == "both" and height != width:
        raise ValueError(
            f"Received serialize='both' for features of {height} x {width}, expected as many rows "
            "as columns: their steps are one sequence. Use --serialize=rows."
        )
    scans = [Scan(name, tuple(feature_shape)) for name in _SCANS[serialize]]
    return sum(scan.time_steps for scan in scans), scans[0].input_size


def to_sequence(features, serialize):
    """Returns `[batch, steps, features]`, in the order of `sequence_shape`'s table.

    Args:
        features: `[batch, h, w, c]`.
        serialize: one of `SERIALIZATIONS`.

    Raises:
        ValueError: see `sequence_shape`.

    >>> to_sequence(tf.constant([[[[1], [2]], [[3], [4]]]]), "both").numpy().tolist()
    [[[1, 2], [3, 4], [1, 3], [2, 4]]]
    """
    shape = tuple(features.shape[1:])
    sequence_shape(shape, serialize)
    return tf.concat([Scan(name, shape).to_sequence(features) for name in _SCANS[serialize]], 1)


@keras.saving.register_keras_serializable(PACKAGE)
class Serialize(keras.layers.Layer):
    """`to_sequence` as a Keras layer.

    >>> Serialize("positions")(tf.zeros([2, 3, 4, 5])).shape
    TensorShape([2, 12, 5])
    """

    def __init__(self, serialize="rows", **kwargs):
        super().__init__(**kwargs)
        self.serialize = serialize

    def call(self, features):
        """Reads the features as sequences."""
        return to_sequence(features, self.serialize)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "serialize": self.serialize}


def read_features(features, serialize="rows", shuffle_steps="none", seed=0):
    """Returns a feature map as a sequence, time first: `[steps, batch, features]`.

    Args:
        features: a Keras tensor `[batch, h, w, c]`.
        serialize: one of `SERIALIZATIONS`; see `sequence_shape`.
        shuffle_steps: `none`; `fixed`, one order of the steps for all images; `fresh`, another
            order for each image, in training and afterwards.
        seed: of the orders.

    Raises:
        ValueError: an unknown order; see `sequence_shape`.

    >>> read_features(keras.Input((7, 5, 3)), "columns", "fixed").shape
    (5, None, 21)
    """
    if shuffle_steps not in SHUFFLES:
        raise ValueError(f"Received shuffle_steps={shuffle_steps!r}, expected one of {SHUFFLES}.")
    shape = sequence_shape(features.shape[1:], serialize)
    sequence = Serialize(serialize, name="serialize")(features)
    return ScanImage(_ORDERS[shuffle_steps], shape, seed=seed, name="steps")(sequence)
