"""The Keras layers between pixels, cells and logits."""

import keras
import tensorflow as tf

from rnn_mnist_tf.images import Augmentation, Scan, augment_images, rgb_to_grayscale
from rnn_mnist_tf.rnn_cell.base import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class Augment(keras.layers.Layer):
    """`augment_images` as a Keras layer: in training alone, otherwise the images as they are.

    Args:
        shift, rotation, zoom, elastic: see `rnn_mnist_tf.images.Augmentation`.
        seed: of the draws.

    Call arguments:
        images: `[batch, h, w]` or `[batch, h, w, channels]`, any numbers.
        training: Keras's; None means False.

    >>> images = tf.ones([2, 4, 4])
    >>> layer = Augment(shift=0.5)
    >>> bool(tf.reduce_all(layer(images) == images))
    True
    """

    def __init__(self, shift=0.0, rotation=0.0, zoom=0.0, elastic=0.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.augmentation = Augmentation(shift, rotation, zoom, elastic)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=None):
        """Moves the images."""
        images = tf.cast(images, self.compute_dtype)
        if not training:
            return images
        channels = images if images.shape.rank == 4 else images[..., None]
        moved = augment_images(channels, self.augmentation, self.seed_generator.next())
        moved = tf.cast(moved, self.compute_dtype)
        return moved if images.shape.rank == 4 else moved[..., 0]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), **self.augmentation._asdict(), "seed": self.seed}


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
        self.draws_in_inference = self.scan.random
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
class BlankSteps(keras.layers.Layer):
    """Appends steps of one value to `[time, batch, features]`.

    >>> BlankSteps(2, -1.0)(tf.zeros([1, 1, 1])).numpy().ravel().tolist()
    [0.0, -1.0, -1.0]
    """

    def __init__(self, steps, value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.steps, self.value = steps, value

    def call(self, sequence):
        """Pads the first axis at its end."""
        return tf.pad(sequence, [[0, self.steps], [0, 0], [0, 0]], constant_values=self.value)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "steps": self.steps, "value": self.value}


@keras.saving.register_keras_serializable(PACKAGE)
class LastStep(keras.layers.Layer):
    """`outputs[-1]` of time-major outputs: `[time, batch, units]` gives `[batch, units]`.

    >>> LastStep()(tf.zeros([28, 2, 100])).shape
    TensorShape([2, 100])
    """

    def call(self, outputs):
        """Takes the last step."""
        return outputs[-1]


@keras.saving.register_keras_serializable(PACKAGE)
class ReverseTime(keras.layers.Layer):
    """Reverses the steps of `[time, batch, ...]`.

    >>> ReverseTime()(tf.constant([[[1.0]], [[2.0]]])).numpy().ravel().tolist()
    [2.0, 1.0]
    """

    def call(self, sequences):
        """Reverses the first axis."""
        return tf.reverse(sequences, [0])


@keras.saving.register_keras_serializable(PACKAGE)
class MeanStep(keras.layers.Layer):
    """The mean over steps: `[time, batch, units]` gives `[batch, units]`.

    >>> float(MeanStep()(tf.constant([[[1.0]], [[3.0]]]))[0, 0])
    2.0
    """

    def call(self, outputs):
        """Takes the mean over the first axis."""
        return tf.reduce_mean(outputs, 0)


@keras.saving.register_keras_serializable(PACKAGE)
class AttentionOverSteps(keras.layers.Layer):
    """A learnt weighted mean over steps: `[time, batch, units]` gives `[batch, units]`.

        e_t = v . tanh(outputs_t W + b)
        result = sum_t softmax(e)_t outputs_t

    Source: Yang et al. 2016, "Hierarchical Attention Networks for Document Classification".

    >>> AttentionOverSteps()(tf.zeros([28, 2, 100])).shape
    TensorShape([2, 100])
    """

    def build(self, outputs_shape):
        """Makes W, b and v."""
        self.hidden = keras.layers.Dense(outputs_shape[-1], activation="tanh")
        self.hidden.build(outputs_shape)
        self.score = keras.layers.Dense(1, use_bias=False)
        self.score.build(outputs_shape)

    def call(self, outputs):
        """Weighs the steps."""
        weights = tf.nn.softmax(self.score(self.hidden(outputs)), axis=0)
        return tf.reduce_sum(weights * outputs, 0)


@keras.saving.register_keras_serializable(PACKAGE)
class AtLeastOneRow(keras.layers.Layer):
    """Gives an empty batch one row of zeros, and leaves other batches alone.

    TensorFlow's convolutions on a CPU give a batch of no rows a wrong number of channels, and batch
    statistics of no rows are not numbers.

    >>> AtLeastOneRow()(tf.ones([0, 2])).shape, AtLeastOneRow()(tf.ones([3, 2])).shape
    (TensorShape([1, 2]), TensorShape([3, 2]))
    """

    def call(self, values):
        """Appends the row where it is missing."""
        rows = tf.cast(tf.equal(tf.shape(values)[0], 0), tf.int32)
        return tf.concat([values, tf.zeros([rows, *values.shape[1:]], values.dtype)], 0)

    def compute_output_shape(self, values_shape):
        """Returns the shape, whose batch may be another."""
        return (None, *values_shape[1:])


@keras.saving.register_keras_serializable(PACKAGE)
class RowsOf(keras.layers.Layer):
    """As many rows of the first as the second has: undoes `AtLeastOneRow`.

    >>> RowsOf()([tf.ones([1, 2]), tf.ones([0, 3])]).shape
    TensorShape([0, 2])
    """

    def call(self, values):
        """Drops the rest."""
        values, other = values
        return values[: tf.shape(other)[0]]

    def compute_output_shape(self, shapes):
        """Returns the shape."""
        return (shapes[1][0], *shapes[0][1:])
