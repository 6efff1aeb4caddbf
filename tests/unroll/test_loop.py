"""The loop itself, pinned down by cells whose numbers are known: lengths, padding, work done."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
)
from tests.modes import EAGER_AND_GRAPH, GRAPH_AND_SLOWLY_EAGER, mostly_slow, traced
from tests.rnn_cell.stepping import few_examples
from tests.unroll.fakes import Counter, Nested, Plain, Records, RecordsAsLayer, Replicator


def run(cell, inputs, lengths=None, in_graph=False, **options):
    """Runs `dynamic_rnn`, in a graph with unknown batch and time or eagerly."""
    options.setdefault("dtype", tf.float32)

    def call(inputs, lengths=None):
        return dynamic_rnn(cell, inputs, lengths, **options)

    arguments = [tf.nest.map_structure(tf.constant, inputs)]
    if lengths is not None:
        arguments.append(tf.constant(lengths, tf.int32))
    if in_graph:
        unknown = [(None, None), (None,)]
        signature = [
            tf.nest.map_structure(
                lambda x, first=first: tf.TensorSpec([*first, *x.shape[len(first) :]], x.dtype), x
            )
            for x, first in zip(arguments, unknown)
        ]
        call = tf.function(call, input_signature=signature)
    return call(*arguments)


def steps(batch, time, depth=2):
    """Returns inputs in which row b at step t is 10 b + t + 1, float32."""
    numbers = 10 * np.arange(batch)[:, None] + np.arange(time) + 1
    return np.repeat(numbers[:, :, None], depth, axis=2).astype(np.float32)


batches_of_lengths = st.lists(st.integers(0, 6), min_size=1, max_size=4)


@few_examples
@given(time=st.integers(1, 5), lengths=batches_of_lengths, in_graph=st.booleans())
def test_counter(time, lengths, in_graph):
    """Rows count to their length, outputs past it are zero, and no step is run for nothing."""
    batch = len(lengths)
    outputs, (rows, run_steps) = run(Counter(), steps(batch, time), lengths, in_graph)
    counted = np.minimum(lengths, time)
    running = np.arange(time) < counted[:, None]
    np.testing.assert_array_equal(outputs[..., 0], np.where(running, np.arange(time) + 1, 0))
    np.testing.assert_array_equal(rows[:, 0], counted)
    assert rows.dtype == tf.int32
    assert int(run_steps) == min(time, max(1, *lengths, 1))


@few_examples
@given(time=st.integers(1, 5), lengths=batches_of_lengths, in_graph=st.booleans())
def test_replicator(time, lengths, in_graph):
    """The state is copied through from each row's last step; no step leaves it as it was."""
    batch = len(lengths)
    inputs = steps(batch, time)
    start = np.full((batch, 2), -1, np.float32)
    outputs, state = run(
        Replicator(2), inputs, lengths, in_graph, initial_state=tf.constant(start), dtype=None
    )
    for row, length in enumerate(np.minimum(lengths, time)):
        np.testing.assert_array_equal(outputs[row, :length], inputs[row, :length])
        np.testing.assert_array_equal(outputs[row, length:], 0)
        expected = inputs[row, length - 1] if length else start[row]
        np.testing.assert_array_equal(state[row], expected)


