"""`dynamic_rnn` and `bidirectional_dynamic_rnn`: what they return, Keras's cells among it."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import bidirectional_dynamic_rnn, dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    GRUCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell
from rnn_mnist_tf.unroll.dynamic import reverse_time
from tests.modes import EAGER_AND_GRAPH, traced
from tests.unroll.fakes import Counter, Nested, Plain, Replicator

layers = keras.layers


def random(*shape, seed=0):
    """Returns random float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_equal_leaves(received, expected):
    """Asserts the same leaves to the bit."""
    received, expected = tf.nest.flatten(received), tf.nest.flatten(expected)
    assert len(received) == len(expected)
    for ours, theirs in zip(received, expected):
        np.testing.assert_array_equal(ours, theirs)


def test_structure_of_a_stack():
    """The state is the tuple of the layers' states, `LSTMStateTuple`s kept."""
    stack = MultiRNNCell([BasicLSTMCell(4), GRUCell(3)])
    outputs, state = dynamic_rnn(stack, random(2, 5, 3), dtype=tf.float32)
    assert outputs.shape == (2, 5, 3)
    assert type(state) is tuple
    assert type(state[0]) is LSTMStateTuple
    np.testing.assert_array_equal(outputs[:, -1], state[1])


def test_same_cell_twice_shares_its_variables():
    """The same object is run with the same variables, a second one is not."""
    cell, inputs = GRUCell(3), random(2, 5, 3)
    first, _ = dynamic_rnn(cell, inputs, dtype=tf.float32)
    second, _ = dynamic_rnn(cell, inputs, dtype=tf.float32)
    np.testing.assert_array_equal(first, second)
    other, _ = dynamic_rnn(GRUCell(3), inputs, dtype=tf.float32)
    assert not np.array_equal(first, other)


def test_any_object_with_the_methods_is_a_cell():
    """A cell need not be a Keras layer."""
    outputs, state = dynamic_rnn(Plain(), tf.ones([1, 3, 2]), dtype=tf.float32)
    np.testing.assert_array_equal(outputs[0, :, 0], [1, 2, 3])
    np.testing.assert_array_equal(state, [[3, 3]])


def test_loop_options_change_nothing():
    """`parallel_iterations` and `swap_memory` are options of the loop alone."""
    cell, inputs = GRUCell(3), random(2, 5, 3)
    plain, _ = dynamic_rnn(cell, inputs, dtype=tf.float32, implementation="loop")
    tuned, _ = dynamic_rnn(cell, inputs, None, None, tf.float32, 1, True, implementation="loop")
    np.testing.assert_array_equal(plain, tuned)


def bidirectional(inputs, lengths=None, **options):
    """Runs two replicators both ways."""
    return bidirectional_dynamic_rnn(
        Replicator(2), Replicator(2), inputs, lengths, dtype=tf.float32, **options
    )


@EAGER_AND_GRAPH
@pytest.mark.parametrize("lengths", [None, (2, 5, 0)])
def test_backward_outputs_stand_at_their_inputs(in_graph, lengths):
    """The backward half ends at step 0, and its outputs stand in the order of the inputs."""
    inputs = random(3, 5, 2)
    start = tf.fill([3, 2], 7.0)

    def call(inputs):
        return bidirectional(inputs, lengths, initial_state_fw=start, initial_state_bw=start)

    call = traced(call, in_graph)
    (fw, bw), (state_fw, state_bw) = call(tf.constant(inputs))
    lasting = lengths or (5, 5, 5)
    expected = inputs * (np.arange(5) < np.reshape(lasting, (3, 1)))[:, :, None]
    np.testing.assert_array_equal(fw, expected)
    np.testing.assert_array_equal(bw, expected)
    for row, length in enumerate(lasting):
        np.testing.assert_array_equal(state_fw[row], inputs[row, length - 1] if length else [7, 7])
        np.testing.assert_array_equal(state_bw[row], inputs[row, 0] if length else [7, 7])


def test_backward_half_is_a_forward_run_over_reversed_inputs():
    """The backward half alone is the cell over reversed rows, reversed again."""
    cells = GRUCell(3), BasicLSTMCell(4)
    inputs, lengths = random(2, 5, 3), [3, 5]
    (fw, bw), (state_fw, state_bw) = bidirectional_dynamic_rnn(
        *cells, inputs, lengths, dtype=tf.float32
    )
    assert_equal_leaves((fw, state_fw), dynamic_rnn(cells[0], inputs, lengths, dtype=tf.float32))
    turned = reverse_time(inputs, lengths)
    outputs, state = dynamic_rnn(cells[1], turned, lengths, dtype=tf.float32)
    assert_equal_leaves((bw, state_bw), (reverse_time(outputs, lengths), state))
    assert type(state_bw) is LSTMStateTuple


def test_bidirectional_time_major():
    """With `time_major` everything has time first."""
    inputs, lengths = random(2, 5, 2), [3, 5]
    (fw, bw), states = bidirectional(inputs, lengths)
    (swapped_fw, swapped_bw), swapped_states = bidirectional(
        inputs.transpose(1, 0, 2), lengths, time_major=True
    )
    np.testing.assert_array_equal(np.transpose(swapped_fw, (1, 0, 2)), fw)
    np.testing.assert_array_equal(np.transpose(swapped_bw, (1, 0, 2)), bw)
    assert_equal_leaves(swapped_states, states)


