"""The state of an LSTM."""

import collections


class LSTMStateTuple(collections.namedtuple("LSTMStateTuple", ("c", "h"))):
    """The state of an LSTM: `c`, the memory, then `h`, the output.

    Keras and PyTorch hold the same two tensors the other way round, `[h, c]`.

    Source: `tf.nn.rnn_cell.LSTMStateTuple` of TensorFlow 1.

    >>> import tensorflow as tf
    >>> state = LSTMStateTuple(c=tf.zeros([1, 2]), h=tf.ones([1, 2]))
    >>> c, h = state
    >>> float(h[0, 0]), state.dtype.name
    (1.0, 'float32')
    """

    __slots__ = ()

    @property
    def dtype(self):
        """The dtype shared by `c` and `h`. Raises `TypeError` if they differ."""
        if self.c.dtype != self.h.dtype:
            raise TypeError(
                f"Received c of dtype {self.c.dtype} and h of dtype {self.h.dtype}, "
                "expected one dtype. Cast one of them."
            )
        return self.c.dtype