@EAGER_AND_GRAPH
def test_without_lengths(in_graph):
    """Without lengths every step of every row is run."""
    outputs, (rows, run_steps) = run(Counter(), steps(2, 4), None, in_graph)
    np.testing.assert_array_equal(outputs[..., 0], [[1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(rows, [[4], [4]])
    assert int(run_steps) == 4


@EAGER_AND_GRAPH
@pytest.mark.parametrize("lengths", [None, (5, 2, 0)])
def test_time_major(in_graph, lengths):
    """With `time_major` inputs and outputs have time first; state and numbers are the same."""
    inputs = steps(3, 5)
    outputs, state = run(Replicator(2), inputs, lengths, in_graph)
    swapped, swapped_state = run(
        Replicator(2), inputs.transpose(1, 0, 2), lengths, in_graph, time_major=True
    )
    np.testing.assert_array_equal(np.transpose(swapped, (1, 0, 2)), outputs)
    np.testing.assert_array_equal(swapped_state, state)


@pytest.mark.parametrize(("lengths", "calls"), [(None, 6), ((1, 3), 3), ((0, 0), 1), ((9, 2), 6)])
def test_work_is_bounded(lengths, calls):
    """Eagerly a cell is called as often as the longest row needs, and at least once."""
    cell = Plain()
    run(cell, steps(2, 6), lengths)
    assert cell.calls == calls


def nested_inputs(batch=2, time=3):
    """Returns inputs for `Nested`."""
    draw = np.random.default_rng(0).standard_normal
    shapes = {"left": (2,), "right": ((3,), (2, 2))}
    return {
        "left": draw((batch, time, *shapes["left"])).astype(np.float32),
        "right": tuple(draw((batch, time, *s)).astype(np.float32) for s in shapes["right"]),
    }


@EAGER_AND_GRAPH
@pytest.mark.parametrize("lengths", [None, (1, 3)])
def test_nested_inputs_and_outputs(in_graph, lengths):
    """Inputs, outputs and states of any structure and rank go through."""
    inputs = nested_inputs()
    (first, rest), state = run(Nested(), inputs, lengths, in_graph)
    lasting = np.array(lengths or (3, 3))
    running = (np.arange(3) < lasting[:, None]).astype(np.float32)

    def sums(leaf):
        mask = running.reshape(2, 3, *[1] * (leaf.ndim - 2))
        return np.cumsum(leaf * mask, axis=1)

    def masked(leaf):
        return sums(leaf) * running.reshape(2, 3, *[1] * (leaf.ndim - 2))

    second, last = inputs["right"]
    np.testing.assert_allclose(first, masked(inputs["left"]), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rest["last"], masked(last), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(state["first"], sums(inputs["left"])[:, -1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(state["others"][0], sums(second)[:, -1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(state["others"][1], sums(last)[:, -1], rtol=1e-6, atol=1e-6)


@EAGER_AND_GRAPH
def test_nested_time_major(in_graph):
    """All leaves of nested inputs have time first."""
    inputs = nested_inputs()
    expected = run(Nested(), inputs, (1, 3), in_graph)
    swapped = tf.nest.map_structure(lambda leaf: np.swapaxes(leaf, 0, 1), inputs)
    outputs, state = run(Nested(), swapped, (1, 3), in_graph, time_major=True)
    outputs = tf.nest.map_structure(
        lambda leaf: tf.experimental.numpy.swapaxes(leaf, 0, 1), outputs
    )
    for ours, theirs in zip(tf.nest.flatten((outputs, state)), tf.nest.flatten(expected)):
        np.testing.assert_array_equal(ours, theirs)


@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    "make",
    [
        Records,
        RecordsAsLayer,
        lambda: DropoutWrapper(Records(), state_keep_prob=0.5),
        lambda: DropoutWrapper(RecordsAsLayer(), output_keep_prob=0.5),
        lambda: MultiRNNCell([RecordsAsLayer()]),
    ],
    ids=["object", "layer", "wrapper", "wrapper of a layer", "stack"],
)
def test_tensor_array_in_the_state(make, in_graph):
    """A `TensorArray` in the state belongs to no row: it is written at every step that is run."""
    cell = make()

    def call(inputs, lengths):
        outputs, state = dynamic_rnn(cell, inputs, lengths, dtype=tf.float32, training=False)
        count, array = state[0] if isinstance(cell, MultiRNNCell) else state
        return outputs, count, array.stack()

    call = traced(call, in_graph)
    inputs = steps(2, 5, depth=1)
    _, count, written = call(tf.constant(inputs), tf.constant([1, 3]))
    np.testing.assert_array_equal(count, [[1], [3]])
    np.testing.assert_array_equal(written, inputs.transpose(1, 0, 2)[:3])


@EAGER_AND_GRAPH
@pytest.mark.parametrize("training", [None, True])
def test_training_beside_a_tensor_array(training, in_graph):
    """It reaches what is inside; None is TF1's way for its wrapper, Keras's for a layer."""
    cell = DropoutWrapper(RecordsAsLayer(), output_keep_prob=0.5, seed=1)

    def call(inputs):
        outputs, (_, array) = dynamic_rnn(cell, inputs, dtype=tf.float32, training=training)
        return outputs, array.stack()

    outputs, written = traced(call, in_graph)(tf.ones([40, 5, 1]))
    assert 0 < np.mean(outputs.numpy() == 0) < 1
    assert (written.numpy() == 0).any() == bool(training)


CELLS = {
    "basic_rnn": lambda: BasicRNNCell(3),
    "gru": lambda: GRUCell(3),
    "lstm": lambda: BasicLSTMCell(3),
    "peepholes": lambda: LSTMCell(3, use_peepholes=True),
    "projected": lambda: LSTMCell(3, num_proj=2, cell_clip=1.0),
    "joined": lambda: LSTMCell(3, state_is_tuple=False),
    "stack": lambda: MultiRNNCell([BasicLSTMCell(3), LSTMCell(2)]),
}
WITHOUT_KERNEL = ("projected", "joined")
EACH_CELL = pytest.mark.parametrize(
    ("kind", "implementation"),
    [(kind, "auto") for kind in CELLS]
    + [(kind, "loop") for kind in CELLS if kind not in WITHOUT_KERNEL],
)


@EAGER_AND_GRAPH
@EACH_CELL
def test_padding_is_not_read(kind, implementation, in_graph):
    """NaN past a row's length reaches neither outputs nor states."""
    cell = CELLS[kind]()
    inputs, lengths = steps(3, 5) / 10, (2, 0, 4)
    padded = inputs.copy()
    for row, length in enumerate(lengths):
        inputs[row, length:] = 0
        padded[row, length:] = np.nan
    expected = run(cell, inputs, lengths, in_graph, implementation=implementation)
    received = run(cell, padded, lengths, in_graph, implementation=implementation)
    for ours, theirs in zip(tf.nest.flatten(received), tf.nest.flatten(expected)):
        np.testing.assert_array_equal(ours, theirs)


@EAGER_AND_GRAPH
@EACH_CELL
def test_row_of_no_length(kind, implementation, in_graph):
    """A row of length 0 gives zeros, and its initial state back."""
    cell = CELLS[kind]()
    start = tf.nest.map_structure(lambda size: tf.fill([2, size], 0.3), cell.state_size)
    outputs, state = run(
        cell,
        steps(2, 4),
        (0, 4),
        in_graph,
        initial_state=start,
        dtype=None,
        implementation=implementation,
    )
    np.testing.assert_array_equal(outputs[0], np.zeros_like(outputs[0]))
    assert np.all(outputs[1] != 0)
    for leaf in tf.nest.flatten(state):
        np.testing.assert_array_equal(leaf[0], np.full(leaf.shape[1], 0.3, np.float32))
        assert np.all(leaf[1] != np.float32(0.3))


@EAGER_AND_GRAPH
@EACH_CELL
def test_lengths_past_the_end(kind, implementation, in_graph):
    """Lengths beyond the time axis mean all of it."""
    cell = CELLS[kind]()
    expected = run(cell, steps(2, 4), None, in_graph, implementation=implementation)
    received = run(cell, steps(2, 4), (4, 99), in_graph, implementation=implementation)
    for ours, theirs in zip(tf.nest.flatten(received), tf.nest.flatten(expected)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@GRAPH_AND_SLOWLY_EAGER
@EACH_CELL
@pytest.mark.parametrize("lengths", [None, (0, 3)])
def test_no_steps(kind, implementation, in_graph, lengths):
    """A time axis of no steps gives no outputs, and the initial state back."""
    cell = CELLS[kind]()
    start = tf.nest.map_structure(lambda size: tf.fill([2, size], 0.3), cell.state_size)
    outputs, state = run(
        cell,
        steps(2, 0),
        lengths,
        in_graph,
        initial_state=start,
        dtype=None,
        implementation=implementation,
    )
    assert outputs.shape == (2, 0, cell.output_size)
    for leaf, first in zip(tf.nest.flatten(state), tf.nest.flatten(start)):
        np.testing.assert_array_equal(leaf, first)


@GRAPH_AND_SLOWLY_EAGER
@EACH_CELL
@pytest.mark.parametrize("lengths", [None, ()])
def test_no_rows(kind, implementation, in_graph, lengths):
    """A batch of no rows gives outputs and states of no rows."""
    cell = CELLS[kind]()
    outputs, state = run(cell, steps(0, 4), lengths, in_graph, implementation=implementation)
    assert outputs.shape == (0, 4, cell.output_size)
    for leaf, size in zip(tf.nest.flatten(state), tf.nest.flatten(cell.state_size)):
        assert leaf.shape == (0, size)


@EAGER_AND_GRAPH
def test_no_steps_of_a_counter(in_graph):
    """Nor is anything run over no steps where outputs nest and states are integers."""
    outputs, (rows, run_steps) = run(Counter(), steps(2, 0), None, in_graph)
    assert outputs.shape == (2, 0, 1)
    np.testing.assert_array_equal(rows, [[0], [0]])
    assert int(run_steps) == 0


@pytest.mark.parametrize(
    "sizes", mostly_slow([(2, 4), (None, 4), (2, None), (None, None)], [(2, 4), (None, None)])
)
@EACH_CELL
def test_static_shapes(kind, implementation, sizes):
    """What is known of the shapes of the inputs is known of outputs and states."""
    cell = CELLS[kind]()
    batch, time = sizes

    @tf.function(input_signature=[tf.TensorSpec([batch, time, 2])])
    def call(inputs):
        outputs, state = dynamic_rnn(cell, inputs, dtype=tf.float32, implementation=implementation)
        assert outputs.shape.as_list() == [batch, time, cell.output_size]
        for leaf, size in zip(tf.nest.flatten(state), tf.nest.flatten(cell.state_size)):
            assert leaf.shape.as_list() == [batch, size]
        return outputs

    assert call(tf.constant(steps(2, 4))).shape == (2, 4, cell.output_size)


class OneRow(Replicator):
    """Gives a state of one row, whatever it got."""

    def call(self, inputs, state):
        return inputs, inputs[:1]


@pytest.mark.parametrize("lengths", [None, [3, 2]])
@EAGER_AND_GRAPH
def test_a_state_of_other_rows_is_refused(in_graph, lengths):
    """TensorFlow would repeat the row, and did."""

    def call():
        return dynamic_rnn(OneRow(2), tf.ones([2, 3, 2]), lengths, dtype=tf.float32)

    with pytest.raises(ValueError, match=r"\(1, 2\).*\(2, 2\)"):
        traced(call, in_graph)()


def test_a_start_of_other_rows_is_refused_at_run_time():
    """Where the batch is known when the graph runs, the vanilla kernel repeated the row."""
    cell = BasicRNNCell(4)

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 3]), tf.TensorSpec([None, 4])])
    def call(inputs, state):
        return dynamic_rnn(cell, inputs, initial_state=state)[0]

    assert call(tf.ones([2, 5, 3]), tf.ones([2, 4])).shape == (2, 5, 4)
    with pytest.raises(tf.errors.InvalidArgumentError):
        call(tf.ones([2, 5, 3]), tf.ones([1, 4]))
