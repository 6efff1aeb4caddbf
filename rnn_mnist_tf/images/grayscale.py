"""Colour becomes gray, or one sequence a channel."""

import tensorflow as tf

# ITU-R BT.601 luma, and the article's own weights, which sum to 0.791 and so darken the image.
GRAYSCALE_WEIGHTS = {
    "rec601": (0.299, 0.587, 0.114),
    "article": (0.29, 0.387, 0.114),
}


def rgb_to_grayscale(images, weights="rec601"):
    """Returns `R w_r + G w_g + B w_b`, in the dtype of the images.

    Integer images are rounded to the nearest whole number. Images of one channel come back
    without their channel axis.

    Args:
        images: `[..., 3]` or `[..., 1]`, any integer or float dtype.
        weights: `rec601`, (0.299, 0.587, 0.114) of ITU-R BT.601, or `article`,
            (0.29, 0.387, 0.114), which do not sum to 1.

    Returns:
        `[...]`, the dtype of `images`.

    Raises:
        ValueError: another number of channels; unknown weights.

    >>> rgb_to_grayscale(tf.constant([[255, 0, 0], [255, 255, 255]], tf.uint8)).numpy()
    array([ 76, 255], dtype=uint8)
    """
    if weights not in GRAYSCALE_WEIGHTS:
        raise ValueError(
            f"Received weights={weights!r}, expected one of {tuple(GRAYSCALE_WEIGHTS)}."
        )
    images = tf.convert_to_tensor(images)
    channels = images.shape[-1] if images.shape.rank else None
    if channels == 1:
        return tf.squeeze(images, -1)
    if channels != 3:
        raise ValueError(
            f"Received images of shape {images.shape}, expected [..., 3] or [..., 1]. "
            "Convert other modes with PIL.Image.convert('RGB')."
        )
    # Whole numbers of more than 8 bits need more digits than float32 has to round well.
    narrow = (tf.uint8, tf.int8, tf.float16, tf.bfloat16, tf.float32)
    wide = tf.float32 if images.dtype in narrow else tf.float64
    gray = tf.reduce_sum(tf.cast(images, wide) * tf.constant(GRAYSCALE_WEIGHTS[weights], wide), -1)
    if images.dtype.is_integer:
        gray = tf.round(gray)
    return tf.cast(gray, images.dtype)


def split_channels(images):
    """Returns the channels of `[..., channels]` as a list of `[...]`.

    >>> [channel.numpy().tolist() for channel in split_channels(tf.constant([[1, 2, 3]]))]
    [[1], [2], [3]]
    """
    images = tf.convert_to_tensor(images)
    if not images.shape.rank or images.shape[-1] is None:
        raise ValueError(
            f"Received images of shape {images.shape}, expected [..., channels] with the number "
            "of channels known."
        )
    return tf.unstack(images, axis=-1)
