"""What a loop is given: inputs, lengths, initial states, dtypes, and every error about them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn, static_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from rnn_mnist_tf.unroll.sequence import check_lengths, prepare_inputs
from tests.unroll.fakes import Breaks, Counter, Nested

FLOATS = tf.ones([2, 5, 3])
BOTH = pytest.mark.parametrize("implementation", ["auto", "loop"])


def refuses(message, cell, inputs=FLOATS, error=ValueError, **options):
    """Asserts that `dynamic_rnn` raises an error with a message."""
    with pytest.raises(error, match=message):
        dynamic_rnn(cell, inputs, **{"dtype": tf.float32, **options})


@pytest.mark.parametrize("cell", [None, 3, "cell", GRUCell, [GRUCell(4)]])
def test_not_a_cell(cell):
    """What is not a cell is a `TypeError` that says what is missing."""
    refuses(r"Received cell=.*which is not an RNNCell: it has no ", cell, error=TypeError)


@pytest.mark.parametrize(
    "loop", [dynamic_rnn, lambda cell, x: static_rnn(cell, tf.unstack(x, 5, 1))]
)
def test_neither_state_nor_dtype(loop):
    """Without an initial state a loop needs a dtype."""
    with pytest.raises(ValueError, match="there is no initial_state, you must give a dtype"):
        loop(GRUCell(4), FLOATS)


@pytest.mark.parametrize("shape", [(5,), (2, 5)])
def test_wrong_rank(shape):
    """Inputs have at least three dimensions."""
    refuses(
        r"inputs of shape .*expected at least 3.*\[batch, time, \.\.\.\]",
        GRUCell(4),
        tf.ones(shape),
    )
    refuses(r"\[time, batch, \.\.\.\]", GRUCell(4), tf.ones(shape), time_major=True)


@BOTH
@pytest.mark.parametrize("cell", [GRUCell, BasicLSTMCell])
def test_too_many_dimensions(cell, implementation):
    """A cell over matrices refuses steps that are none."""
    refuses(
        r"Received inputs of shape \(2, 3, 3\), expected \[batch, input_size\]",
        cell(4),
        tf.ones([2, 5, 3, 3]),
        implementation=implementation,
    )


def test_unknown_depth():
    """The depth must be known."""

    @tf.function(input_signature=[tf.TensorSpec([2, 5, None])])
    def call(inputs):
        return dynamic_rnn(GRUCell(4), inputs, dtype=tf.float32)

    with pytest.raises(ValueError, match=r"Input size \(depth of inputs\) must be accessible"):
        call(FLOATS)


def test_unknown_rank():
    """So must the rank."""

    @tf.function(input_signature=[tf.TensorSpec(None)])
    def call(inputs):
        return dynamic_rnn(GRUCell(4), inputs, dtype=tf.float32)

    with pytest.raises(ValueError, match="expected at least 3 known dimensions"):
        call(FLOATS)


@pytest.mark.parametrize("shape", [(3, 5, 3), (2, 4, 3)], ids=["batch", "time"])
def test_nested_inputs_disagree(shape):
    """Nested inputs have one batch and one time; the path of the other one is named."""
    inputs = {"left": tf.ones([2, 5, 2]), "right": (tf.ones(shape), tf.ones([2, 5, 2, 2]))}
    refuses(
        rf"Received inputs\['right'\]\[0\] of {shape[0]} rows and {shape[1]} steps.*"
        r"inputs\['left'\]: 2 and 5",
        Nested(),
        inputs,
    )


def test_no_inputs():
    """An empty nest is no input."""
    refuses(r"Received inputs=\(\), expected at least one tensor", GRUCell(4), ())


@BOTH
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.uint8])
@pytest.mark.parametrize(
    "cell",
    [GRUCell, BasicLSTMCell, LSTMCell, lambda units: MultiRNNCell([BasicLSTMCell(units)])],
    ids=["gru", "basic_lstm", "lstm", "stack"],
)
def test_integer_inputs(cell, dtype, implementation):
    """Integer inputs are refused, whatever computes the loop."""
    refuses(
        rf"only supports floating point inputs.*Received inputs of dtype {dtype.name}",
        cell(4),
        tf.ones([2, 5, 3], dtype),
        implementation=implementation,
    )


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([[1, 2]], r"sequence_length must be a vector of length batch_size.*\(1, 2\)"),
        (3, r"sequence_length must be a vector of length batch_size"),
        ([1, 2, 3], r"sequence_length of shape \(3,\), expected \(2,\)"),
        ([True, False], r"sequence_length of dtype bool, expected whole numbers"),
    ],
)
@BOTH
def test_wrong_lengths(lengths, message, implementation):
    """Lengths are a vector of whole numbers, one for each row."""
    refuses(message, BasicLSTMCell(4), sequence_length=lengths, implementation=implementation)


@BOTH
@pytest.mark.parametrize("signature", [[None, None, 3], [None, 5, 3]])
def test_wrong_lengths_at_run_time(signature, implementation):
    """Where the batch is not known before, lengths of another one are found at run time."""
    cell = BasicLSTMCell(4)

    @tf.function(input_signature=[tf.TensorSpec(signature), tf.TensorSpec([None], tf.int32)])
    def call(inputs, lengths):
        return dynamic_rnn(cell, inputs, lengths, dtype=tf.float32, implementation=implementation)

    assert call(FLOATS, [1, 2])[0].shape == (2, 5, 4)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="Expected shape for Tensor sequence_l"
    ):
        call(FLOATS, [1, 2, 3])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float32, np.float64])
def test_lengths_of_any_type(dtype):
    """Lengths may be of any type of numbers, and come as int32."""
    lengths = check_lengths(np.array([1, 2], dtype), 2)
    assert lengths.dtype == tf.int32
    np.testing.assert_array_equal(lengths, [1, 2])


def zeros(*shapes, dtype=tf.float32):
    """Returns zeros of each shape."""
    return tuple(tf.zeros(shape, dtype) for shape in shapes)


@BOTH
@pytest.mark.parametrize(
    ("state", "message"),
    [
        (zeros([2, 4])[0], r"expected initial_state to be a tuple of length 2"),
        (zeros([2, 4]), r"expected initial_state to be a tuple of length 2"),
        (zeros([3, 4], [3, 4]), r"state\.c of shape \(3, 4\), expected \(2, 4\)"),
        (zeros([1, 4], [1, 4]), r"state\.c of shape \(1, 4\), expected \(2, 4\)"),
        (zeros([2, 4], [2, 5]), r"state\.h of shape \(2, 5\), expected \(2, 4\)"),
        (zeros([4], [4]), r"state\.c of shape \(4,\), expected \(2, 4\)"),
        (zeros([2, 4], [2, 4], dtype=tf.int32), r"state\.c of dtype int32"),
    ],
    ids=["tensor", "too_short", "batch", "batch_of_one", "width", "rank", "integer"],
)
def test_wrong_initial_state(state, message, implementation):
    """A state of another structure, shape or kind is named with its path."""
    refuses(message, BasicLSTMCell(4), initial_state=state, implementation=implementation)


@BOTH
@pytest.mark.parametrize("kind", [BasicRNNCell, GRUCell])
@pytest.mark.parametrize("shape", [(1, 4), (3, 4), (2, 5), (4,)], ids=str)
def test_wrong_bare_initial_state(kind, shape, implementation):
    """A bare state of another batch or width is refused, one row not repeated in silence."""
    refuses(
        rf"state of shape \({shape[0]},.*\), expected \(2, 4\)",
        kind(4),
        initial_state=tf.zeros(shape),
        implementation=implementation,
    )


@BOTH
@pytest.mark.parametrize(
    ("state", "message"),
    [
        ((zeros([2, 4]), zeros([2, 3], [2, 3])), r"expected initial_state\[0\] to be a tuple of"),
        ((zeros([2, 4], [2, 4]), zeros([2, 3], [2, 9])), r"state\[1\]\.h of shape \(2, 9\)"),
        ((zeros([2, 4], [2, 4]), zeros([5, 3], [5, 3])), r"state\[1\]\.c of shape \(5, 3\)"),
    ],
    ids=["too_short", "width", "batch"],
)
def test_wrong_initial_state_of_a_stack(state, message, implementation):
    """So it is inside a stack."""
    stack = MultiRNNCell([BasicLSTMCell(4), BasicLSTMCell(3)])
    refuses(message, stack, initial_state=state, implementation=implementation)


@BOTH
def test_initial_state_of_another_dtype(implementation):
    """A state of another dtype than the cell's is refused, not cast."""
    refuses(
        "float64",
        BasicLSTMCell(4, dtype="float32"),
        initial_state=zeros([2, 4], [2, 4], dtype=tf.float64),
        dtype=None,
        implementation=implementation,
    )


