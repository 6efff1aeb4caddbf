"""Cells of users': around this package's, made for TF1, made for Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell
from tests.modes import EAGER_AND_GRAPH, traced
from tests.rnn_cell.test_tf1_names import make_outer

Outer = make_outer(RNNCell)
INPUTS = tf.ones([2, 5, 3])


class Grouped(RNNCell):
    """A user's cell that keeps another one in a layer."""

    def __init__(self, cell):
        super().__init__()
        self.group = keras.layers.Layer()
        self.group.inner = cell

    @property
    def state_size(self):
        """The cell's."""
        return self.group.inner.state_size

    @property
    def output_size(self):
        """The cell's."""
        return self.group.inner.output_size

    def call(self, inputs, state):
        """Passes everything on."""
        return self.group.inner(inputs, state)


def drop(cell, **options):
    """A cell whose outputs are dropped half."""
    return DropoutWrapper(cell, output_keep_prob=0.5, **options)


@EAGER_AND_GRAPH
@pytest.mark.parametrize("make", [Outer, Grouped])
def test_a_run_of_a_cell_inside(make, in_graph):
    """Variational masks are drawn for each run of the loop, and are one in all of its steps."""
    inner = drop(GRUCell(50), variational_recurrent=True, dtype=tf.float32)
    cell = make(inner)
    run = traced(lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=True)[0], in_graph)
    first, second = (run().numpy() == 0 for _ in range(2))
    for dropped in (first, second):
        assert 0 < dropped.mean() < 1
        assert (dropped == dropped[:1, :1]).all()
    assert (first != second).any()


@pytest.mark.parametrize("make", [Outer, Grouped])
def test_the_policy_of_a_cell_inside(make):
    """A mixed policy computes in half precision, and keeps single precision in the variables."""
    layer = DynamicRNN(make(GRUCell(4)), dtype="mixed_float16")
    outputs, _ = layer(INPUTS)
    assert outputs.dtype == tf.float16
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    assert len(layer.trainable_weights) == 4


@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    "make", [lambda cell: cell, Outer, Grouped, lambda c: MultiRNNCell([Outer(c)])]
)
def test_training_is_handed_on(make, in_graph):
    """To what is inside a cell whose `call` does not name it."""
    cell = make(drop(GRUCell(50)))

    def run(training):
        return traced(
            lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training)[0], in_graph
        )()

    assert not (run(False).numpy() == 0).any()
    assert (run(True).numpy() == 0).any()
    assert (run(None).numpy() == 0).any()  # as in TF1


class WithDropout(RNNCell):
    """A user's cell with a layer of Keras's."""

    state_size = output_size = 50

    def __init__(self):
        super().__init__()
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, inputs, state):
        """Drops what it would have kept."""
        return self.dropout(state + 1.0), state


@pytest.mark.parametrize("training", [True, False])
def test_training_of_a_layer_inside(training):
    """Keras's layers follow it too."""
    outputs, _ = dynamic_rnn(WithDropout(), INPUTS, dtype=tf.float32, training=training)
    assert (outputs.numpy() == 0).any() == training


class Older(RNNCell):
    """A user's cell written as TF1's own were."""

    def __init__(self, num_units, reuse=None, name=None):
        super().__init__(_reuse=reuse, name=name)
        self.num_units = num_units

    state_size = output_size = property(lambda self: self.num_units)

    def build(self, inputs_shape):
        """Makes a matrix."""
        self.matrix = self.add_variable(
            "kernel", shape=[inputs_shape[-1], self.num_units], partitioner=None, use_resource=True
        )

    def __call__(self, inputs, state, scope=None):
        """TF1's signature, without `training`."""
        return super().__call__(inputs, state, scope)

    def call(self, inputs, state):
        """Adds up."""
        output = state + tf.matmul(inputs, self.matrix)
        return output, output


@pytest.mark.parametrize("training", [None, True])
def test_a_cell_made_for_tf1(training):
    """What TF1's own cells hand on to their base is taken."""
    cell = Older(4)
    outputs, _ = dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training)
    steps = np.arange(1, 6)[:, None] * cell.matrix.numpy().sum(0)
    np.testing.assert_allclose(outputs[0], steps, rtol=1e-5)
    assert list(cell.tf1_variables()) == ["rnn/older/kernel"]
    with pytest.raises(ValueError, match="reuse=True"):
        Older(4, reuse=True)


