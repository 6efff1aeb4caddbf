"""`raw_rnn`: what `loop_fn` decides at each step."""

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn, raw_rnn
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, DropoutWrapper, GRUCell, LSTMStateTuple
from tests.modes import EAGER_AND_GRAPH, traced
from tests.unroll.fakes import Counter, Nested, Records, Replicator

INPUTS = np.random.default_rng(0).standard_normal((3, 5, 2)).astype(np.float32)
LENGTHS = (2, 0, 4)


def step_of(inputs, time):
    """Returns the inputs of a step, the last ones afterwards."""
    return tf.gather(inputs, tf.minimum(time, inputs.shape[1] - 1), axis=1)


def reading_loop(start, emit=None):
    """Returns a `loop_fn` that reads `INPUTS` for `LENGTHS` steps."""

    def loop_fn(time, output, state, loop_state):
        del loop_state
        state = start if output is None else state
        emitted = emit if output is None else output
        return time >= LENGTHS, step_of(tf.constant(INPUTS), time), state, emitted, None

    return loop_fn


@EAGER_AND_GRAPH
def test_rows_finish_one_by_one(in_graph):
    """A finished row emits zeros and keeps its state; the loop ends with the last row."""

    def call():
        emitted, state, loop_state = raw_rnn(Replicator(2), reading_loop(tf.fill([3, 2], 9.0)))
        assert loop_state is None
        return emitted.stack(), state

    emitted, state = traced(call, in_graph)()
    assert emitted.shape == (4, 3, 2)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(emitted[:length, row], INPUTS[row, :length])
        np.testing.assert_array_equal(emitted[length:, row], np.zeros((4 - length, 2)))
        np.testing.assert_array_equal(state[row], INPUTS[row, length - 1] if length else [9, 9])


@EAGER_AND_GRAPH
def test_finished_rows_stay_finished(in_graph):
    """A row that was finished once is finished, whatever `loop_fn` says afterwards."""

    def loop_fn(time, output, state, loop_state):
        del loop_state
        state = tf.zeros([2, 2]) if output is None else state
        finished = tf.stack([tf.equal(time, 1), time >= 3])
        return finished, tf.fill([2, 2], tf.cast(time + 1, tf.float32)), state, output, None

    def call():
        emitted, state, _ = raw_rnn(Replicator(2), loop_fn)
        return emitted.stack(), state

    emitted, state = traced(call, in_graph)()
    np.testing.assert_array_equal(emitted[..., 0], [[1, 1], [0, 2], [0, 3]])
    np.testing.assert_array_equal(state[:, 0], [1, 3])


@EAGER_AND_GRAPH
def test_is_dynamic_rnn(in_graph):
    """A loop that only reads is `dynamic_rnn` with lengths."""
    cell = BasicLSTMCell(3)
    cell.build((None, 2))

    def call():
        emitted, state, _ = raw_rnn(cell, reading_loop(cell.zero_state(3, tf.float32)))
        return emitted.stack(), state

    emitted, state = traced(call, in_graph)()
    outputs, expected = dynamic_rnn(cell, INPUTS, LENGTHS, dtype=tf.float32)
    np.testing.assert_allclose(np.swapaxes(emitted, 0, 1), outputs[:, :4], rtol=1e-5, atol=1e-6)
    assert type(state) is LSTMStateTuple
    for leaf, expected_leaf in zip(state, expected):
        np.testing.assert_allclose(leaf, expected_leaf, rtol=1e-5, atol=1e-6)


@EAGER_AND_GRAPH
def test_integer_and_scalar_states(in_graph):
    """A scalar counts the steps of the loop, whatever row is finished."""

    def call():
        emitted, state, _ = raw_rnn(
            Counter(), reading_loop(Counter().zero_state(3, None), tf.zeros([1]))
        )
        return emitted.stack(), state

    emitted, (rows, steps) = traced(call, in_graph)()
    np.testing.assert_array_equal(rows, np.reshape(LENGTHS, (3, 1)))
    assert int(steps) == max(LENGTHS)
    np.testing.assert_array_equal(emitted[..., 0], [[1, 0, 1], [2, 0, 2], [0, 0, 3], [0, 0, 4]])


def counting_loop(first, following):
    """Returns a `loop_fn` of three steps over one row that keeps a loop state."""

    def loop_fn(time, output, state, loop_state):
        if output is None:
            return tf.fill([1], False), tf.ones([1, 2]), tf.zeros([1, 2]), None, first
        return tf.fill([1], time >= 3), output + 1, state, output, following(loop_state)

    return loop_fn


@EAGER_AND_GRAPH
def test_loop_state(in_graph):
    """The loop state goes from call to call and comes back at the end."""

    def call():
        loop = counting_loop(tf.constant(10), lambda loop_state: loop_state + 1)
        return raw_rnn(Replicator(2), loop)[2]

    assert int(traced(call, in_graph)()) == 13


