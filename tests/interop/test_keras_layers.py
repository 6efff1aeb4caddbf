"""Weights to Keras's cells and layers and back: the same function, or a reason."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.interop import (
    compare_with_keras,
    from_keras,
    refusal,
    to_keras_cell,
    to_keras_layers,
    to_keras_weights,
)
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell
from tests.unroll.fakes import Plain

INPUTS = np.random.default_rng(0).normal(size=(3, 6, 5)).astype(np.float32)
CELLS = {
    "vanilla": lambda: BasicRNNCell(4),
    "vanilla_relu": lambda: BasicRNNCell(4, activation="relu"),
    "gru": lambda: GRUCell(4),
    "basic_lstm": lambda: BasicLSTMCell(4),
    "lstm_forget_bias": lambda: LSTMCell(4, forget_bias=0.3, activation=tf.nn.relu),
    "stack": lambda: MultiRNNCell([GRUCell(4), BasicLSTMCell(3), BasicRNNCell(2)]),
    "stack_of_one": lambda: MultiRNNCell([BasicLSTMCell(4)]),
    "keras_in_a_stack": lambda: MultiRNNCell([keras.layers.LSTMCell(4), GRUCell(3)]),
}
ALL = pytest.mark.parametrize("make_cell", CELLS.values(), ids=CELLS.keys())


class Doubled(GRUCell):
    """A user's cell with a step of its own."""

    def call(self, inputs, state):
        """Gives twice what a GRU gives."""
        output, new_state = super().call(inputs, state)
        return 2 * output, new_state


class DoubledStack(MultiRNNCell):
    """A user's stack with a step of its own."""

    def call(self, inputs, state, training=None):
        """Gives twice what a stack gives."""
        output, new_state = super().call(inputs, state, training)
        return 2 * output, new_state


class DoubledLSTM(keras.layers.LSTMCell):
    """A user's Keras cell with a step of its own."""

    def call(self, inputs, states, training=False):
        """Gives twice what an LSTM gives."""
        output, new_states = super().call(inputs, states, training)
        return 2 * output, new_states


def randomise(layer, seed=1):
    """Gives every weight, biases too, random numbers."""
    generator = np.random.default_rng(seed)
    layer.set_weights([generator.normal(size=w.shape) * 0.5 for w in layer.get_weights()])


def built(make_cell):
    """Returns a built cell with random weights."""
    cell = make_cell()
    cell.build((None, INPUTS.shape[-1]))
    randomise(cell)
    return cell


def assert_near(first, second):
    """The same function, rounded otherwise: 1e-5 of the largest value."""
    first, second = np.asarray(first), np.asarray(second)
    assert np.max(np.abs(first - second)) <= 1e-5 * np.max(np.abs(second))


def run(cell):
    """Returns outputs and the flat state of `dynamic_rnn`."""
    outputs, state = dynamic_rnn(cell, INPUTS, dtype=tf.float32, implementation="loop")
    return outputs, tf.nest.flatten(state)


@ALL
def test_to_keras_cell(make_cell):
    """Keras's own loop over Keras's cell gives the outputs."""
    cell = built(make_cell)
    expected, _ = run(cell)
    assert_near(keras.layers.RNN(to_keras_cell(cell), return_sequences=True)(INPUTS), expected)


@ALL
def test_to_keras_layers(make_cell):
    """A chain of Keras's layers gives the outputs."""
    cell = built(make_cell)
    outputs = INPUTS
    for layer in to_keras_layers(cell):
        outputs = layer(outputs)
    assert_near(outputs, run(cell)[0])


@ALL
def test_there_and_back(make_cell):
    """From Keras again, the cell computes what it did: outputs and every leaf of the state."""
    cell = built(make_cell)
    expected, states = run(cell)
    outputs, new_states = run(from_keras(to_keras_cell(cell)))
    assert_near(outputs, expected)
    for new, old in zip(new_states, states, strict=True):
        assert_near(new, old)


