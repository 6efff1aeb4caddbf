"""What every model begins with: bytes become the values that it reads."""

import dataclasses

import keras

from rnn_mnist_tf.images.augment import UNCHANGED, Augmentation
from rnn_mnist_tf.images.grayscale import GRAYSCALE_WEIGHTS
from rnn_mnist_tf.models.layers import Augment, Grayscale


@dataclasses.dataclass(frozen=True)
class Front:
    """From uint8 images to normalised gray ones, or to colour ones if `grayscale` is none.

        values = gray(pixel_scale * augment(pixels) + pixel_offset)

    Images are augmented in training only, as pixels, so that what comes in from outside is black.

    Args:
        grayscale: for colour images, `rec601`, `article`, or `none`, which keeps the channels.
        pixel_scale, pixel_offset: the normalisation of pixels 0 to 255.
        augmentation: an `Augmentation`; none by default.
        seed: of the augmentation.

    >>> images, values = Front()((32, 32, 3))
    >>> images.dtype, values.dtype, values.shape
    ('uint8', 'float32', (None, 32, 32))
    """

    grayscale: str = "rec601"
    pixel_scale: float = 1 / 255
    pixel_offset: float = 0.0
    augmentation: Augmentation = UNCHANGED
    seed: int = 0

    def __call__(self, image_shape):
        """Returns the Keras tensors `(images, values)` for images of `image_shape`."""
        images = values = keras.Input(image_shape, dtype="uint8", name="images")
        if self.augmentation.active:
            values = Augment(*self.augmentation, seed=self.seed, name="augment")(values)
        values = keras.layers.Rescaling(self.pixel_scale, self.pixel_offset, name="normalise")(
            values
        )
        if self._weighs_colour(image_shape):
            values = Grayscale(self.grayscale, name="grayscale")(values)
        return images, values

    def _weighs_colour(self, image_shape):
        return len(image_shape) == 3 and self.grayscale != "none"

    def shape(self, image_shape):
        """Returns the shape of one image's values.

        >>> Front().shape((32, 32, 3)), Front("none").shape((32, 32, 3))
        ((32, 32), (32, 32, 3))
        """
        shape = tuple(image_shape)
        return shape[:2] if self._weighs_colour(shape) else shape

    def blank(self, image_shape):
        """Returns the value of a black pixel.

        >>> Front(pixel_offset=-1.0).blank((28, 28))
        -1.0
        """
        if self._weighs_colour(image_shape) and image_shape[2] == 3:
            return self.pixel_offset * sum(GRAYSCALE_WEIGHTS[self.grayscale])
        return self.pixel_offset
