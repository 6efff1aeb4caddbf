"""Whole-sequence kernels against the step-by-step loop: numbers, first and second derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
)
from rnn_mnist_tf.unroll.chunks import CHUNK
from rnn_mnist_tf.unroll.fused import find_kernel
from tests.modes import EAGER_AND_GRAPH, mostly_slow, traced

CELLS = {
    "basic_rnn": lambda: BasicRNNCell(4),
    "gru": lambda: GRUCell(4),
    "basic_lstm": lambda: BasicLSTMCell(4),
    "forget_bias": lambda: LSTMCell(4, forget_bias=-0.5),
    "peepholes": lambda: LSTMCell(4, use_peepholes=True),
    "stack": lambda: MultiRNNCell([BasicLSTMCell(4), LSTMCell(3, use_peepholes=True)]),
    "mixed_stack": lambda: MultiRNNCell([BasicRNNCell(3), GRUCell(4), BasicLSTMCell(3)]),
}
EACH_CELL = pytest.mark.parametrize("kind", CELLS)
CASES = {
    "plain": {},
    "lengths": {"lengths": (2, 0, 9)},
    "initial_state": {"initial_state": True},
    "lengths_and_state": {"lengths": (5, 1, 3), "initial_state": True},
}
EACH_CASE = pytest.mark.parametrize("case", CASES)


class Problem:
    """A built cell with random weights, inputs, lengths and perhaps an initial state."""

    def __init__(self, kind, time=5, lengths=None, initial_state=False, depth=3):
        self.generator = np.random.default_rng(len(kind) + time)
        self.cell = CELLS[kind]()
        self.cell.build((None, depth))
        for variable in self.cell.trainable_variables:
            variable.assign(self.draw(variable.shape, 0.6))
        self.inputs = self.draw((3, time, depth))
        self.lengths = None if lengths is None else tf.constant(lengths)
        sizes = tf.nest.flatten(self.cell.state_size) if initial_state else []
        self.leaves = [self.draw((3, size), 0.5) for size in sizes]

    def draw(self, shape, scale=1.0):
        """Returns random float32 numbers."""
        return tf.constant(scale * self.generator.standard_normal(shape), tf.float32)

    @property
    def sources(self):
        """Everything that the answer depends on."""
        weights = [variable.value for variable in self.cell.trainable_variables]
        return [self.inputs, *self.leaves, *weights]

    def run(self, implementation):
        """Returns the flat outputs and states."""
        start = None
        if self.leaves:
            start = tf.nest.pack_sequence_as(self.cell.state_size, self.leaves)
        outputs, state = dynamic_rnn(
            self.cell,
            self.inputs,
            self.lengths,
            start,
            dtype=tf.float32,
            implementation=implementation,
        )
        return [outputs, *tf.nest.flatten(state)]

    def loss(self, implementation):
        """Returns a sum of everything that came out under fixed positive weights."""
        generator = np.random.default_rng(5)
        results = self.run(implementation)
        weights = [generator.uniform(0.5, 1.5, x.shape).astype(np.float32) for x in results]
        return tf.add_n([tf.reduce_sum(w * x) for w, x in zip(weights, results)])


def values(problem, implementation):
    """Returns outputs and states."""
    return problem.run(implementation)


def first_derivatives(problem, implementation):
    """Returns the gradients of the loss."""
    with tf.GradientTape() as tape:
        tape.watch(problem.sources)
        loss = problem.loss(implementation)
    return tape.gradient(loss, problem.sources)


def second_derivatives(problem, implementation):
    """Returns the gradients of the sum of all squared gradients."""
    with tf.GradientTape() as outer:
        outer.watch(problem.sources)
        gradients = first_derivatives(problem, implementation)
        total = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
    return outer.gradient(total, problem.sources)


def assert_kernel_is_loop(problem, compute, in_graph=False):
    """Asserts max |kernel - loop| <= 1e-5 max |loop| in each tensor."""
    answers = []
    for implementation in ("fused", "loop"):

        def call(implementation=implementation):
            return compute(problem, implementation)

        answers.append(traced(call, in_graph)())
    for index, (kernel, loop) in enumerate(zip(*answers)):
        assert kernel.shape == loop.shape
        difference, largest = (float(tf.reduce_max(abs(x))) for x in (kernel - loop, loop))
        assert largest > 0
        assert difference <= 1e-5 * largest, f"tensor {index}: {difference} for {largest}"


@EACH_CASE
@EACH_CELL
def test_values(kind, case):
    """Outputs and states are the loop's."""
    assert_kernel_is_loop(Problem(kind, **CASES[case]), values)


@EACH_CASE
@EACH_CELL
def test_first_derivatives(kind, case):
    """So are the gradients of inputs, initial states and weights."""
    assert_kernel_is_loop(Problem(kind, **CASES[case]), first_derivatives)