@pytest.mark.parametrize(
    ("make_layer", "kind"),
    [
        (lambda: keras.layers.SimpleRNN(4, return_sequences=True), BasicRNNCell),
        (lambda: keras.layers.GRU(4, reset_after=False, return_sequences=True), GRUCell),
        (lambda: keras.layers.LSTM(4, return_sequences=True), BasicLSTMCell),
    ],
)
def test_from_keras_layer(make_layer, kind):
    """A Keras layer with random weights becomes a cell of the same function."""
    layer = make_layer()
    expected = layer(INPUTS)
    randomise(layer, seed=2)
    expected = layer(INPUTS)
    cell = from_keras(layer)
    assert type(cell) is kind
    assert_near(run(cell)[0], expected)


def test_from_a_chain_of_layers():
    """A list of layers becomes a stack."""
    layers = [keras.layers.LSTM(4, return_sequences=True), keras.layers.LSTM(3)]
    layers[1](layers[0](INPUTS))
    cell = from_keras(layers)
    assert cell.state_size == (LSTMStateTuple(4, 4), LSTMStateTuple(3, 3))
    assert [tuple(variable.shape) for variable in cell.tf1_variables().values()] == [
        *[(9, 16), (16,)],
        *[(7, 12), (12,)],
    ]


@pytest.mark.parametrize(
    ("make_cell", "reason"),
    [
        (lambda: LSTMCell(4, use_peepholes=True), "no peepholes"),
        (lambda: LSTMCell(4, cell_clip=1.0), "clips no state"),
        (lambda: LSTMCell(4, num_proj=3), "no projection"),
        (lambda: LSTMCell(4, state_is_tuple=False), "no concatenated state"),
        (lambda: DropoutWrapper(GRUCell(4)), "a DropoutWrapper; Keras has none"),
        (lambda: MultiRNNCell([MultiRNNCell([GRUCell(4)]), GRUCell(3)]), "a stack in a stack"),
        (lambda: Doubled(4), "a Doubled; Keras has none"),
        (lambda: MultiRNNCell([Doubled(4)]), "a Doubled; Keras has none"),
        (lambda: DoubledStack([GRUCell(4)]), "a DoubledStack; Keras has none"),
        (
            lambda: MultiRNNCell(
                [LSTMCell(4, state_is_tuple=False) for _ in range(2)], state_is_tuple=False
            ),
            "no concatenated state",
        ),
    ],
)
def test_refused_with_the_reason(make_cell, reason):
    """What Keras has no counterpart for is refused, as a cell, as layers and as weights."""
    cell = built(make_cell)
    assert reason in refusal(cell)
    for convert in (to_keras_cell, to_keras_layers):
        with pytest.raises(ValueError, match=reason):
            convert(cell)
    with pytest.raises(ValueError, match="a stack" if isinstance(cell, MultiRNNCell) else reason):
        to_keras_weights(cell)


@ALL
def test_nothing_is_refused_without_a_reason(make_cell):
    """What can be converted has no refusal, built or not."""
    assert refusal(make_cell()) is None
    assert refusal(built(make_cell)) is None


def test_cells_of_keras_s_own():
    """They are their own counterparts, adapted or not, once they are built."""
    inner = keras.layers.LSTMCell(4)
    assert refusal(inner) is None
    for cell in (inner, KerasCell(inner)):
        with pytest.raises(ValueError, match="not built"):
            to_keras_cell(cell)
    expected, _ = run(inner)
    assert to_keras_cell(inner) is inner
    for weights, own in zip(to_keras_weights(KerasCell(inner)), inner.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, own)
    (layer,) = to_keras_layers(inner)
    assert_near(layer(INPUTS), expected)
    with pytest.raises(ValueError, match="a stack, expected a cell"):
        to_keras_weights(keras.layers.StackedRNNCells([inner]))


