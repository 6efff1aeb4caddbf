"""A model's answer to several views of an image."""

import keras
import tensorflow as tf

from rnn_mnist_tf.images import shift_image
from rnn_mnist_tf.rnn_cell.base import PACKAGE

VIEWS = ("one", "shifts")
# By how many rows and columns an image is moved down and to the right.
_SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


@keras.saving.register_keras_serializable(PACKAGE)
class MeanOverShifts(keras.layers.Wrapper):
    """A model that answers for an image and for the image moved by a pixel each way; 5 views.

        answer = (1 / 5) sum_v log_softmax(logits(view_v))

    In training the answer is the model's own: it sees images moved at random there, if at all.
    An answer of five views costs five times the work.

    Args:
        layer: a `keras.Model` from images to logits.

    Call arguments:
        images: `[batch, h, w]` or `[batch, h, w, channels]`.
        training: Keras's; None means False.

    Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 4.1, whose answers are means over ten crops.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> MeanOverShifts(build_rnn((4, 3), 2, make_cell("gru", 5, 1)))(tf.zeros([7, 4, 3])).shape
    TensorShape([7, 2])
    """

    def call(self, images, training=None):
        """Returns `[batch, classes]`."""
        if training:
            return self.layer(images, training=True)
        views = tf.stack([shift_image(images, *shift) for shift in _SHIFTS])
        answers = tf.map_fn(  # one after the other: all at once take five times the memory
            lambda view: tf.nn.log_softmax(self.layer(view, training=False)),
            views,
            fn_output_signature=tf.TensorSpec([None, self.layer.output_shape[-1]], tf.float32),
            parallel_iterations=1,
        )
        return tf.reduce_mean(answers, 0)


def answer_views(model, views):
    """Returns the model, or one whose answers are means over views.

    Args:
        model: a `keras.Model` from uint8 images to logits.
        views: `one`, the image itself; `shifts`, see `MeanOverShifts`.

    Raises:
        ValueError: unknown views.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> answer_views(build_rnn((4, 3), 2, make_cell("gru", 5, 1)), "shifts").output_shape
    (None, 2)
    """
    if views not in VIEWS:
        raise ValueError(f"Received views={views!r}, expected one of {VIEWS}.")
    if views == "one":
        return model
    images = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    return keras.Model(images, MeanOverShifts(model, name="views")(images), name=model.name)


def viewed_model(model):
    """Returns the model that answers for a single view: `model` itself, or what `views` is around.

    >>> from rnn_mnist_tf.models import build_rnn, make_cell
    >>> model = build_rnn((4, 3), 2, make_cell("gru", 5, 1))
    >>> viewed_model(answer_views(model, "shifts")) is model
    True
    """
    views = [layer for layer in model.layers if isinstance(layer, MeanOverShifts)]
    return views[0].layer if views else model
