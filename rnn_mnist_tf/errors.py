"""Errors that a door answers with one line instead of a traceback."""


class InputError(ValueError):
    """Something the user gave is wrong: a flag, a file, a directory.

    >>> raise InputError("Received x, expected y, do z.")
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received x, expected y, do z.
    """