@EAGER_AND_GRAPH
def test_loop_state_kept_by_none(in_graph):
    """A loop state of None leaves the old one."""

    def call():
        return raw_rnn(Replicator(2), counting_loop(tf.constant(10), lambda loop_state: None))[2]

    assert int(traced(call, in_graph)()) == 10


@EAGER_AND_GRAPH
def test_nested_loop_state(in_graph):
    """A loop state may be a nest, `TensorArray`s in it."""

    def following(loop_state):
        count, array = loop_state
        return count + 1, array.write(count, 10 * count)

    def call():
        array = tf.TensorArray(tf.int32, 3)
        loop = counting_loop((tf.constant(0), array), following)
        count, array = raw_rnn(Replicator(2), loop)[2]
        return count, array.stack()

    count, written = traced(call, in_graph)()
    assert int(count) == 3
    np.testing.assert_array_equal(written, [0, 10, 20])


@EAGER_AND_GRAPH
def test_output_fed_back(in_graph):
    """The next input may be made from the output."""

    def call():
        return raw_rnn(Replicator(2), counting_loop(None, lambda loop_state: None))[0].stack()

    np.testing.assert_array_equal(traced(call, in_graph)()[:, 0, 0], [1, 2, 3])


@EAGER_AND_GRAPH
def test_emit_structure(in_graph):
    """What the first call emits says structure, row shapes and dtypes of all the others."""

    def loop_fn(time, output, state, loop_state):
        del loop_state
        finished = time >= tf.constant([1, 2])
        if output is None:
            emit = {"count": tf.zeros([], tf.int32), "pair": (tf.zeros([2]), tf.zeros([1, 3]))}
            return finished, tf.ones([2, 2]), tf.zeros([2, 2]), emit, None
        emit = {"count": tf.fill([2], time), "pair": (output, tf.ones([2, 1, 3]))}
        return finished, output + 1, state, emit, None

    def call():
        emitted, _, _ = raw_rnn(Replicator(2), loop_fn)
        return tf.nest.map_structure(lambda array: array.stack(), emitted)

    emitted = traced(call, in_graph)()
    np.testing.assert_array_equal(emitted["count"], [[1, 1], [0, 2]])
    np.testing.assert_array_equal(emitted["pair"][0][..., 0], [[1, 1], [0, 2]])
    assert emitted["pair"][1].shape == (2, 2, 1, 3)


@EAGER_AND_GRAPH
def test_no_steps(in_graph):
    """All rows finished at the beginning: no step, and the initial state back."""

    def loop_fn(time, output, state, loop_state):
        del time, state, loop_state
        assert output is None or in_graph
        start = tf.fill([2, 2], 4.0)
        return tf.fill([2], True), tf.ones([2, 2]), start, output, None

    def call():
        emitted, state, _ = raw_rnn(Replicator(2), loop_fn)
        return emitted.size(), state

    size, state = traced(call, in_graph)()
    assert int(size) == 0
    np.testing.assert_array_equal(state, np.full((2, 2), 4.0))


@EAGER_AND_GRAPH
def test_tensor_array_in_the_state(in_graph):
    """A `TensorArray` in the cell's state is written at every step."""

    def call():
        cell = Records()

        def loop_fn(time, output, state, loop_state):
            del loop_state
            state = cell.zero_state(1, tf.float32) if output is None else state
            emit = tf.zeros([1]) if output is None else output
            count = tf.cast(time, tf.float32)
            return tf.fill([1], time >= 3), tf.fill([1, 1], count), state, emit, None

        _, (count, array), _ = raw_rnn(cell, loop_fn)
        return count, array.stack()

    count, written = traced(call, in_graph)()
    assert float(count[0, 0]) == 3
    np.testing.assert_array_equal(written[:, 0, 0], [0, 1, 2])