def relu(values):
    """A user's function with a name of Keras's."""
    return tf.minimum(tf.nn.relu(values), 0.1)


@pytest.mark.parametrize("activation", [relu, tf.sin, keras.layers.LeakyReLU()])
@pytest.mark.parametrize("kind", [BasicRNNCell, GRUCell, BasicLSTMCell])
def test_activations_of_a_user_s(kind, activation):
    """They are taken as they are, not by name."""
    cell = built(lambda: kind(4, activation=activation))
    expected, _ = run(cell)
    (layer,) = to_keras_layers(cell)
    assert_near(layer(INPUTS), expected)
    assert_near(run(from_keras(layer))[0], expected)


@pytest.mark.parametrize("kind", [BasicRNNCell, GRUCell, BasicLSTMCell])
def test_sixteen_bits(kind):
    """A cell of bfloat16 is converted with the very same weights."""
    cell = kind(4, dtype="bfloat16")
    cell.build((None, INPUTS.shape[-1]))
    (layer,) = to_keras_layers(cell)
    for weights, expected in zip(layer.get_weights(), to_keras_weights(cell), strict=True):
        np.testing.assert_array_equal(weights, expected)
    assert layer(INPUTS).dtype == tf.bfloat16


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.GRU(4), "reset_after=True"),
        (keras.layers.LSTM(4, recurrent_activation="hard_sigmoid"), "recurrent_activation"),
        (keras.layers.LSTM(4, recurrent_activation=keras.layers.ReLU()), "recurrent_activation"),
        (keras.layers.SimpleRNN(4, use_bias=False), "use_bias=False"),
        (keras.layers.LSTM(4, recurrent_dropout=0.5), "recurrent_dropout=0.5"),
        (keras.layers.LSTM(4, go_backwards=True), "go_backwards=True"),
    ],
)
def test_keras_layers_refused(layer, reason):
    """What no TF1 cell computes is refused."""
    layer(INPUTS)
    with pytest.raises(ValueError, match=reason):
        from_keras(layer)


def test_not_built():
    """A cell or layer without variables is refused."""
    with pytest.raises(ValueError, match="not built"):
        to_keras_cell(GRUCell(4))
    with pytest.raises(ValueError, match="not built"):
        from_keras(keras.layers.LSTMCell(4))


class DoubledLayer(keras.layers.LSTM):
    """A user's Keras layer, around a cell of Keras's own."""

    def call(self, inputs, **options):
        """Gives twice what an LSTM gives."""
        return 2 * super().call(inputs, **options)


class DoubledKerasStack(keras.layers.StackedRNNCells):
    """A user's stack of Keras's cells."""


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: keras.layers.Dense(4),
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(4)),
        lambda: DoubledLSTM(4),
        lambda: keras.layers.RNN(DoubledLSTM(4)),
        lambda: DoubledLayer(4),
        lambda: DoubledKerasStack([keras.layers.LSTMCell(4)]),
        lambda: keras.layers.RNN(DoubledKerasStack([keras.layers.LSTMCell(4)])),
    ],
)
def test_not_a_keras_layer(make_layer):
    """Anything else is refused, subclasses too, whose steps may be others."""
    layer = make_layer()
    with pytest.raises(TypeError, match="expected a SimpleRNN, GRU or LSTM"):
        from_keras(layer)


def test_no_layer_at_all():
    """A cell without a name is called by its class."""
    with pytest.raises(ValueError, match="Received Plain with"):
        to_keras_cell(Plain())


def test_no_layers_for_a_users_keras_cell():
    """A user's Keras cell comes back as it is; a layer of Keras's for it would be another one."""
    cell = MultiRNNCell([DoubledLSTM(4)])
    cell.build((None, 3))
    assert to_keras_cell(cell).cells[0] is cell.cells[0].cell
    with pytest.raises(ValueError, match="a DoubledLSTM; Keras has no layer for it"):
        to_keras_layers(cell)