def test_bidirectional_nested():
    """Nested inputs and outputs go both ways."""
    inputs = {"left": random(2, 3, 2), "right": (random(2, 3, 3), random(2, 3, 2, 2))}
    ((fw, _), (bw, _)), (_, state_bw) = bidirectional_dynamic_rnn(
        Nested(), Nested(), inputs, dtype=tf.float32
    )
    np.testing.assert_allclose(fw, np.cumsum(inputs["left"], axis=1), rtol=1e-5)
    backward = np.cumsum(inputs["left"][:, ::-1], axis=1)[:, ::-1]
    np.testing.assert_allclose(bw, backward, rtol=1e-5)
    np.testing.assert_allclose(state_bw["first"], backward[:, 0], rtol=1e-5)


def test_bidirectional_names():
    """The halves' variables stand below `fw` and `bw`."""
    fw, bw = GRUCell(3), GRUCell(3)
    inputs = random(2, 5, 3)
    bidirectional_dynamic_rnn(fw, bw, inputs, dtype=tf.float32)
    assert next(iter(fw.tf1_variables())) == "bidirectional_rnn/fw/gru_cell/gates/kernel"
    assert next(iter(bw.tf1_variables())) == "bidirectional_rnn/bw/gru_cell/gates/kernel"
    fw, bw = GRUCell(3), GRUCell(3)
    bidirectional_dynamic_rnn(fw, bw, inputs, dtype=tf.float32, scope="encoder")
    assert next(iter(bw.tf1_variables())) == "encoder/bw/gru_cell/gates/kernel"


@pytest.mark.parametrize(("place", "name"), [(0, "cell_fw"), (1, "cell_bw")])
def test_bidirectional_names_what_is_no_cell(place, name):
    """The error says which of the two it is."""
    cells = [GRUCell(3), GRUCell(3)]
    cells[place] = 5
    with pytest.raises(TypeError, match=f"Received {name}=5"):
        bidirectional_dynamic_rnn(*cells, random(2, 5, 3), dtype=tf.float32)


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("lengths", [None, [0, 1, 3, 4]])
def test_reverse_time(time_major, lengths):
    """Each row's steps are reversed, its padding stays."""
    inputs = random(4, 4, 2)
    expected = inputs.copy()
    for row, length in enumerate(lengths or [4] * 4):
        expected[row, :length] = inputs[row, :length][::-1]
    given = inputs.swapaxes(0, 1) if time_major else inputs
    received = np.asarray(reverse_time(given, lengths, time_major))
    np.testing.assert_array_equal(received.swapaxes(0, 1) if time_major else received, expected)


@EAGER_AND_GRAPH
def test_bidirectional_lengths_past_the_end(in_graph):
    """Lengths beyond the time axis cannot be reversed."""

    def call(inputs):
        return bidirectional(inputs, (6, 2))[0]

    call = traced(call, in_graph)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="seq_lens"):
        call(tf.constant(random(2, 5, 2)))


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int16, tf.int32, tf.int64])
def test_bidirectional_lengths_of_any_integer_type(dtype):
    """Lengths may be any whole numbers, both ways."""
    inputs, lengths = random(2, 5, 2), tf.constant([2, 4], dtype)
    assert_equal_leaves(bidirectional(inputs, lengths), bidirectional(inputs, [2, 4]))


def test_integer_states_both_ways():
    """Integer states go both ways."""
    (fw, bw), ((rows, _), _) = bidirectional_dynamic_rnn(
        Counter(), Counter(), random(2, 4, 1), [1, 4], dtype=tf.float32
    )
    np.testing.assert_array_equal(fw[..., 0], [[1, 0, 0, 0], [1, 2, 3, 4]])
    np.testing.assert_array_equal(bw[..., 0], [[1, 0, 0, 0], [4, 3, 2, 1]])
    np.testing.assert_array_equal(rows, [[1], [4]])


def stack(*cells):
    """Returns Keras's stack."""
    return layers.StackedRNNCells(list(cells))


KERAS_CELLS = {
    "simple": lambda **o: layers.SimpleRNNCell(4, **o),
    "gru": lambda **o: layers.GRUCell(4, **o),
    "gru_reset_before": lambda **o: layers.GRUCell(4, reset_after=False, **o),
    "lstm": lambda **o: layers.LSTMCell(4, **o),
    "stack_of_one": lambda **o: stack(layers.LSTMCell(4, **o)),
    "stack_of_three": lambda **o: stack(
        layers.LSTMCell(3, **o), layers.GRUCell(2, **o), layers.SimpleRNNCell(4, **o)
    ),
}
EACH_KERAS_CELL = pytest.mark.parametrize("kind", KERAS_CELLS)