@BOTH
@pytest.mark.parametrize("container", [tuple, list, lambda leaves: LSTMStateTuple(*leaves)])
def test_initial_state_needs_no_dtype(container, implementation):
    """An initial state tells the dtype, and may come in any container."""
    outputs, state = dynamic_rnn(
        BasicLSTMCell(4),
        tf.ones([2, 5, 3], tf.float64),
        initial_state=container(zeros([2, 4], [2, 4], dtype=tf.float64)),
        implementation=implementation,
    )
    assert outputs.dtype == tf.float64
    assert type(state) is LSTMStateTuple


def test_initial_state_of_numpy():
    """Arrays are as good as tensors."""
    start = np.full((2, 3), 0.5, np.float32)
    _, state = dynamic_rnn(GRUCell(3), FLOATS.numpy(), np.array([0, 0]), initial_state=start)
    np.testing.assert_array_equal(state, start)


def test_states_of_different_dtypes_need_a_dtype():
    """Where states have several dtypes, that of the outputs must be said."""
    start = Counter().zero_state(2, None)
    mixed = (tf.zeros([2, 1], tf.int64), start[1])
    with pytest.raises(ValueError, match="State has tensors of different inferred_dtypes"):
        dynamic_rnn(Counter(), FLOATS, initial_state=mixed)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda x, s: ((x, x), s), r"a cell whose output is \(float32\[.*expected the structure"),
        (lambda x, s: (x, (s, s)), r"a cell whose state is \(float32\[.*expected the structure"),
    ],
    ids=["output", "state"],
)
def test_cell_that_changes_its_structure(part, message):
    """A cell that does not give what its sizes promise is found out."""
    refuses(message, Breaks(part), tf.ones([2, 5, 2]))