def test_layers_return_sequences():
    """A chain that does not hand on sequences is refused."""
    with pytest.raises(ValueError, match="return_sequences=False, expected True"):
        to_keras_layers(built(CELLS["stack"]), return_sequences=False)


def test_frozen_stays_frozen():
    """What is not trained here is not trained there, and back."""
    cell = built(lambda: GRUCell(4, trainable=False))
    there = to_keras_cell(cell)
    assert not there.trainable_weights
    assert not to_keras_layers(cell)[0].trainable_weights
    back = from_keras(there)
    assert len(back.weights) == 4
    assert not back.trainable_weights
    stack = built(lambda: MultiRNNCell([GRUCell(4), GRUCell(3)], trainable=False))
    assert len(to_keras_cell(stack).weights) == 6
    assert not to_keras_cell(stack).trainable_weights


def test_layers_have_the_name_they_are_given():
    """Every argument of a layer is its own."""
    (layer,) = to_keras_layers(built(CELLS["gru"]), name="encoder")
    assert layer.name == "encoder"


@ALL
def test_compare_with_keras(make_cell):
    """Side by side with the same weights, only h of the last layer is Keras's last output."""
    cell = built(make_cell)
    outputs, state = dynamic_rnn(cell, INPUTS, dtype=tf.float32)
    side = compare_with_keras(cell, INPUTS, outputs, state)
    layers = len(cell.cells) if isinstance(cell, MultiRNNCell) else 1
    assert side.same_parts == (f"layer {layers}: h",)
    assert len(side.state_differences) == len(tf.nest.flatten(state))
    scale = max(float(tf.reduce_max(tf.abs(leaf))) for leaf in tf.nest.flatten([outputs, state]))
    worst = max(side.outputs_difference, *(value for _, value in side.state_differences))
    assert worst <= 1e-5 * scale


@pytest.mark.parametrize("from_zeros", [True, False])
@pytest.mark.parametrize("lengths", [None, [6, 2, 4]])
@ALL
def test_compare_with_lengths_and_a_start(make_cell, lengths, from_zeros):
    """Keras's layers are run on as many steps, from the same state."""
    cell, start = built(make_cell), None
    if not from_zeros:
        generator = tf.random.Generator.from_seed(1)
        start = tf.nest.map_structure(lambda size: generator.normal([3, size]), cell.state_size)
    outputs, state = dynamic_rnn(cell, INPUTS, lengths, start, dtype=tf.float32)
    side = compare_with_keras(cell, INPUTS, outputs, state, lengths, start)
    scale = max(float(tf.reduce_max(tf.abs(leaf))) for leaf in tf.nest.flatten([outputs, state]))
    worst = max(side.outputs_difference, *(value for _, value in side.state_differences))
    assert worst <= 1e-5 * scale


def test_compare_time_first():
    """Outputs or a state of another shape than Keras's are no difference but a mistake."""
    cell, turned = GRUCell(4), INPUTS.transpose([1, 0, 2])
    outputs, state = dynamic_rnn(cell, turned, dtype=tf.float32, time_major=True)
    for inputs in (INPUTS, turned):
        with pytest.raises(ValueError, match="time_major=False"):
            compare_with_keras(cell, inputs, outputs, state)


def test_compare_a_start_of_plain_containers():
    """A start is what `dynamic_rnn` takes."""
    cell = MultiRNNCell([BasicLSTMCell(4), GRUCell(2)])
    start = [(tf.ones([3, 4]), tf.zeros([3, 4])), tf.ones([3, 2])]
    outputs, state = dynamic_rnn(cell, INPUTS, initial_state=start)
    side = compare_with_keras(cell, INPUTS, outputs, state, initial_state=start)
    assert side.outputs_difference < 1e-5
    with pytest.raises(ValueError, match="initial_state"):
        compare_with_keras(cell, INPUTS, outputs, state, initial_state=start[:1])