def test_gradients():
    """Gradients go through the loop to inputs and variables."""
    cell = GRUCell(2)
    cell.build((None, 2))
    inputs = tf.constant(INPUTS)
    variables = [variable.value for variable in cell.trainable_variables]

    def gradients(outputs_of):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(outputs_of() ** 2)
        return tape.gradient(loss, [inputs, *variables])

    def loop_fn(time, output, state, loop_state):
        del loop_state
        state = tf.zeros([3, 2]) if output is None else state
        return time >= LENGTHS, step_of(inputs, time), state, output, None

    raw = gradients(lambda: raw_rnn(cell, loop_fn)[0].stack())
    expected = gradients(lambda: dynamic_rnn(cell, inputs, LENGTHS, dtype=tf.float32)[0])
    for ours, theirs in zip(raw, expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@EAGER_AND_GRAPH
def test_unknown_batch(in_graph):
    """The batch may be known at run time only."""
    cell = Replicator(2)

    def call(inputs):
        rows = tf.shape(inputs)[0]

        def loop_fn(time, output, state, loop_state):
            del loop_state
            state = tf.zeros([rows, 2]) if output is None else state
            return tf.fill([rows], time >= 2), inputs, state, output, None

        emitted, state, _ = raw_rnn(cell, loop_fn)
        return emitted.stack(), state

    if in_graph:
        call = tf.function(call, input_signature=[tf.TensorSpec([None, 2])])
    for rows in (1, 3):
        emitted, state = call(tf.ones([rows, 2]))
        np.testing.assert_array_equal(emitted, np.ones((2, rows, 2)))
        np.testing.assert_array_equal(state, np.ones((rows, 2)))


@pytest.mark.parametrize("training", [None, False, True])
def test_training(training):
    """`training` is passed to the cell: a bare loop drops unless it is False."""
    cell = DropoutWrapper(Replicator(2), output_keep_prob=0.0, seed=1)
    loop = counting_loop(None, lambda loop_state: None)
    emitted = raw_rnn(cell, loop, training=training)[0].stack()
    assert np.all(emitted == 0) == (training is not False)


def test_scope():
    """The scope is `rnn`, or the one given."""
    cell = GRUCell(2)
    loop = counting_loop(None, lambda loop_state: None)
    raw_rnn(cell, loop)
    assert next(iter(cell.tf1_variables())) == "rnn/gru_cell/gates/kernel"
    cell = GRUCell(2)
    raw_rnn(cell, loop, scope="decoder")
    assert next(iter(cell.tf1_variables())) == "decoder/gru_cell/gates/kernel"


def test_the_run_is_told_the_shapes_of_all_inputs():
    """A cell with nested inputs sees their nest, as `dynamic_rnn` gives it."""
    seen = []

    class Seeing(Nested):
        """Writes down what its runs are told."""

        def run_scope(self, batch_size, inputs_shape, training=None):
            seen.append((batch_size, inputs_shape))
            return super().run_scope(batch_size, inputs_shape, training)

    def step(count):
        return {"left": tf.ones([2, 2]), "right": (tf.ones([2, 3]), tf.ones([2, 2, 2]) * count)}

    def loop_fn(time, output, state, loop_state):
        del loop_state
        state = cell.zero_state(2, tf.float32) if output is None else state
        emit = tf.zeros([2]) if output is None else output[0]
        return tf.fill([2], time >= 2), step(tf.cast(time, tf.float32)), state, emit, None

    cell = Seeing()
    _, state, _ = raw_rnn(cell, loop_fn)
    assert seen == [(2, {"left": (2, 2), "right": ((2, 3), (2, 2, 2))})]
    np.testing.assert_array_equal(state["others"][1], np.ones((2, 2, 2)))  # 0 + 1


@EAGER_AND_GRAPH
def test_numpy_in_numpy_out_of_the_loop_function(in_graph):
    """A constant go-symbol and a constant state are taken at every step, not at the first alone."""
    symbol = np.full((3, 2), 7.0, np.float32)

    def loop_fn(time, output, state, loop_state):
        del state, loop_state
        return time >= LENGTHS, symbol, np.zeros((3, 2), np.float32), output, None

    def call():
        emitted, state, _ = raw_rnn(Replicator(2), loop_fn)
        return emitted.stack(), state

    emitted, state = traced(call, in_graph)()
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(
            emitted[:length, row], symbol[row : row + 1].repeat(length, 0)
        )
    np.testing.assert_array_equal(state, np.zeros((3, 2)))


def test_what_is_emitted_may_have_a_size_that_is_known_late():
    """Logits over a vocabulary whose size is a tensor."""

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def call(vocabulary):
        def loop_fn(time, output, state, loop_state):
            del loop_state
            if output is None:
                return time >= LENGTHS, tf.ones([3, 2]), tf.zeros([3, 2]), vocabulary, None
            logits = output[:, :1] + vocabulary
            return time >= LENGTHS, tf.ones([3, 2]), state, logits, None

        return raw_rnn(Replicator(2), loop_fn)[0].stack()

    emitted = call(tf.range(7.0))
    assert emitted.shape == (4, 3, 7)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(emitted[:length, row], np.tile(np.arange(7) + 1, (length, 1)))
        np.testing.assert_array_equal(emitted[length:, row], np.zeros((4 - length, 7)))


class Scalars(Replicator):
    """Gives each row's sum beside the row."""

    @property
    def output_size(self):
        return {"row": self.units, "sum": tf.TensorShape([])}

    def call(self, inputs, state):
        del state
        return {"row": inputs, "sum": tf.reduce_sum(inputs, 1)}, inputs


@EAGER_AND_GRAPH
def test_the_output_of_a_cell_may_be_a_scalar_a_row(in_graph):
    """Emitted as it is, where the first call says None."""

    def call():
        emitted, _, _ = raw_rnn(Scalars(2), reading_loop(tf.zeros([3, 2])))
        return tf.nest.map_structure(lambda array: array.stack(), emitted)

    emitted = traced(call, in_graph)()
    for row, length in enumerate(LENGTHS):
        expected = np.where(np.arange(4) < length, INPUTS[row, :4].sum(1), 0)
        np.testing.assert_allclose(emitted["sum"][:, row], expected, rtol=1e-6)