def test_unknown_implementation():
    """Implementations have names."""
    refuses("Received implementation='fast', expected one of", GRUCell(4), implementation="fast")


def test_fused_on_demand():
    """A kernel that does not exist is not replaced in silence."""
    refuses("has no whole-sequence kernel", LSTMCell(4, num_proj=2), implementation="fused")
    outputs, _ = dynamic_rnn(BasicLSTMCell(4), FLOATS, dtype=tf.float32, implementation="fused")
    assert outputs.shape == (2, 5, 4)


@pytest.mark.parametrize("kind", [GRUCell, BasicLSTMCell, LSTMCell])
def test_reuse(kind):
    """`reuse=True` is refused where the cell is made, with what to do."""
    with pytest.raises(ValueError, match=r"Received reuse=True, expected None or False.*same cell"):
        kind(4, reuse=True)


@pytest.mark.parametrize("time_major", [False, True])
def test_prepared_inputs(time_major):
    """Inputs come out with time first, with the sizes that are known."""
    sequence = prepare_inputs(tf.reshape(tf.range(30.0), [2, 5, 3]), time_major)
    assert (sequence.batch_size, sequence.time_steps) == ((5, 2) if time_major else (2, 5))
    assert sequence.inputs.shape[:2] == (sequence.time_steps, sequence.batch_size)
    assert sequence.step_shape == (sequence.batch_size, 3)
    where = (4, 1) if time_major is False else (1, 4)
    assert float(sequence.inputs[(*where, 2)]) == 29.0


def test_prepared_sizes_of_nested_inputs():
    """What one of the inputs knows is known of all."""

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 2]), tf.TensorSpec([2, None, 3])])
    def call(left, right):
        sequence = prepare_inputs((left, right))
        assert (sequence.batch_size, sequence.time_steps) == (2, 5)
        return left

    call(tf.ones([2, 5, 2]), FLOATS)


@BOTH
@pytest.mark.parametrize("start", ["float32", "float16", "float64"])
def test_a_mixed_policy_computes_in_its_own_dtype(start, implementation):
    """Whatever dtype is asked for, and whatever dtype the initial state has."""
    cell = BasicLSTMCell(4, dtype="mixed_float16")
    state = zeros([2, 4], [2, 4], dtype=start)
    for options in ({"initial_state": state}, {"dtype": start}):
        outputs, final = dynamic_rnn(cell, FLOATS[:2], **options, implementation=implementation)
        assert outputs.dtype == final.c.dtype == final.h.dtype == tf.float16


class MinimalKerasCell(keras.layers.Layer):
    """A cell as Keras 3 asks for it, whose states are a list."""

    def __init__(self):
        super().__init__()
        self.state_size = [3, 1]
        self.output_size = 3

    def get_initial_state(self, batch_size=None):
        """Returns ones, and a count of steps."""
        return [tf.ones([batch_size, 3]), tf.zeros([batch_size, 1], tf.int32)]

    def call(self, inputs, states):
        """Adds the inputs to the state."""
        return states[0] + inputs, [states[0] + inputs, states[1] + 1]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_a_users_keras_cell(dtype):
    """Its `get_initial_state` knows no dtype, as Keras asks for none."""
    cell = MinimalKerasCell()
    cell.dtype_policy = dtype.name
    inputs = tf.ones([2, 5, 3], dtype)
    outputs, state = dynamic_rnn(cell, inputs, dtype=dtype)
    assert outputs.dtype == state[0].dtype == dtype
    np.testing.assert_array_equal(state[0], 6 * np.ones([2, 3]))
    np.testing.assert_array_equal(state[1], [[5], [5]])
    assert state[1].dtype == tf.int32
    np.testing.assert_array_equal(outputs[:, -1], state[0])