@EACH_CASE
@EACH_CELL
def test_second_derivatives(kind, case):
    """So are the second-order gradients, eagerly."""
    assert_kernel_is_loop(Problem(kind, **CASES[case]), second_derivatives)


@pytest.mark.parametrize("kind", mostly_slow(["gru", "peepholes", "mixed_stack"], ["mixed_stack"]))
def test_second_derivatives_in_a_graph(kind):
    """So are the second-order gradients in `tf.function`."""
    problem = Problem(kind, **CASES["lengths_and_state"])
    assert_kernel_is_loop(problem, second_derivatives, in_graph=True)


@pytest.mark.parametrize("time", [1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3])
@pytest.mark.parametrize("kind", ["basic_rnn", "gru", "peepholes"])
def test_times_about_a_chunk(kind, time):
    """Sequences of a chunk, of one step more and of several chunks have the loop's gradients."""
    lengths = (time, time // 2, max(time - 1, 0))
    problem = Problem(kind, time=time, lengths=lengths, initial_state=True)
    assert_kernel_is_loop(problem, first_derivatives)


@pytest.mark.slow
@pytest.mark.parametrize("time", [CHUNK, CHUNK + 1, 2 * CHUNK + 3])
@EACH_CELL
def test_second_derivatives_about_a_chunk(kind, time):
    """And its second-order gradients."""
    problem = Problem(kind, time=time, lengths=(time, time // 2, 1), initial_state=True)
    assert_kernel_is_loop(problem, second_derivatives)


@EACH_CELL
@pytest.mark.parametrize("lengths", mostly_slow([None, (4, 0)], [(4, 0)]))
def test_unknown_batch_and_time(kind, lengths):
    """One trace with unknown sizes has the eager gradients, also for many chunks."""
    cell = CELLS[kind]()
    cell.build((None, 3))
    weights = [variable.value for variable in cell.trainable_variables]
    lengths = None if lengths is None else tf.constant(lengths)

    def gradients(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, state = dynamic_rnn(cell, inputs, lengths, dtype=tf.float32)
            loss = tf.add_n([tf.reduce_sum(x**2) for x in (outputs, *tf.nest.flatten(state))])
        return tape.gradient(loss, [inputs, *weights], unconnected_gradients="zero")

    compiled = tf.function(gradients, input_signature=[tf.TensorSpec([None, None, 3])])
    for time in (1, 7, CHUNK + 2):
        inputs = tf.constant(np.random.default_rng(time).standard_normal((2, time, 3)), tf.float32)
        for ours, eager in zip(compiled(inputs), gradients(inputs)):
            scale = np.max(np.abs(eager))
            np.testing.assert_allclose(ours, eager, rtol=0, atol=1e-5 * scale)
    assert compiled.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("kind", ["basic_rnn", "gru", "peepholes", "stack"])
@pytest.mark.parametrize("implementation", mostly_slow(["fused", "loop"], ["fused"]))
@pytest.mark.parametrize(
    ("lengths", "in_graph"),
    [(None, False), (None, True), ((4, 0, 1), True)],
    ids=["eager", "graph", "graph_with_lengths"],
)
def test_gradients_over_no_steps(kind, implementation, lengths, in_graph):
    """Over no steps the gradient of the initial state is that of the state, all others are zero."""
    problem = Problem(kind, time=0, lengths=lengths, initial_state=True)

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(problem.sources)
            loss = tf.add_n([tf.reduce_sum(3 * leaf) for leaf in problem.run(implementation)[1:]])
        return tape.gradient(loss, problem.sources, unconnected_gradients="zero")

    _, *rest = traced(gradients, in_graph)()
    for index, gradient in enumerate(rest):
        expected = 3.0 if index < len(problem.leaves) else 0.0
        np.testing.assert_array_equal(gradient, np.full(gradient.shape, expected))


@EACH_CELL
def test_gradient_of_one_part_alone(kind):
    """A loss over the outputs, or over one part of the state alone, has the loop's gradients."""
    problem = Problem(kind, lengths=(5, 2, 3), initial_state=True)
    for part in range(len(problem.run("loop"))):

        def gradients(problem, implementation, part=part):
            with tf.GradientTape() as tape:
                tape.watch(problem.sources)
                loss = tf.reduce_sum(problem.run(implementation)[part] ** 2)
            return tape.gradient(loss, problem.sources, unconnected_gradients="zero")

        kernel, loop = gradients(problem, "fused"), gradients(problem, "loop")
        for ours, theirs in zip(kernel, loop):
            scale = float(tf.reduce_max(abs(theirs)))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@EACH_CELL
def test_cells_with_a_kernel(kind):
    """Each of these cells has a kernel."""
    assert find_kernel(CELLS[kind]()) is not None


@pytest.mark.parametrize(
    "cell",
    [
        lambda: LSTMCell(4, num_proj=3),
        lambda: LSTMCell(4, cell_clip=1.0),
        lambda: LSTMCell(4, state_is_tuple=False),
        lambda: BasicLSTMCell(4, activation="relu"),
        lambda: BasicLSTMCell(4, dtype="float64"),
        lambda: GRUCell(4, activation="relu"),
        lambda: GRUCell(4, dtype="float64"),
        lambda: BasicRNNCell(4, activation="relu"),
        lambda: DropoutWrapper(BasicLSTMCell(4)),
        lambda: ResidualWrapper(BasicLSTMCell(4)),
        lambda: MultiRNNCell([BasicLSTMCell(4), ResidualWrapper(BasicLSTMCell(4))]),
        lambda: MultiRNNCell([GRUCell(4)], state_is_tuple=False),
    ],
)
def test_cells_without_a_kernel(cell):
    """What the kernels cannot compute goes to the loop."""
    assert find_kernel(cell()) is None


def test_subclasses_have_no_kernel():
    """A subclass may compute something else, so that it goes to the loop."""

    class Doubles(BasicLSTMCell):
        def call(self, inputs, state):
            output, state = super().call(inputs, state)
            return 2 * output, state

    cell = Doubles(4)
    outputs, state = dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)
    np.testing.assert_allclose(outputs[:, -1], 2 * state.h, rtol=1e-6)


@EAGER_AND_GRAPH
@EACH_CELL
def test_gradients_of_gathered_steps(kind, in_graph):
    """`tf.gather` of the last step, the idiom of TF1, has the gradient of `outputs[-1]`."""
    problem = Problem(kind)
    inputs = tf.transpose(tf.constant(problem.inputs), [1, 0, 2])

    def gradients(last):
        def compute(inputs):
            with tf.GradientTape() as tape:
                outputs, state = dynamic_rnn(
                    problem.cell, inputs, dtype=problem.inputs.dtype, time_major=True
                )
                first = [tf.gather(leaf, [1, 0]) for leaf in tf.nest.flatten(state)]
                loss = tf.reduce_sum(last(outputs) ** 2) + sum(map(tf.reduce_sum, first))
            return tape.gradient(loss, problem.cell.trainable_variables)

        return traced(compute, in_graph)(inputs)

    gathered, sliced = gradients(lambda x: tf.gather(x, 4)), gradients(lambda x: x[4])
    for ours, expected in zip(gathered, sliced, strict=True):
        assert np.max(np.abs(expected)) > 0
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


@EACH_CELL
def test_forward_mode(kind):
    """Kernels say that they have no derivative in forward mode; the loop has one."""
    problem = Problem(kind)
    direction = problem.draw(problem.inputs.shape)

    def run(implementation, inputs):
        outputs, _ = dynamic_rnn(
            problem.cell, inputs, dtype=tf.float32, implementation=implementation
        )
        return outputs

    with tf.autodiff.ForwardAccumulator(problem.inputs, direction) as accumulator:
        with pytest.raises(NotImplementedError, match="Pass implementation='loop'"):
            run("fused", problem.inputs)
        outputs = run("loop", problem.inputs)
    step = 1e-2 * direction
    slope = (run("fused", problem.inputs + step) - run("fused", problem.inputs - step)) / 2e-2
    np.testing.assert_allclose(accumulator.jvp(outputs), slope, atol=2e-3)


@EACH_CELL
@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    "policy", mostly_slow(["mixed_float16", "mixed_bfloat16"], ["mixed_float16"])
)
def test_inside_a_layer_of_half_precision(policy, in_graph, kind):
    """A float32 cell keeps float32 weights there, as a layer inside a layer of Keras's does."""

    class Outer(keras.layers.Layer):
        """A layer with a loop."""

        def __init__(self, implementation, **options):
            super().__init__(**options)
            self.cell, self.implementation = problem.cell, implementation

        def call(self, inputs):
            """Runs the loop in single precision."""
            inputs = tf.cast(inputs, tf.float32)
            return dynamic_rnn(
                self.cell, inputs, dtype=tf.float32, implementation=self.implementation
            )[0]

    problem = Problem(kind)
    inputs = problem.inputs = tf.round(16 * problem.inputs) / 16  # exact in half precision
    expected, *_ = problem.run("fused")
    outer = Outer("fused", dtype=policy)
    np.testing.assert_array_equal(traced(lambda: outer(inputs), in_graph)(), expected)
    loop = Outer("loop", dtype=policy)(inputs)
    np.testing.assert_allclose(loop, expected, rtol=1e-5, atol=1e-6)
