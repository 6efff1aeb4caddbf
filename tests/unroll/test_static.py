"""`static_rnn` and `static_bidirectional_rnn`: lists in, lists out."""

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import (
    bidirectional_dynamic_rnn,
    dynamic_rnn,
    static_bidirectional_rnn,
    static_rnn,
    static_state_saving_rnn,
)
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell, LSTMStateTuple, MultiRNNCell, RNNCell
from tests.modes import EAGER_AND_GRAPH, traced
from tests.rnn_cell.test_tf1_names import make_outer
from tests.unroll.fakes import Counter, Nested, Plain, Replicator

INPUTS = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
LENGTHS = pytest.mark.parametrize("lengths", [None, (2, 0, 4), (1, 2, 0)])


def steps_of(inputs):
    """Returns inputs `[batch, time, ...]` as a list of steps."""
    return tf.unstack(tf.convert_to_tensor(inputs), axis=1)


@EAGER_AND_GRAPH
@LENGTHS
def test_static_rnn_is_dynamic_rnn(lengths, in_graph):
    """A list of steps gives the list of what `dynamic_rnn` gives, and its state."""
    cell = BasicLSTMCell(3)
    cell.build((None, 2))

    def call(inputs):
        return static_rnn(cell, steps_of(inputs), dtype=tf.float32, sequence_length=lengths)

    outputs, state = traced(call, in_graph)(INPUTS)
    expected, expected_state = dynamic_rnn(cell, INPUTS, lengths, dtype=tf.float32)
    assert isinstance(outputs, list)
    assert len(outputs) == 4
    np.testing.assert_allclose(np.stack(outputs, axis=1), expected, rtol=1e-6, atol=1e-7)
    assert type(state) is LSTMStateTuple
    for leaf, expected_leaf in zip(state, expected_state):
        np.testing.assert_allclose(leaf, expected_leaf, rtol=1e-6, atol=1e-7)


@LENGTHS
def test_numbers(lengths):
    """Outputs past a row's length are zero, and its state is copied through."""
    start = tf.fill([3, 2], 9.0)
    outputs, state = static_rnn(Replicator(2), steps_of(INPUTS), start, None, lengths)
    for row, length in enumerate(lengths or (4, 4, 4)):
        for time, output in enumerate(outputs):
            expected = INPUTS[row, time] if time < length else [0, 0]
            np.testing.assert_array_equal(output[row], expected)
        np.testing.assert_array_equal(state[row], INPUTS[row, length - 1] if length else [9, 9])


def test_work_is_bounded():
    """No step is run that no row needs."""
    cell = Plain()
    static_rnn(cell, steps_of(INPUTS), dtype=tf.float32, sequence_length=(2, 0, 1))
    assert cell.calls == 2


def test_integer_states():
    """States may be integers and scalars."""
    outputs, (rows, steps) = static_rnn(
        Counter(), steps_of(INPUTS), dtype=tf.float32, sequence_length=(2, 0, 3)
    )
    np.testing.assert_array_equal(
        np.stack(outputs)[:, :, 0].T, [[1, 2, 0, 0], [0] * 4, [1, 2, 3, 0]]
    )
    np.testing.assert_array_equal(rows, [[2], [0], [3]])
    assert int(steps) == 3


def test_nested_steps():
    """Each step may be a nest, and so may each output."""
    step = {"left": tf.ones([1, 2]), "right": (tf.ones([1, 3]), tf.ones([1, 2, 2]))}
    outputs, state = static_rnn(Nested(), [step] * 3, dtype=tf.float32)
    assert [float(first[0, 0]) for first, _ in outputs] == [1, 2, 3]
    assert [float(rest["last"][0, 1, 1]) for _, rest in outputs] == [1, 2, 3]
    np.testing.assert_array_equal(state["others"][0], np.full((1, 3), 3.0))


class EmbeddingCell(make_outer(RNNCell)):
    """Looks up the row of each id for the cell inside, as TF1's `EmbeddingWrapper` did."""

    def __init__(self, cell, table):
        super().__init__(cell)
        self.table = tf.constant(table)

    def call(self, inputs, state):
        return self.inner(tf.gather(self.table, inputs), state)


