"""What `raw_rnn` refuses: cells, functions, states and outputs that do not fit."""

import pytest
import tensorflow as tf

from rnn_mnist_tf import raw_rnn
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell, LSTMStateTuple
from tests.modes import EAGER_AND_GRAPH, traced
from tests.unroll.fakes import Replicator


def start_with(inputs, state):
    """Returns a `loop_fn` that gives these first, and fails when it is called again."""

    def loop_fn(time, output, old_state, loop_state):
        del time, old_state, loop_state
        assert output is None
        return tf.fill([2], False), inputs, state, None, None

    return loop_fn


@pytest.mark.parametrize("loop_fn", [None, 3, tf.constant(1)], ids=["none", "number", "tensor"])
def test_loop_fn_must_be_callable(loop_fn):
    """What cannot be called is refused."""
    with pytest.raises(TypeError, match="loop_fn must be a callable"):
        raw_rnn(GRUCell(2), loop_fn)


def test_not_a_cell():
    """What is not a cell is refused."""
    with pytest.raises(TypeError, match=r"Received cell=3 .*which is not an RNNCell"):
        raw_rnn(3, start_with(tf.ones([2, 2]), tf.zeros([2, 2])))


def test_wrong_first_state():
    """A first state of another structure is refused."""

    def loop_fn(time, output, state, loop_state):
        del time, state, loop_state
        return tf.fill([1], True), tf.ones([1, 2]), tf.zeros([1, 2]), output, None

    with pytest.raises(ValueError, match="Expected state to be a tuple of length 2"):
        raw_rnn(BasicLSTMCell(2), loop_fn)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (LSTMStateTuple(tf.zeros([2, 3]), tf.zeros([2, 4])), r"initial_state\.h of shape \(2, 4\)"),
        (LSTMStateTuple(tf.zeros([5, 3]), tf.zeros([2, 3])), r"initial_state\.c of shape \(5, 3\)"),
        (LSTMStateTuple(*tf.zeros([2, 2, 3], tf.float64)), r"initial_state\.c of dtype float64"),
        (LSTMStateTuple(*tf.zeros([2, 2, 3], tf.int32)), r"initial_state\.c"),
    ],
    ids=["size", "batch", "float64", "integers"],
)
def test_the_first_state_is_checked_before_the_loop(state, words):
    """As in `dynamic_rnn`: the wrong leaf is named, and no step was taken."""
    with pytest.raises(ValueError, match=words):
        raw_rnn(BasicLSTMCell(3), start_with(tf.ones([2, 2]), state))


def emit_later(first, later):
    """Returns a call of `raw_rnn` whose first output is one thing and all others another."""

    def loop_fn(time, output, state, loop_state):
        del loop_state
        if output is None:
            return tf.fill([2], False), tf.ones([2, 3]), tf.zeros([2, 3]), first(), None
        return tf.fill([2], time >= 2), tf.ones([2, 3]), state, later(output), None

    return lambda: raw_rnn(Replicator(3), loop_fn)[1]


@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    ("first", "later"),
    [
        (lambda: (tf.zeros([3]), tf.zeros([])), lambda x: (x, x[:, 0], x)),
        (lambda: {"a": tf.zeros([3]), "b": tf.zeros([3])}, lambda x: {"x": x, "y": x}),
        (lambda: {"a": tf.zeros([3]), "b": tf.zeros([3])}, lambda x: (x, x)),
        (lambda: None, lambda x: (x, x)),
    ],
    ids=["one too many", "other keys", "a tuple for a dict", "two for the cell's one"],
)
def test_an_output_of_another_structure(first, later, in_graph):
    """No leaf is lost, and none takes another's place; TensorFlow 1 refuses them too."""
    call = emit_later(first, later)
    with pytest.raises(
        ValueError, match=r"an output of loop_fn.*expected the structure of (its|output)"
    ):
        traced(call, in_graph)()


@EAGER_AND_GRAPH
def test_rows_are_not_repeated(in_graph):
    """One row where there are two, or one column where there are three, is an error."""
    for later in (lambda x: x[:1], lambda x: x[:, :1]):
        call = emit_later(lambda: None, later)
        with pytest.raises(ValueError, match=r"shape \((1, 3|2, 1)\).*expected.*\(2, 3\)"):
            traced(call, in_graph)()


class TwoOutputs(Replicator):
    """Says that it has one output, and gives two."""

    def call(self, inputs, state):
        return (inputs, inputs), state


@EAGER_AND_GRAPH
def test_a_cell_of_another_output(in_graph):
    """As in `dynamic_rnn`."""

    def call():
        def loop_fn(time, output, state, loop_state):
            del output, loop_state
            state = tf.zeros([2, 3]) if state is None else state
            return tf.fill([2], time >= 2), tf.ones([2, 3]), state, None, None

        return raw_rnn(TwoOutputs(3), loop_fn)[1]

    with pytest.raises(ValueError, match="a cell whose output is"):
        traced(call, in_graph)()
