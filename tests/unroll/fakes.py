"""Cells whose every number is known beforehand."""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import RNNCell


class Counter(RNNCell):
    """Counts steps, in an integer for each row and in one scalar for all; the output is the count.

    The scalar belongs to no row, so that it counts the steps that were run.
    """

    @property
    def state_size(self):
        return (1, tf.TensorShape([]))

    @property
    def output_size(self):
        return 1

    def zero_state(self, batch_size, dtype):
        del dtype
        return tf.zeros([batch_size, 1], tf.int32), tf.constant(0)

    def call(self, inputs, state):
        del inputs
        rows, steps = state
        return tf.cast(rows + 1, tf.float32), (rows + 1, steps + 1)


class Replicator(RNNCell):
    """Gives its inputs as output and as state."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    @property
    def state_size(self):
        return self.units

    @property
    def output_size(self):
        return self.units

    def call(self, inputs, state):
        return inputs, tf.ensure_shape(inputs, state.shape)


class Nested(RNNCell):
    """Takes a dict of matrices, sums up, and gives nests of other shapes back.

    Inputs `{"left": [B, 2], "right": ([B, 3], [B, 2, 2])}`; the state sums up the leaves; the
    output is `(sum of the first, {"last": sum of the last})`.
    """

    @property
    def state_size(self):
        return {"first": 2, "others": (3, tf.TensorShape([2, 2]))}

    @property
    def output_size(self):
        return (2, {"last": tf.TensorShape([2, 2])})

    def call(self, inputs, state):
        first = state["first"] + inputs["left"]
        second, last = (old + new for old, new in zip(state["others"], inputs["right"]))
        return (first, {"last": last}), {"first": first, "others": (second, last)}


class Plain:
    """A cell that is no Keras layer: it sums up its inputs and counts the calls in Python."""

    state_size = output_size = 2

    def __init__(self):
        self.calls = 0

    def zero_state(self, batch_size, dtype):
        """Zeros."""
        return tf.zeros([batch_size, 2], dtype)

    def __call__(self, inputs, state):
        self.calls += 1
        return inputs + state, inputs + state


class Records:
    """A cell with a `tf.TensorArray` as part of its state, in which it writes its inputs."""

    state_size = (1, 1)
    output_size = 1

    def zero_state(self, batch_size, dtype):
        """A count, and an array that grows."""
        return tf.zeros([batch_size, 1], dtype), tf.TensorArray(
            dtype, size=0, dynamic_size=True, clear_after_read=False
        )

    def __call__(self, inputs, state):
        count, array = state
        return inputs, (count + 1, array.write(array.size(), inputs))


class RecordsAsLayer(Records, RNNCell):
    """The same as a cell with a base, dropping its inputs with a layer of Keras's in training."""

    def __init__(self):
        RNNCell.__init__(self)
        self.dropout = keras.layers.Dropout(0.5)

    def __call__(self, inputs, state, scope=None, training=None):
        return RNNCell.__call__(self, inputs, state, scope, training)

    def call(self, inputs, state):
        return Records.__call__(self, self.dropout(inputs), state)


class Breaks(Replicator):
    """A cell that breaks what it promises: `part` is a function of `(output, state)`."""

    def __init__(self, part, **options):
        super().__init__(2, **options)
        self.part = part

    def call(self, inputs, state):
        return self.part(inputs, state)
