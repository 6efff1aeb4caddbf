"""Blocks of convolutions, which other models read their features from."""

import keras

from rnn_mnist_tf.models.layers import AtLeastOneRow, RowsOf

_MOMENTUM = 0.9


def parse_filters(text):
    """Returns the filters of each block, from a comma list.

    Raises:
        ValueError: anything but positive whole numbers with commas between them.

    >>> parse_filters("32,48,48,64")
    (32, 48, 48, 64)
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"Received filters={text!r}, expected positive whole numbers with commas between "
            "them, such as 32,48,48,64."
        )
    return tuple(int(part) for part in parts)


def feature_shape(value_shape, filters, tap):
    """Returns the shape `(h, w, c)` of the features that `convolve` gives.

    Args:
        value_shape: `(h, w)` or `(h, w, c)`, of the values that it reads.
        filters, tap: see `convolve`.

    Raises:
        ValueError: a tap that is no block's; an image that the poolings leave nothing of.

    >>> [feature_shape((28, 28), (32, 48, 48, 64), tap) for tap in (1, 2, 3, 4)]
    [(28, 28, 32), (14, 14, 48), (14, 14, 48), (7, 7, 64)]
    """
    if not 1 <= tap <= len(filters):
        raise ValueError(
            f"Received tap={tap}, expected a block from 1 to {len(filters)}: so many has "
            f"filters={','.join(map(str, filters))}."
        )
    height, width = value_shape[:2]
    halvings = tap // 2
    if min(height, width) >> halvings == 0:
        raise ValueError(
            f"Received tap={tap} for images of {height} x {width}, expected at least "
            f"{2**halvings} x {2**halvings}: every second block halves them. Lower --tap."
        )
    return height >> halvings, width >> halvings, filters[tap - 1]


def convolve(values, filters, tap, feature_keep_prob=1.0, seed=0):
    """Returns the features after block `tap`; later blocks do not exist.

        block(x) = relu(BatchNormalization(Conv2D 3 x 3, same, without bias (x)))
        pool(x) = dropout(MaxPooling2D 2 x 2 (x))
        features = ... pool(block_4(block_3(pool(block_2(block_1(values))))))

    A pooling ends every second block; an odd row or column is dropped. Blocks of
    32, 48, 48, 64 filters over gray images have 62,496 weights of convolutions and 768 of batch
    normalisations, half of these not trained. Their moving statistics forget a tenth at each step:
    Keras's default, a hundredth, is far from them still after an epoch of a few dozen steps.

    Args:
        values: a Keras tensor `[batch, h, w]` or `[batch, h, w, channels]`.
        filters: of each block.
        tap: 1 to `len(filters)`.
        feature_keep_prob: the part of the features after each pooling that is kept in training.
        seed: of the dropout; each pooling draws apart.

    Raises:
        ValueError: see `feature_shape`; a `feature_keep_prob` for one block, which nothing pools.

    >>> convolve(keras.Input((28, 28)), (32, 48, 48, 64), tap=4).shape
    (None, 7, 7, 64)
    """
    shape = tuple(values.shape[1:])
    feature_shape(shape, filters, tap)
    if tap == 1 and feature_keep_prob != 1.0:
        raise ValueError(
            f"Received feature_keep_prob={feature_keep_prob} and tap=1, expected a tap of at least "
            "2: no pooling comes before. Leave out --feature_keep_prob."
        )
    features = AtLeastOneRow(name="at_least_one_row")(values)
    if len(shape) == 2:
        features = keras.layers.Reshape((*shape, 1), name="channel")(features)
    for block, size in enumerate(filters[:tap], start=1):
        convolution = keras.layers.Conv2D(
            size, 3, padding="same", use_bias=False, name=f"convolution_{block}"
        )
        features = convolution(features)
        normalisation = keras.layers.BatchNormalization(
            momentum=_MOMENTUM, name=f"normalisation_{block}"
        )
        features = normalisation(features)
        features = keras.layers.ReLU(name=f"relu_{block}")(features)
        if block % 2 == 0:
            features = keras.layers.MaxPooling2D(2, name=f"pool_{block}")(features)
            if feature_keep_prob != 1.0:
                dropout = keras.layers.Dropout(
                    1 - feature_keep_prob, seed=seed + block, name=f"dropout_{block}"
                )
                features = dropout(features)
    return RowsOf(name="features")([features, values])
