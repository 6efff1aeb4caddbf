"""ReNet: cells sweep over the columns of an image, then over the rows, layer after layer."""

import keras

from rnn_mnist_tf.images.scan import check_patch_size
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, run_over_time
from rnn_mnist_tf.models.layers import ReverseTime

_LATER_PATCH_SIZE = 2


def build_renet(
    image_shape,
    num_classes,
    make,
    *,
    patch_size=2,
    num_layers=1,
    dense_units=0,
    dense_keep_prob=1.0,
    front=Front(),  # noqa: B008  frozen
    seed=0,
):
    """Builds layers of four cells, each of which sweeps a whole image in one direction.

        x[i, j] = the p x p patch in row i and column j of the layer's input, flattened
        v[i, j] = [down(x[i, j], from v's row i - 1), up(x[i, j], from row i + 1)]
        y[i, j] = [right(v[i, j], from y's column j - 1), left(v[i, j], from column j + 1)]
        logits = relu(flatten(y) W_1 + b_1) W + b

    All columns share the two cells that go down and up, all rows the two that go right and left. p
    is `patch_size` in the first layer and 2 in later ones. One layer of GRU 64 over patches of 2 on
    28 x 28 has 351,498 parameters: 2 x 13,248 and 2 x 37,056 of the cells, 250,890 of the logits.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        make: `make(input_size)` returns a new cell for steps of so many features; see `make_cell`.
            The paper's is a GRU.
        patch_size: of the first layer.
        num_layers: at least 1; each later layer halves both sides.
        dense_units, dense_keep_prob: see `apply_dense`. The paper has 4,096 units, then dropout.
        front: a `Front`: how bytes become values.
        seed: of dropout.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: sides that do not divide by the patches; no layer.

    Source: Visin, Kastner, Cho, Matteucci, Courville and Bengio 2015, "ReNet: A Recurrent Neural
    Network Based Alternative to Convolutional Networks".

    >>> from rnn_mnist_tf.models import make_cell
    >>> make = lambda size: make_cell("gru", 64, num_layers=1, input_size=size)
    >>> build_renet((28, 28), 10, make).count_params()
    351498
    """
    if num_layers < 1:
        raise ValueError(f"Received num_layers={num_layers}, expected at least 1.")
    images, values = front(image_shape)
    if len(values.shape) == 3:
        values = keras.layers.Reshape((*values.shape[1:], 1), name="channel")(values)
    for layer in range(1, num_layers + 1):
        size = patch_size if layer == 1 else _LATER_PATCH_SIZE
        values = sweep(cut_patches(values, size, layer), make, layer)
    features = keras.layers.Flatten(name="flatten")(values)
    logits = apply_dense(features, num_classes, dense_units, dense_keep_prob, seed)
    return keras.Model(images, logits, name="renet_classifier")


def cut_patches(values, patch_size, layer=1):
    """Returns non-overlapping patches, flattened: `[batch, h / p, w / p, p p c]`.

    Args:
        values: `[batch, h, w, c]`.
        patch_size: p.
        layer: which layer it is for, for the error.

    Raises:
        ValueError: sides that do not divide by p; it names the nearest sizes that do.

    >>> cut_patches(keras.Input((6, 4, 3)), 2).shape
    (None, 3, 2, 12)
    """
    height, width, channels = values.shape[1:]
    try:
        check_patch_size(patch_size, height, width)
    except ValueError as error:
        advice = " Lower --num_layers." if layer > 1 else ""
        raise ValueError(f"Layer {layer} of renet: {error}{advice}") from error
    rows, columns = height // patch_size, width // patch_size
    values = keras.ops.reshape(values, (-1, rows, patch_size, columns, patch_size * channels))
    values = keras.ops.transpose(values, (0, 1, 3, 2, 4))
    return keras.ops.reshape(values, (-1, rows, columns, patch_size * patch_size * channels))


def sweep(values, make, layer=1):
    """Returns one layer's result, `[batch, rows, columns, units of right + units of left]`.

    A sweep has the direction that it goes in as its time, and all lines of all images side by side
    as its batch: `[rows, batch * columns, features]`, then `[columns, batch * rows, features]`.

    Args:
        values: `[batch, rows, columns, features]`.
        make: see `build_renet`.
        layer: which layer it is, for the names.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> sweep(keras.Input((3, 2, 12)), lambda input_size: GRUCell(4)).shape
    (None, 3, 2, 8)
    """
    rows, columns = values.shape[1:3]
    # Rows as time: [rows, batch, columns, features].
    values = keras.ops.transpose(values, (1, 0, 2, 3))
    values = _both_ways(values, make, (f"down_{layer}", f"up_{layer}"))
    # Columns as time: [columns, batch, rows, features].
    values = keras.ops.reshape(values, (rows, -1, columns, values.shape[-1]))
    values = keras.ops.transpose(values, (2, 1, 0, 3))
    values = _both_ways(values, make, (f"right_{layer}", f"left_{layer}"))
    values = keras.ops.reshape(values, (columns, -1, rows, values.shape[-1]))
    return keras.ops.transpose(values, (1, 2, 0, 3))


def _both_ways(values, make, names):
    """Runs two new cells over `[time, batch, lines, size]`; gives `[time, batch lines, units]`."""
    features = values.shape[-1]
    lines = keras.ops.reshape(values, (values.shape[0], -1, features))
    both = f"{names[0]}_and_{names[1]}"
    forward = run_over_time(make(features), lines, names[0], f"{both}/fw")
    lines = ReverseTime(name=f"{names[1]}_inputs")(lines)
    backward = run_over_time(make(features), lines, names[1], f"{both}/bw")
    backward = ReverseTime(name=f"{names[1]}_outputs")(backward)
    return keras.layers.Concatenate(name=both)([forward, backward])
