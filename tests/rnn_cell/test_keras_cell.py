"""`KerasCell`: Keras's own cells with TF1's structures."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import GRUCell, LSTMStateTuple, MultiRNNCell
from rnn_mnist_tf.rnn_cell.checks import assert_like_rnncell
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell, as_rnn_cell

layers = keras.layers


def stack(*cells):
    """Returns Keras's stack of cells."""
    return layers.StackedRNNCells(list(cells))


CELLS = {
    "simple": (lambda: layers.SimpleRNNCell(4), 4),
    "gru": (lambda: layers.GRUCell(4), 4),
    "gru_reset_before": (lambda: layers.GRUCell(4, reset_after=False), 4),
    "lstm": (lambda: layers.LSTMCell(4), LSTMStateTuple(4, 4)),
    "stack_of_one": (lambda: stack(layers.LSTMCell(4)), (LSTMStateTuple(4, 4),)),
    "stack": (
        lambda: stack(layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(4)),
        (LSTMStateTuple(3, 3), 2, 4),
    ),
}
EACH = pytest.mark.parametrize("kind", CELLS)


@EACH
def test_sizes(kind):
    """State sizes have TF1's structure."""
    make, state_size = CELLS[kind]
    cell = as_rnn_cell(make())
    assert cell.state_size == state_size
    assert cell.output_size == 4
    tf.nest.assert_same_structure(cell.state_size, state_size)
    assert_like_rnncell(cell)


def keras_step(cell, inputs, state):
    """Returns output and TF1 state of one step of a Keras cell, a stack layer by layer."""
    if isinstance(cell, layers.StackedRNNCells):
        new_states = []
        for layer, layer_state in zip(cell.cells, state):
            inputs, new_state = keras_step(layer, inputs, layer_state)
            new_states.append(new_state)
        return inputs, tuple(new_states)
    if isinstance(cell, layers.LSTMCell):
        output, (h, c) = cell(inputs, [state.h, state.c])
        return output, LSTMStateTuple(c, h)
    output, new_state = cell(inputs, [state])
    return output, tf.nest.flatten(new_state)[0]


@EACH
def test_steps(kind):
    """A step gives the numbers of the Keras cell, from a state that is not zero."""
    keras_cell = CELLS[kind][0]()
    cell = KerasCell(keras_cell)
    generator = tf.random.Generator.from_seed(1)
    inputs = generator.normal([3, 5])
    state = tf.nest.map_structure(lambda size: generator.normal([3, size]), cell.state_size)
    output, new_state = cell(inputs, state)
    expected, expected_state = keras_step(keras_cell, inputs, state)
    np.testing.assert_array_equal(output, expected)
    tf.nest.assert_same_structure(new_state, expected_state)
    for leaf, expected_leaf in zip(tf.nest.flatten(new_state), tf.nest.flatten(expected_state)):
        np.testing.assert_array_equal(leaf, expected_leaf)


@EACH
def test_variables_are_the_keras_cell_s(kind):
    """All of the Keras cell's variables are the adapted cell's, by names that differ."""
    keras_cell = CELLS[kind][0]()
    cell = KerasCell(keras_cell)
    cell.build((None, 5))
    trained = {id(variable) for variable in keras_cell.trainable_variables}
    assert trained
    assert {id(variable) for variable in cell.trainable_variables} == trained
    assert trained <= {id(variable) for variable in cell.tf1_variables().values()}


@EACH
def test_names_are_the_same_in_another_process(kind):
    """Keras counts cells; names do not, and those of a stack's layers differ."""
    first, second = (KerasCell(CELLS[kind][0]()) for _ in range(2))
    for cell in (first, second):
        cell.build((None, 5))
    names = list(first.tf1_variables())
    assert list(second.tf1_variables()) == names
    assert len(names) == len(first.weights)


def test_a_name_of_the_adapted_cell():
    """It comes first, and keeps two apart in one cell."""
    cells = [KerasCell(layers.GRUCell(4), name=name) for name in ("left", "right")]
    for cell in cells:
        cell.build((None, 5))
    assert [next(iter(cell.tf1_variables(""))) for cell in cells] == ["left/kernel", "right/kernel"]


def test_a_function_of_a_user_s():
    """It is not saved as Keras's function of that name."""

    def relu(values):
        return 0.5 * values

    for inner in (layers.GRUCell(4, activation=relu), layers.LSTMCell(4, activation=relu)):
        for cell in (inner, layers.StackedRNNCells([inner])):
            with pytest.raises(ValueError, match="'relu' would be loaded as Keras's"):
                KerasCell(cell).get_config()


def test_a_given_name():
    """It stays."""
    cell = KerasCell(layers.GRUCell(4, name="gru_2"))
    cell.build((None, 5))
    assert list(cell.tf1_variables("")) == [
        f"gru_2/{v}" for v in ("kernel", "recurrent_kernel", "bias")
    ]