def keras_answer(cell, inputs, initial_state=None, **options):
    """Returns outputs and state of Keras's `RNN`, the states of both in TF1's structure.

    A stack of one is answered by its cell, as Keras's own call of one loses its structure.
    """
    if isinstance(cell, layers.StackedRNNCells) and len(cell.cells) == 1:
        start = None if initial_state is None else initial_state[0]
        outputs, state = keras_answer(cell.cells[0], inputs, start, **options)
        return outputs, (state,)
    layer = layers.RNN(cell, return_sequences=True, return_state=True)
    start = None if initial_state is None else keras_state(cell, initial_state)
    outputs, *states = layer(inputs, initial_state=start, **options)
    if isinstance(cell, layers.StackedRNNCells):
        return outputs, tuple(map(tf1_state, cell.cells, states))
    return outputs, tf1_state(cell, states)


def keras_state(cell, state):
    """Returns TF1's state of a cell as Keras's list."""
    if isinstance(cell, layers.StackedRNNCells):
        return list(map(keras_state, cell.cells, state))
    return [state.h, state.c] if isinstance(cell, layers.LSTMCell) else [state]


def tf1_state(cell, states):
    """Returns Keras's `[h]` or `[h, c]` as `h` or `LSTMStateTuple(c, h)`."""
    leaves = tf.nest.flatten(states)
    if isinstance(cell, layers.LSTMCell):
        h, c = leaves
        return LSTMStateTuple(c, h)
    (h,) = leaves
    return h


def copy_of(make, original, **options):
    """Returns a second Keras cell with the weights of a first one, seeds included."""
    cell = make(**options)
    cell.build((None, 3))
    cell.set_weights(original.get_weights())
    return cell


def assert_close_leaves(received, expected):
    """Asserts the same structure, and leaves equal to float32's precision."""
    tf.nest.assert_same_structure(received, expected)
    for ours, theirs in zip(tf.nest.flatten(received), tf.nest.flatten(expected)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@EAGER_AND_GRAPH
@EACH_KERAS_CELL
def test_keras_cells(kind, in_graph):
    """Keras's cells give Keras's numbers, in TF1's structures."""
    cell, inputs = KERAS_CELLS[kind](), tf.constant(random(2, 5, 3))

    def call(inputs):
        return dynamic_rnn(cell, inputs, dtype=tf.float32)

    received = traced(call, in_graph)(inputs)
    assert_close_leaves(received, keras_answer(cell, inputs))


@EACH_KERAS_CELL
def test_keras_cells_with_lengths(kind):
    """Lengths freeze the states as Keras's mask does, and zero the outputs."""
    cell, inputs = KERAS_CELLS[kind](), tf.constant(random(3, 5, 3))
    lengths = np.array([2, 5, 1])
    outputs, state = dynamic_rnn(cell, inputs, lengths, dtype=tf.float32)
    mask = np.arange(5) < lengths[:, None]
    expected, expected_state = keras_answer(cell, inputs, mask=tf.constant(mask))
    assert_close_leaves(state, expected_state)
    np.testing.assert_allclose(outputs, expected * mask[:, :, None], rtol=1e-5, atol=1e-6)


@EACH_KERAS_CELL
def test_keras_cells_from_an_initial_state(kind):
    """The initial state is TF1's, each leaf in its place."""
    cell, inputs = KERAS_CELLS[kind](), tf.constant(random(2, 5, 3))
    seeds = itertools.count()
    start = tf.nest.map_structure(
        lambda size: tf.constant(random(2, size, seed=next(seeds))), as_rnn_cell(cell).state_size
    )
    received = dynamic_rnn(cell, inputs, initial_state=start)
    assert_close_leaves(received, keras_answer(cell, inputs, start))


@EACH_KERAS_CELL
@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("training", [False, True])
@EAGER_AND_GRAPH
def test_keras_cells_with_dropout(kind, option, training, in_graph):
    """With one seed Keras's dropout masks are Keras's, one for the run."""
    options = {option: 0.5, "seed": 3}
    cell, inputs = KERAS_CELLS[kind](**options), tf.constant(random(2, 5, 3))
    cell.build((None, 3))
    other = copy_of(KERAS_CELLS[kind], cell, **options)

    def call(inputs):
        return dynamic_rnn(cell, inputs, dtype=tf.float32, training=training)

    received = traced(call, in_graph)(inputs)
    assert_close_leaves(received, keras_answer(other, inputs, training=training))


def test_keras_dropout_draws_anew_in_each_run():
    """The next run has another mask."""
    cell = layers.LSTMCell(20, recurrent_dropout=0.5, seed=3)
    inputs = random(2, 5, 3)
    first, _ = dynamic_rnn(cell, inputs, dtype=tf.float32, training=True)
    second, _ = dynamic_rnn(cell, inputs, dtype=tf.float32, training=True)
    assert not np.array_equal(first, second)


@EACH_KERAS_CELL
def test_keras_cells_can_be_trained(kind):
    """Gradients reach every variable of a Keras cell."""
    cell = KERAS_CELLS[kind]()
    with tf.GradientTape() as tape:
        outputs, _ = dynamic_rnn(cell, random(2, 5, 3), dtype=tf.float32)
        loss = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(loss, [v.value for v in cell.trainable_variables])
    assert gradients
    for gradient in gradients:
        assert np.any(gradient != 0)
