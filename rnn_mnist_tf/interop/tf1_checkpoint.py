"""Weights from the files of TensorFlow 1's `tf.train.Saver`."""

import tensorflow as tf


def restore_tf1_checkpoint(cell, path, scope=None):
    """Gives a built cell the weights that a TF1 graph saved, name for name.

    Optimizers' slots, and whatever else the file holds, stay where they are. Nothing is assigned
    unless everything fits.

    Args:
        cell: a built cell of this package. One that a loop has run knows its scope.
        path: the prefix that `tf.train.Saver.save` gave back, such as `model.ckpt-1000`, or a
            directory, whose latest checkpoint is taken.
        scope: of the loop in the TF1 graph; see `RNNCell.tf1_variables`. Each half of a
            bidirectional loop has one of its own, `bidirectional_rnn/fw` and `/bw`.

    Returns:
        The names that were read.

    Raises:
        ValueError: a cell that is not built; no checkpoint there, or a damaged one; a variable that
            the file lacks or has in another shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/Saver

    >>> import tempfile
    >>> from rnn_mnist_tf.rnn_cell import BasicRNNCell
    >>> path = f"{tempfile.mkdtemp()}/model.ckpt"
    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     for name, shape in (("kernel", [4, 1]), ("bias", [1])):
    ...         _ = tf.Variable(tf.ones(shape), name=f"rnn/basic_rnn_cell/{name}")
    ...     session.run(tf.compat.v1.global_variables_initializer())
    ...     _ = tf.compat.v1.train.Saver().save(session, path)
    >>> cell = BasicRNNCell(1)
    >>> cell.build((None, 3))
    >>> restore_tf1_checkpoint(cell, path), cell.bias.numpy().tolist()
    (['rnn/basic_rnn_cell/kernel', 'rnn/basic_rnn_cell/bias'], [1.0])
    """
    variables = cell.tf1_variables(scope)
    if not variables:
        raise ValueError(f"Received {cell.name}, which is not built. Call it, or build it, first.")
    reader = _open(path)
    shapes = reader.get_variable_to_shape_map()
    missing = [name for name in variables if name not in shapes]
    if missing:
        raise ValueError(
            f"Received path={str(path)!r} without {', '.join(missing)}, expected the cell's "
            f"variables in the scope of its loop. {_advise(missing, shapes)}"
        )
    for name, variable in variables.items():
        if tuple(shapes[name]) != tuple(variable.shape):
            raise ValueError(
                f"Received path={str(path)!r} with {name} of shape {tuple(shapes[name])}, expected "
                f"{tuple(variable.shape)}, the cell's. Make the cell with the sizes it had."
            )
    values = {name: reader.get_tensor(name) for name in variables}
    for name, variable in variables.items():
        variable.assign(values[name])
    return list(variables)


def _open(path):
    try:
        return tf.train.load_checkpoint(str(path))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Received path={str(path)!r}, expected the prefix of a checkpoint, such as "
            f"model.ckpt-1000, or its directory: {error}"
        ) from error


def _advise(missing, shapes):
    """Names the scopes under which the file has the first missing variable, if there are any."""
    parts = missing[0].split("/")
    for begin in range(1, len(parts) - 1):  # the cell's own name too: `kernel` alone is any cell's
        tail = "/".join(parts[begin:])
        scopes = [
            name.removesuffix(tail).rstrip("/") for name in sorted(shapes) if _ends(name, tail)
        ]
        if scopes:
            return f"It has .../{tail} below {' and '.join(map(repr, scopes))}: see scope."
    return f"It has {', '.join(sorted(shapes)) or 'nothing'}."


def _ends(name, tail):
    return name == tail or name.endswith(f"/{tail}")
