"""What a cell is told of training: by any false value, and by nobody after a loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn, raw_rnn
from rnn_mnist_tf.rnn_cell import DropoutWrapper, GRUCell, MultiRNNCell
from rnn_mnist_tf.rnn_cell.checks import check_training
from tests.modes import EAGER_AND_GRAPH, traced

UNITS = 50
INPUTS = tf.ones([2, 5, 3])
FALSE = [0, np.bool_(False), np.zeros([], bool), tf.constant(False)]
TRUE = [1, np.bool_(True), tf.constant(True)]


def wrap():
    """A cell that drops half of its outputs."""
    return DropoutWrapper(GRUCell(UNITS), output_keep_prob=0.5)


def raw(cell, training):
    """Five steps of `raw_rnn`."""

    def loop_fn(time, output, state, loop_state):
        state = cell.zero_state(2, tf.float32) if state is None else state
        return tf.fill([2], time >= 5), tf.ones([2, 3]), state, output, None

    return tf.transpose(raw_rnn(cell, loop_fn, training=training)[0].stack(), [1, 0, 2])


def in_model(training):
    """The layer in a model that is told."""
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, DynamicRNN(wrap())(inputs)[0])
    return model(INPUTS, training=training)


DOORS = {
    "step": lambda training: wrap()(INPUTS[:, 0], tf.zeros([2, UNITS]), training=training)[0],
    "dynamic_rnn": lambda training: dynamic_rnn(
        wrap(), INPUTS, dtype=tf.float32, training=training
    )[0],
    "stack": lambda training: dynamic_rnn(
        MultiRNNCell([wrap()]), INPUTS, dtype=tf.float32, training=training
    )[0],
    "raw_rnn": lambda training: raw(wrap(), training),
    "layer": lambda training: DynamicRNN(wrap())(INPUTS, training=training)[0],
    "model": in_model,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("training", [*FALSE, *TRUE], ids=repr)
def test_values_that_are_false(door, training):
    """Nothing is dropped for any of them, and half for those that are true."""
    dropped = np.mean(np.asarray(door(training)) == 0)
    assert (dropped == 0) if not training else (0.1 < dropped < 0.9)


def test_a_value_known_only_at_run_time():
    """It is refused, as a graph is traced for one of the two."""
    cell = wrap()
    run = tf.function(
        lambda training: dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training)[0]
    )
    with pytest.raises(ValueError, match="Received training as a tensor"):
        run(tf.constant(False))
    assert tf.function(lambda: check_training(tf.constant(False)))().numpy() == False  # noqa: E712


@EAGER_AND_GRAPH
@pytest.mark.parametrize("implementation", ["auto", "loop"])
@pytest.mark.parametrize("loop", ["dynamic_rnn", "raw_rnn"])
@pytest.mark.parametrize("outer", [False, True])
def test_layers_after_a_loop_are_not_told(outer, loop, implementation, in_graph):
    """A loop's own word on training, as for Monte Carlo dropout, ends with it."""

    class Encoder(keras.layers.Layer):
        """A loop that is told the opposite, and batch normalisation."""

        def __init__(self):
            super().__init__()
            self.cell = GRUCell(UNITS)
            self.normalise = keras.layers.BatchNormalization()

        def build(self, inputs_shape):
            """Builds both."""
            self.cell.build((None, inputs_shape[-1]))
            self.normalise.build((None, 5, UNITS))

        def call(self, inputs):
            """Runs both."""
            if loop == "raw_rnn":
                outputs = tf.ensure_shape(raw(self.cell, not outer), [2, None, UNITS])
            else:
                outputs, _ = dynamic_rnn(
                    self.cell,
                    inputs,
                    dtype=tf.float32,
                    training=not outer,
                    implementation=implementation,
                )
            return self.normalise(outputs)

    encoder = Encoder()
    encoder.build(INPUTS.shape)
    traced(lambda: encoder(INPUTS, training=outer), in_graph)()
    assert bool(np.any(encoder.normalise.moving_mean)) == outer
