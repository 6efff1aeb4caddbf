"""`raw_rnn`: the loop whose inputs, state and end are decided step by step."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.call_context import training_within
from rnn_mnist_tf.rnn_cell.checks import check_training
from rnn_mnist_tf.rnn_cell.inner import build_inner, call_cell, run_scope_of
from rnn_mnist_tf.unroll.dynamic import check_cell, prepare_cell
from rnn_mnist_tf.unroll.loop import check_structure, copy_through, keep_rows
from rnn_mnist_tf.unroll.sequence import as_leaf, check_state_dtypes


def raw_rnn(
    cell, loop_fn, parallel_iterations=None, swap_memory=False, scope=None, *, training=None
):
    """Runs a cell on inputs that `loop_fn` makes from the step before.

    `loop_fn(time, cell_output, cell_state, loop_state)` returns `(finished, next_input,
    next_state, emit_output, next_loop_state)`. It is called first with time 0 and three Nones:
    there `next_state` is the initial state, and `emit_output` says by its structure, shapes
    (without the batch) and dtypes what later calls emit, or is None for the cell's own output.
    Then at each step

        output, state = cell(next_input, next_state)
        finished', next_input, next_state, emit, loop_state = loop_fn(t + 1, output, state, ...)

    A row that was finished before the step emits zeros and keeps its state. The loop ends when all
    rows are finished.

    Args:
        cell: see `dynamic_rnn`.
        loop_fn: see above; `finished` is bool `[batch]`.
        parallel_iterations, swap_memory: of `tf.while_loop`.
        scope: see `dynamic_rnn`.
        training: None, True or False, passed to the cell.

    Returns:
        `(emit_ta, final_state, final_loop_state)`: `tf.TensorArray`s nested like what is emitted;
        the final loop state is None if the first one was.

    Raises:
        TypeError: `cell` is not a cell; `loop_fn` cannot be called.
        ValueError: a first `next_state` of another structure, shape or dtype than the cell's; an
            output of another structure or shape than the first call says.

    Source: `tf.nn.raw_rnn` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = GRUCell(3)
    >>> def feed_back(time, output, state, loop_state):
    ...     state = tf.zeros([2, 3]) if state is None else state
    ...     return tf.fill([2], time >= 4), tf.ones([2, 3]) + state, state, output, None
    >>> emit_ta, state, _ = raw_rnn(cell, feed_back)
    >>> emit_ta.stack().shape
    TensorShape([4, 2, 3])
    """
    cell = check_cell(cell)
    training = check_training(training)
    if not callable(loop_fn):
        raise TypeError(f"loop_fn must be a callable. Received loop_fn={loop_fn!r}.")
    zero = tf.constant(0)
    finished, inputs, state, emit_structure, first_loop_state = loop_fn(zero, None, None, None)
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    state = nest.pack_state_as(cell.state_size, state, "initial_state")
    state = tf.nest.map_structure(as_leaf, state)
    first = tf.nest.flatten(inputs)[0]
    prepare_cell(cell, first.dtype, None, scope)
    step_shape = tf.nest.map_structure(lambda x: tuple(x.shape.as_list()), inputs)
    build_inner(cell, step_shape)
    check_state_dtypes(cell, state)
    if isinstance(cell, RNNCell):
        cell.check_step(inputs, state, "initial_state")
    batch = first.shape[0] if first.shape[0] is not None else tf.shape(first)[0]
    emitted_first = "output_size" if emit_structure is None else "its first one"
    emit_structure, zero_emits, targets = _targets(cell, state, emit_structure, batch)
    loop_state = zero if first_loop_state is None else first_loop_state

    def body(time, finished, inputs, state, targets, loop_state):
        output, cell_state = call_cell(cell, inputs, state, training)
        check_structure(cell.output_size, output, "a cell whose output is", "output_size")
        next_finished, next_inputs, next_state, emit, next_loop_state = loop_fn(
            time + 1, output, cell_state, None if first_loop_state is None else loop_state
        )
        check_structure(
            emit_structure, emit, "an output of loop_fn,", emitted_first, check_types=True
        )
        next_inputs = tf.nest.map_structure(as_leaf, next_inputs)
        next_loop_state = loop_state if next_loop_state is None else next_loop_state
        running = tf.logical_not(finished)
        next_state = nest.pack_state_as(cell.state_size, next_state, "the state of loop_fn")
        next_state = tf.nest.map_structure(as_leaf, next_state)
        next_state = copy_through(running, next_state, state)
        emits = [
            keep_rows(running, tf.convert_to_tensor(value), nothing)
            for value, nothing in zip(tf.nest.flatten(emit), zero_emits, strict=True)
        ]
        targets = [target.write(time, value) for target, value in zip(targets, emits)]
        if not tf.executing_eagerly():
            _set_shapes([next_inputs, next_state], [inputs, state])
        finished = tf.logical_or(finished, next_finished)
        return time + 1, finished, next_inputs, next_state, targets, next_loop_state

    with training_within(), run_scope_of(cell, batch, step_shape, training):
        _, _, _, state, targets, loop_state = tf.while_loop(
            lambda time, finished, *_: tf.logical_not(tf.reduce_all(finished)),
            body,
            (zero, tf.convert_to_tensor(finished), inputs, state, targets, loop_state),
            parallel_iterations=parallel_iterations or 32,
            swap_memory=swap_memory,
        )
    emit_ta = tf.nest.pack_sequence_as(emit_structure, targets)
    return emit_ta, state, None if first_loop_state is None else loop_state


def _targets(cell, state, emit_structure, batch):
    """Returns what is emitted: its structure, a step of zeros, and the arrays to write to."""
    if emit_structure is None:
        emit_structure = cell.output_size
        shapes = [nest.size_to_shape(size) for size in tf.nest.flatten(emit_structure)]
        sizes = [tf.constant(shape, tf.int32) for shape in shapes]
        dtypes = [tf.nest.flatten(state)[0].dtype] * len(shapes)
    else:
        values = [tf.convert_to_tensor(value) for value in tf.nest.flatten(emit_structure)]
        shapes = [value.shape.as_list() for value in values]
        dtypes = [value.dtype for value in values]
        sizes = [tf.shape(value) for value in values]
    zeros = [tf.zeros(tf.concat([[batch], size], 0), dtype) for size, dtype in zip(sizes, dtypes)]
    rows = batch if isinstance(batch, int) else None
    targets = [
        tf.TensorArray(dtype, size=0, dynamic_size=True, element_shape=[rows, *shape])
        for shape, dtype in zip(shapes, dtypes)
    ]
    return emit_structure, zeros, targets


def _set_shapes(new, old):
    """Gives tensors in a graph the static shapes of those before."""
    for leaf, before in zip(tf.nest.flatten(new), tf.nest.flatten(old)):
        if not isinstance(before, tf.TensorArray):
            leaf.set_shape(before.shape)