def test_a_partitioned_variable_is_refused():
    """A cell has its variables whole."""
    with pytest.raises(ValueError, match="Received partitioner=3, expected None"):
        RNNCell().add_weight("kernel", shape=[2, 3], partitioner=3)


def test_seeds_of_initialisers():
    """A generator of seeds goes on; one seed gives the same numbers; none gives others."""

    def kernels(seed):
        initializer = keras.initializers.RandomUniform(-0.1, 0.1, seed=seed)
        cell = LSTMCell(4, use_peepholes=True, initializer=initializer)
        cell.build((None, 3))
        return [variable.numpy() for variable in cell.weights if "diag" in variable.name]

    for seed, same in ((keras.random.SeedGenerator(7), False), (7, True), (None, False)):
        first, second, third = kernels(seed)
        assert (first == second).all() == (second == third).all() == same


def make_step_model(cell):
    """A functional model of one step, as for streaming."""
    inputs = keras.Input((3,))
    state = tf.nest.map_structure(lambda size: keras.Input((size,)), cell.state_size)
    return keras.Model([inputs, *tf.nest.flatten(state)], cell(inputs, state))


@pytest.mark.parametrize(
    "make",
    [
        lambda: GRUCell(4),
        lambda: LSTMCell(4),
        lambda: MultiRNNCell([LSTMCell(4), GRUCell(2)]),
        lambda: ResidualWrapper(GRUCell(3)),
        lambda: KerasCell(keras.layers.LSTMCell(4)),
    ],
)
def test_a_step_as_a_functional_model(make):
    """Steps by hand, one after the other, are the loop."""
    cell = make()
    model = make_step_model(cell)
    inputs = tf.random.stateless_normal([2, 5, 3], seed=[0, 0])
    expected, expected_state = dynamic_rnn(cell, inputs, dtype=tf.float32)
    state = cell.zero_state(2, tf.float32)
    for time in range(5):
        output, state = model([inputs[:, time], *tf.nest.flatten(state)])
        np.testing.assert_allclose(output, expected[:, time], rtol=1e-5, atol=1e-6)
    for leaf, expected_leaf in zip(tf.nest.flatten(state), tf.nest.flatten(expected_state)):
        np.testing.assert_allclose(leaf, expected_leaf, rtol=1e-5, atol=1e-6)


class OfKeras(keras.layers.Layer):
    """A user's cell as Keras 3 asks for it: it adds its inputs to a state that starts with ones."""

    def __init__(self, units=3):
        super().__init__()
        self.state_size, self.output_size = [units], units

    def get_initial_state(self, batch_size=None):
        """Returns ones."""
        return [tf.ones([batch_size, self.output_size])]

    def call(self, inputs, states):
        """Adds."""
        return states[0] + inputs, [states[0] + inputs]


@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    ("make", "leaf"),
    [
        (lambda cell: MultiRNNCell([cell]), lambda state: state[0][0]),
        (lambda cell: MultiRNNCell([cell, cell]), lambda state: state[0][0]),
        (DropoutWrapper, lambda state: state[0]),
        (lambda cell: keras.layers.StackedRNNCells([cell]), lambda state: state[0][0]),
        (
            lambda cell: keras.layers.StackedRNNCells([cell, keras.layers.GRUCell(2)]),
            lambda state: state[0][0],
        ),
    ],
    ids=["stack", "stack of two", "wrapper", "Keras's stack", "Keras's stack of two kinds"],
)
@pytest.mark.filterwarnings("ignore:At least two cells")
def test_a_cell_made_for_keras_inside_another(make, leaf, in_graph):
    """It starts from its own initial state, wherever it is."""
    cell = make(OfKeras())
    _, state = traced(lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32), in_graph)()
    np.testing.assert_array_equal(leaf(state), 6 * np.ones([2, 3]))


def test_a_cell_made_for_keras_under_attention():
    """Its initial state is there too."""
    cell = AttentionCellWrapper(OfKeras(), attn_length=2)
    state = cell.zero_state(2, tf.float32)
    np.testing.assert_array_equal(state[0][0], np.ones([2, 3]))


@pytest.mark.parametrize("training", [None, True, False])
def test_this_package_s_cells_in_a_stack_of_keras(training):
    """They drop as in `MultiRNNCell`: unless `training=False` is passed."""
    cell = keras.layers.StackedRNNCells([drop(GRUCell(50))])
    outputs, _ = dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training)
    assert (outputs.numpy() == 0).any() == (training is not False)