@EAGER_AND_GRAPH
@LENGTHS
def test_steps_of_ids(lengths, in_graph):
    """A step may be ids `[batch]`, for a cell that takes them; both ways too."""
    ids = np.random.default_rng(1).integers(0, 5, (3, 4))
    table = np.random.default_rng(2).standard_normal((5, 2)).astype(np.float32)
    cells = GRUCell(3), BasicLSTMCell(2)
    for cell in cells:
        cell.build((None, 2))
    takers = [EmbeddingCell(cell, table) for cell in cells]

    def call(ids):
        options = {"dtype": tf.float32, "sequence_length": lengths}
        one_way = static_rnn(takers[1], steps_of(ids), **options)
        return one_way, static_bidirectional_rnn(*takers, steps_of(ids), **options)

    (outputs, state), (both, *states) = traced(call, in_graph)(ids)
    expected, expected_state = dynamic_rnn(cells[1], table[ids], lengths, dtype=tf.float32)
    np.testing.assert_allclose(np.stack(outputs, axis=1), expected, rtol=1e-6, atol=1e-7)
    (fw, bw), expected_states = bidirectional_dynamic_rnn(
        *cells, table[ids], lengths, dtype=tf.float32
    )
    joined = np.concatenate([fw, bw], axis=2)
    np.testing.assert_allclose(np.stack(both, axis=1), joined, rtol=1e-6, atol=1e-7)
    received = tf.nest.flatten((state, *states))
    for leaf, other in zip(received, tf.nest.flatten((expected_state, *expected_states))):
        np.testing.assert_allclose(leaf, other, rtol=1e-6, atol=1e-7)


def test_one_step():
    """A list of one step is a list."""
    outputs, state = static_rnn(GRUCell(3), [tf.ones([2, 2])], dtype=tf.float32)
    assert len(outputs) == 1
    np.testing.assert_array_equal(outputs[0], state)


def test_steps_in_a_tuple():
    """A tuple of steps is as good as a list."""
    outputs, _ = static_rnn(GRUCell(3), tuple(steps_of(INPUTS)), dtype=tf.float32)
    assert len(outputs) == 4


def test_scope():
    """The scope is `rnn`, or the one given."""
    cell = GRUCell(3)
    static_rnn(cell, steps_of(INPUTS), dtype=tf.float32)
    assert next(iter(cell.tf1_variables())) == "rnn/gru_cell/gates/kernel"
    cell = GRUCell(3)
    static_rnn(cell, steps_of(INPUTS), dtype=tf.float32, scope="encoder")
    assert next(iter(cell.tf1_variables())) == "encoder/gru_cell/gates/kernel"


def run_both_ways(cells, inputs, **options):
    """Runs `static_bidirectional_rnn` in float32."""
    return static_bidirectional_rnn(*cells, inputs, dtype=tf.float32, **options)


@EAGER_AND_GRAPH
@LENGTHS
def test_both_ways(lengths, in_graph):
    """Outputs of both halves stand side by side; three values come back."""
    cells = GRUCell(3), BasicLSTMCell(2)
    for cell in cells:
        cell.build((None, 2))

    def call(inputs):
        return run_both_ways(cells, steps_of(inputs), sequence_length=lengths)

    outputs, state_fw, state_bw = traced(call, in_graph)(INPUTS)
    (fw, bw), states = bidirectional_dynamic_rnn(*cells, INPUTS, lengths, dtype=tf.float32)
    assert isinstance(outputs, list)
    joined = np.concatenate([fw, bw], axis=2)
    np.testing.assert_allclose(np.stack(outputs, axis=1), joined, rtol=1e-6, atol=1e-7)
    for leaf, expected in zip(tf.nest.flatten((state_fw, state_bw)), tf.nest.flatten(states)):
        np.testing.assert_allclose(leaf, expected, rtol=1e-6, atol=1e-7)


def test_both_ways_ends():
    """The forward half ends at the last step, the backward half at the first."""
    outputs, state_fw, state_bw = run_both_ways((Replicator(2), Replicator(2)), steps_of(INPUTS))
    np.testing.assert_array_equal(state_fw, INPUTS[:, -1])
    np.testing.assert_array_equal(state_bw, INPUTS[:, 0])
    for time, output in enumerate(outputs):
        np.testing.assert_array_equal(output, np.concatenate([INPUTS[:, time]] * 2, axis=1))


def test_both_ways_initial_states():
    """Each half starts from its own state."""
    starts = tf.fill([3, 2], 5.0), tf.fill([3, 2], 6.0)
    _, state_fw, state_bw = static_bidirectional_rnn(
        Replicator(2), Replicator(2), steps_of(INPUTS), *starts, sequence_length=(0, 0, 0)
    )
    np.testing.assert_array_equal(state_fw, starts[0])
    np.testing.assert_array_equal(state_bw, starts[1])


class Saver:
    """Keeps states by name in variables."""

    def __init__(self, **sizes):
        self.variables = {name: tf.Variable(tf.zeros([3, size])) for name, size in sizes.items()}

    def state(self, name):
        """What was saved last."""
        return self.variables[name].read_value()

    def save_state(self, name, value):
        """The assignment."""
        return self.variables[name].assign(value)