@EACH
def test_configuration(kind):
    """The configuration makes an equal cell."""
    cell = KerasCell(CELLS[kind][0]())
    again = KerasCell.from_config(cell.get_config())
    assert again.state_size == cell.state_size
    assert again.get_config() == cell.get_config()


def test_dtype_is_the_keras_cell_s():
    """The adapted cell has the dtype policy of the Keras cell."""
    assert KerasCell(layers.GRUCell(4, dtype="float64")).compute_dtype == "float64"
    assert KerasCell(layers.GRUCell(4, dtype="mixed_float16")).compute_dtype == "float16"


def test_own_cells_stay():
    """Cells of this package are not adapted."""
    cell = GRUCell(4)
    assert as_rnn_cell(cell) is cell


@pytest.mark.parametrize("cell", [3, None, GRUCell(4)], ids=["number", "none", "own"])
def test_other_cells(cell):
    """Only Keras's own cells can be adapted."""
    with pytest.raises(TypeError, match="expected one of SimpleRNNCell, GRUCell, LSTMCell, Stack"):
        KerasCell(cell)


@pytest.mark.parametrize("kind", [layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell])
@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_is_keras_s(kind, option):
    """A step drops in training only; a run draws one mask and forgets it afterwards."""
    keras_cell = kind(50, **{option: 0.5}, seed=1)
    cell = KerasCell(keras_cell)
    inputs = tf.ones([4, 6])
    state = tf.nest.map_structure(lambda size: tf.ones([4, size]), cell.state_size)
    still, _ = cell(inputs, state)
    again, _ = cell(inputs, state)
    np.testing.assert_array_equal(still, again)
    outputs = []
    for _ in range(2):
        with cell.run_scope(4, (4, 6)):
            first, _ = cell(inputs, state, training=True)
            second, _ = cell(inputs, state, training=True)
        np.testing.assert_array_equal(first, second)
        outputs.append(first)
    assert not np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], still)


@pytest.mark.parametrize("kind", [layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell])
def test_steps_by_hand_keep_no_mask(kind):
    """Outside a run each step draws its own mask, so that batches of other sizes can follow."""
    cell = KerasCell(kind(50, dropout=0.5, seed=1))
    outputs = []
    for batch in (2, 2, 3):
        state = cell.zero_state(batch, tf.float32)
        outputs.append(cell(tf.ones([batch, 6]), state, training=True)[0])
    assert not np.array_equal(outputs[0], outputs[1])


def test_dropout_inside_keras_s_own_loop():
    """In a stack that Keras's own loop runs, masks of one run do not reach the next."""
    stack_of_two = MultiRNNCell([layers.LSTMCell(20, dropout=0.5, seed=1), GRUCell(3)])
    layer = layers.RNN(stack_of_two, return_sequences=True)
    first, second = (layer(tf.ones([2, 5, 6]), training=True) for _ in range(2))
    assert not np.array_equal(first, second)
    assert layer(tf.ones([3, 5, 6]), training=True).shape == (3, 5, 3)


class FromOnes(layers.GRUCell):
    """A user's cell with a start of its own, learned in earnest."""

    def get_initial_state(self, batch_size=None):
        """Returns ones."""
        return [tf.ones([batch_size, self.units])]


class FromParts(layers.LSTMCell):
    """The same for the two parts of a state, Keras's order."""

    def get_initial_state(self, batch_size=None):
        """Returns h of ones and c of twos."""
        return [tf.fill([batch_size, self.units], value) for value in (1.0, 2.0)]


class Counts(layers.SimpleRNNCell):
    """A user's cell with a state of its own: its steps are counted beside it."""

    def __init__(self, units):
        super().__init__(units)
        self.state_size = [units, 1]

    def get_initial_state(self, batch_size=None):
        """Returns zeros."""
        return [tf.zeros([batch_size, size]) for size in self.state_size]

    def call(self, sequence, states, training=False):
        """Runs Keras's step and counts it."""
        output, (state,) = super().call(sequence, states[:1], training)
        return output, [state, states[1] + 1]


@pytest.mark.parametrize("kind", [FromOnes, FromParts, Counts])
@pytest.mark.parametrize("in_stack", [False, True])
def test_users_cells_derived_from_keras_s(kind, in_stack):
    """Start and state are theirs, as in Keras's own loop."""
    inputs = tf.random.stateless_normal([2, 5, 3], [1, 2])
    cell = kind(4)
    expected = layers.RNN(cell, return_sequences=True)(inputs)
    outputs, state = dynamic_rnn(stack(cell) if in_stack else cell, inputs, dtype=tf.float32)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    state = state[0] if in_stack else state
    if kind is Counts:
        np.testing.assert_array_equal(state[1], [[5], [5]])
    elif kind is FromParts:
        start = as_rnn_cell(cell).zero_state(2, tf.float32)
        assert (float(start.c[0, 0]), float(start.h[0, 0])) == (2, 1)
