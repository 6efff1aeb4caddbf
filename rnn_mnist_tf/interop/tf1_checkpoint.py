"""Weights from the files of TensorFlow 1's `tf.train.Saver`."""

import contextlib

import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell

_NAMED = 20  # of a file's variables, in an error


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
        TypeError: no cell; of a `DynamicRNN` pass its `cell`.
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
    cell = as_rnn_cell(cell)
    if not isinstance(cell, RNNCell):
        raise TypeError(
            f"Received cell={cell!r} ({type(cell).__name__}), expected an RNNCell. Of a layer or a "
            "model pass the cell inside."
        )
    variables = cell.tf1_variables(scope)
    if not variables:
        raise ValueError(f"Received {cell.name}, which is not built. Call it, or build it, first.")
    with _reading(path):
        reader = tf.train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
    missing = [name for name in variables if name not in shapes]
    if missing:
        raise ValueError(
            f"Received path={str(path)!r} without {', '.join(missing)}, expected the cell's "
            f"variables in the scope of its loop. {_advise(cell, shapes)}"
        )
    for name, variable in variables.items():
        if tuple(shapes[name]) != tuple(variable.shape):
            raise ValueError(
                f"Received path={str(path)!r} with {name} of shape {tuple(shapes[name])}, expected "
                f"{tuple(variable.shape)}, the cell's. Make the cell with the sizes it had."
            )
    with _reading(path):
        values = {name: reader.get_tensor(name) for name in variables}
    for name, variable in variables.items():
        variable.assign(values[name])
    return list(variables)


@contextlib.contextmanager
def _reading(path):
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
        raise ValueError(
            f"Received path={str(path)!r}, expected the prefix of a checkpoint, such as "
            f"model.ckpt-1000, or its directory, with its files whole: {error}"
        ) from error


def _advise(cell, shapes):
    """Names the scopes below which a file has all variables of a cell, or what else it has."""
    tails = list(cell.tf1_variables(scope=""))
    scopes = [
        prefix.removesuffix("/")
        for prefix in (name.removesuffix(tails[0]) for name in sorted(shapes))
        if all(f"{prefix}{tail}" in shapes for tail in tails)
    ]
    if scopes:
        return f"They are below scope {' and '.join(map(repr, scopes))}."
    more = f" and {len(shapes) - _NAMED} more" if len(shapes) > _NAMED else ""
    return f"It has {', '.join(sorted(shapes)[:_NAMED]) or 'nothing'}{more}."