@EAGER_AND_GRAPH
def test_saved_states(in_graph):
    """Two halves of a sequence are the whole one; names may stand in a list."""
    cells = [BasicLSTMCell(2), GRUCell(3)]
    cell = MultiRNNCell(cells)
    cell.build((None, 2))
    saver = Saver(c=2, h=2, g=3)
    names = (LSTMStateTuple("c", "h"), "g")

    def call(inputs, names=names):
        return static_state_saving_rnn(cell, steps_of(inputs), saver, names)

    run = traced(call, in_graph)
    first, _ = run(INPUTS[:, :2])
    second, state = run(INPUTS[:, 2:])
    expected, expected_state = dynamic_rnn(cell, INPUTS, dtype=tf.float32)
    np.testing.assert_allclose(np.stack([*first, *second], axis=1), expected, rtol=1e-6, atol=1e-7)
    leaves = [saver.state(name) for name in tf.nest.flatten(names)]
    for leaf, received, other in zip(
        leaves, tf.nest.flatten(state), tf.nest.flatten(expected_state)
    ):
        np.testing.assert_array_equal(leaf, received)
        np.testing.assert_allclose(leaf, other, rtol=1e-6, atol=1e-7)
    assert isinstance(call(INPUTS, ["c", "h", "g"])[1][0], LSTMStateTuple)


@pytest.mark.parametrize("names", ["h", ("c",), ("c", "h", "c")])
def test_names_of_saved_states(names):
    """There is a name for each tensor."""
    with pytest.raises(ValueError, match="expected a name for each tensor of the state"):
        static_state_saving_rnn(BasicLSTMCell(2), steps_of(INPUTS), Saver(c=2, h=2), names)
    with pytest.raises(ValueError, match="expected a name for each tensor of the state"):
        static_state_saving_rnn(GRUCell(2), steps_of(INPUTS), Saver(h=2), ["h"])


def one_way(inputs, cells=None):
    """Runs `static_rnn`."""
    return static_rnn(cells[0] if cells else GRUCell(3), inputs, dtype=tf.float32)


def both_ways(inputs, cells=None):
    """Runs `static_bidirectional_rnn`."""
    return run_both_ways(cells or (GRUCell(3), GRUCell(3)), inputs)


@pytest.mark.parametrize("run", [one_way, both_ways])
class TestErrors:
    """What both loops refuse."""

    def test_not_a_list(self, run):
        """A tensor is not a list of steps."""
        with pytest.raises(TypeError, match="inputs must be a sequence"):
            run(tf.constant(INPUTS))

    def test_no_steps(self, run):
        """An empty list has no step to take the sizes from."""
        with pytest.raises(ValueError, match="inputs must not be empty"):
            run([])

    def test_wrong_rank(self, run):
        """A step has a row for each of the batch, for this package's cells a matrix."""
        with pytest.raises(ValueError, match=r"shape \(3,\), expected at least 2 known dimensions"):
            run([tf.constant(1.0)] * 3)
        with pytest.raises(
            ValueError, match=r"inputs of shape \(2,\).*expected \[batch, input_size"
        ):
            run([tf.ones([2])] * 3)

    def test_after_a_refusal(self, run):
        """What was refused has not built the cells: they run on other inputs."""
        cells = GRUCell(3), GRUCell(3)
        with pytest.raises(ValueError, match="expected \\[batch, input_size"):
            run([tf.ones([2])] * 3, cells)
        assert run([tf.ones([2, 5])] * 3, cells)[0][0].shape[0] == 2

    def test_integers(self, run):
        """Integer inputs are refused."""
        with pytest.raises(ValueError, match="only supports floating point inputs"):
            run([tf.ones([2, 2], tf.int32)] * 3)


def test_not_a_cell():
    """What is not a cell is refused."""
    with pytest.raises(TypeError, match=r"Received cell=3 .*which is not an RNNCell"):
        static_rnn(3, steps_of(INPUTS), dtype=tf.float32)
    with pytest.raises(TypeError, match=r"Received cell_bw=3 .*which is not an RNNCell"):
        run_both_ways((GRUCell(3), 3), steps_of(INPUTS))


def test_wrong_lengths():
    """Lengths are checked as by `dynamic_rnn`."""
    with pytest.raises(ValueError, match=r"sequence_length of shape \(2,\), expected \(3,\)"):
        static_rnn(GRUCell(3), steps_of(INPUTS), dtype=tf.float32, sequence_length=[1, 2])


def test_steps_of_ids_into_a_stack():
    """The cell that takes ids may be the first of a stack, whose others get what it gives."""
    ids, table = np.array([[1, 0, 3]]), np.random.default_rng(2).random((5, 2), np.float32)
    cells = GRUCell(3), GRUCell(2)
    takers = MultiRNNCell([EmbeddingCell(cells[0], table), cells[1]])
    cells[0].build((None, 2))
    outputs, _ = static_rnn(takers, steps_of(ids), dtype=tf.float32)
    expected, _ = dynamic_rnn(MultiRNNCell(cells), table[ids], dtype=tf.float32)
    np.testing.assert_allclose(np.stack(outputs, axis=1), expected, rtol=1e-6, atol=1e-7)
