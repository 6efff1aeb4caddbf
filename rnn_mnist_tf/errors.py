"""Errors that a door answers with one line instead of a traceback, and that line."""


class InputError(ValueError):
    """Something the user gave is wrong: a flag, a file, a directory.

    >>> raise InputError("Received x, expected y, do z.")
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received x, expected y, do z.
    """


def one_line(error):
    """Returns an error's text in one line.

    >>> one_line(ValueError("first\\n  second"))
    'first second'
    """
    return " ".join(str(error).split())
