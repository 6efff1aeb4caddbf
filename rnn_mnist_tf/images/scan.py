"""An image becomes a sequence: shape (h, w) gives time_steps = h and input_size = w."""

import dataclasses

import numpy as np
import tensorflow as tf

SCANS = (
    "rows",
    "columns",
    "rows_reversed",
    "columns_reversed",
    "permuted_rows",
    "shuffled_rows",
    "patches",
    "pixels",
)


@dataclasses.dataclass(frozen=True)
class Scan:
    """A way to read images as sequences, and back.

    | name               | time_steps            | input_size        | a step is                  |
    |--------------------|-----------------------|-------------------|----------------------------|
    | `rows`             | h                     | w c               | a row, top to bottom       |
    | `rows_reversed`    | h                     | w c               | a row, bottom to top       |
    | `permuted_rows`    | h                     | w c               | a row, one order for all   |
    | `shuffled_rows`    | h                     | w c               | a row, an order per image  |
    | `columns`          | w                     | h c               | a column, left to right    |
    | `columns_reversed` | w                     | h c               | a column, right to left    |
    | `patches`          | (h / p) (w / p)       | p p c             | a p x p patch, row by row  |
    | `pixels`           | h w                   | c                 | a pixel, row by row        |

    Args:
        name: one of `SCANS`.
        image_shape: `(h, w)`, or `(h, w, c)` for images with channels.
        patch_size: p, for `patches`.
        seed: an int, of the order of `permuted_rows`.

    Raises:
        ValueError: an unknown name; a shape that is not (h, w) or (h, w, c); sides that do not
            divide by the patch.

    >>> scan = Scan("rows", (28, 28))
    >>> scan.time_steps, scan.input_size
    (28, 28)
    >>> Scan("patches", (28, 28, 3), patch_size=5)
    Traceback (most recent call last):
    ValueError: Received patch_size=5 for images of 28 x 28, expected a divisor of both sides: \
the nearest are 4 and 7.
    """

    name: str
    image_shape: tuple
    patch_size: int = 7
    seed: int = 0

    def __post_init__(self):
        if self.name not in SCANS:
            raise ValueError(f"Received scan={self.name!r}, expected one of {SCANS}.")
        shape = tuple(self.image_shape)
        if len(shape) not in (2, 3) or any(
            not isinstance(size, (int, np.integer)) or size < 1 for size in shape
        ):
            raise ValueError(
                f"Received image_shape={self.image_shape}, expected (height, width) or "
                "(height, width, channels), all known and positive."
            )
        object.__setattr__(self, "image_shape", tuple(int(size) for size in shape))
        if self.name == "patches":
            check_patch_size(self.patch_size, *self.image_shape[:2])

    @property
    def time_steps(self):
        """The number of steps."""
        height, width = self.image_shape[:2]
        if self.name == "pixels":
            return height * width
        if self.name == "patches":
            return (height // self.patch_size) * (width // self.patch_size)
        return width if self.name.startswith("columns") else height

    @property
    def input_size(self):
        """The number of features of one step."""
        return int(np.prod(self.image_shape)) // self.time_steps

    @property
    def random(self):
        """Whether each call draws orders, so that it takes a seed."""
        return self.name == "shuffled_rows"

    def to_sequence(self, images, seed=None):
        """Returns `[batch, time_steps, input_size]`, or `[time_steps, input_size]` for one image.

        Args:
            images: `[batch, *image_shape]` or `image_shape`, any dtype.
            seed: two integers, for `shuffled_rows`: the orders are a function of them.
        """
        images, single = self._as_batch(images, self.image_shape, "images")
        height, width, channels = self._height_width_channels
        pixels = tf.reshape(images, [-1, height, width, channels])
        if self.name in ("columns", "columns_reversed"):
            pixels = tf.transpose(pixels, [0, 2, 1, 3])
        if self.name == "patches":
            rows, columns = height // self.patch_size, width // self.patch_size
            pixels = self._swap_patches(pixels, rows, self.patch_size, columns)
        sequences = tf.reshape(pixels, [-1, self.time_steps, self.input_size])
        sequences = self._reorder(sequences, seed, inverse=False)
        return sequences[0] if single else sequences

    def to_images(self, sequences, seed=None):
        """Returns the images that `to_sequence`, with the same seed, made the sequences from.

        >>> images = tf.random.uniform([2, 6, 4, 3])
        >>> scan = Scan("shuffled_rows", (6, 4, 3))
        >>> again = scan.to_images(scan.to_sequence(images, seed=(1, 2)), seed=(1, 2))
        >>> bool(tf.reduce_all(again == images))
        True
        """
        shape = (self.time_steps, self.input_size)
        sequences, single = self._as_batch(sequences, shape, "sequences")
        sequences = self._reorder(sequences, seed, inverse=True)
        height, width, channels = self._height_width_channels
        if self.name in ("columns", "columns_reversed"):
            pixels = tf.reshape(sequences, [-1, width, height, channels])
            pixels = tf.transpose(pixels, [0, 2, 1, 3])
        elif self.name == "patches":
            rows, columns = height // self.patch_size, width // self.patch_size
            pixels = self._swap_patches(sequences, rows, columns, self.patch_size)
        else:
            pixels = sequences
        images = tf.reshape(pixels, [-1, *self.image_shape])
        return images[0] if single else images

    @property
    def _height_width_channels(self):
        return self.image_shape if len(self.image_shape) == 3 else (*self.image_shape, 1)

    def _as_batch(self, values, shape, name):
        values = tf.convert_to_tensor(values)
        single = values.shape.rank == len(shape)
        if single:
            values = values[None]
        if values.shape.rank is None or not values.shape[1:].is_compatible_with(shape):
            found = values.shape[1:] if single else values.shape
            raise ValueError(
                f"Received {name} of shape {found}, expected [batch, {', '.join(map(str, shape))}] "
                f"or {tuple(shape)}."
            )
        return values, single

    def _swap_patches(self, values, rows, second, third):
        """Swaps the patch's column with the row inside a patch, whichever comes second."""
        inner = self.patch_size * self._height_width_channels[2]
        return tf.transpose(tf.reshape(values, [-1, rows, second, third, inner]), [0, 1, 3, 2, 4])

    def _reorder(self, sequences, seed, inverse):
        if self.name.endswith("_reversed"):
            return tf.reverse(sequences, [1])
        if self.name == "permuted_rows":
            order = np.random.default_rng(self.seed).permutation(self.time_steps)
            return tf.gather(sequences, np.argsort(order) if inverse else order, axis=1)
        if self.name == "shuffled_rows":
            if seed is None:
                raise ValueError(
                    "Received seed=None, expected two integers: shuffled_rows draws an order for "
                    "each image."
                )
            keys = tf.random.stateless_uniform(tf.shape(sequences)[:2], _as_seed(seed))
            order = tf.argsort(keys, axis=1, stable=True)
            order = tf.argsort(order, axis=1) if inverse else order
            return tf.gather(sequences, order, axis=1, batch_dims=1)
        return sequences


def _as_seed(seed):
    return tf.cast(seed, tf.int64)  # Keras's seeds have a dtype of their own


def check_patch_size(patch_size, height, width):
    """Raises `ValueError` for a patch that does not divide both sides; it names the nearest.

    >>> check_patch_size(7, 28, 28)
    >>> check_patch_size(3, 28, 28)
    Traceback (most recent call last):
    ValueError: Received patch_size=3 for images of 28 x 28, expected a divisor of both sides: \
the nearest are 2 and 4.
    """
    if not isinstance(patch_size, int) or isinstance(patch_size, bool) or patch_size < 1:
        raise ValueError(f"Received patch_size={patch_size!r}, expected a positive integer.")
    if height % patch_size or width % patch_size:
        sizes = [p for p in range(1, min(height, width) + 1) if height % p == width % p == 0]
        below = max([p for p in sizes if p < patch_size], default=None)
        above = min([p for p in sizes if p > patch_size], default=None)
        nearest = " and ".join(str(p) for p in (below, above) if p is not None)
        verb = "are" if " and " in nearest else "is"
        raise ValueError(
            f"Received patch_size={patch_size} for images of {height} x {width}, expected a "
            f"divisor of both sides: the nearest {verb} {nearest}."
        )
