"""The general loop: any cell, step by step, in one graph of fixed size."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest


def run_loop(
    step,
    sequence,
    state,
    output_size,
    dtype,
    lengths=None,
    parallel_iterations=None,
    swap_memory=False,
):
    """Runs `step` over the time axis.

    With lengths, at `t >= lengths[b]` the output row is zero and every state row is copied
    through. Steps that no row needs are not run: the loop ends after
    `min(time, max(1, max(lengths)))`.

    Args:
        step: a function `(inputs, state) -> (output, state)`.
        sequence: a `Sequence`.
        state: the state before the first step.
        output_size: the sizes of one output row, nested like the output.
        dtype: of the outputs.
        lengths: None or int32 `[batch]`.
        parallel_iterations: of `tf.while_loop`, 32 by default.
        swap_memory: of `tf.while_loop`.

    Returns:
        `(outputs, state)`, outputs `[time, batch, ...]`.

    >>> from rnn_mnist_tf.unroll.sequence import prepare_inputs
    >>> counter = lambda x, count: (x, count + 1)
    >>> sequence = prepare_inputs(tf.ones([1, 3, 1]))
    >>> outputs, count = run_loop(counter, sequence, tf.zeros([1, 1]), 1, tf.float32)
    >>> float(count[0, 0])
    3.0
    """
    flat_inputs = tf.nest.flatten(sequence.inputs)
    bound = loop_bound(sequence.time_steps, lengths)
    sources = [
        tf.TensorArray(x.dtype, size=sequence.time_steps, element_shape=x.shape[1:]).unstack(x)
        for x in flat_inputs
    ]
    rows = sequence.batch_size if isinstance(sequence.batch_size, int) else None
    shapes = [[rows, *nest.size_to_shape(size)] for size in tf.nest.flatten(output_size)]
    targets = [new_target(dtype, bound, shape, [sequence.batch_size]) for shape in shapes]

    def body(time, targets, state):
        inputs = tf.nest.pack_sequence_as(sequence.inputs, [ta.read(time) for ta in sources])
        output, new_state = step(inputs, state)
        check_structure(output_size, output, "a cell whose output is", "output_size")
        check_structure(state, new_state, "a cell whose state is", "its state")
        flat_output = tf.nest.flatten(output)
        new_state = tf.nest.pack_sequence_as(state, tf.nest.flatten(new_state))
        if lengths is not None:
            running = time < lengths
            flat_output = [keep_rows(running, x, tf.zeros_like(x)) for x in flat_output]
            new_state = copy_through(running, new_state, state)
        new_state = tf.nest.map_structure(_with_shape_of, new_state, state)
        return time + 1, [ta.write(time, x) for ta, x in zip(targets, flat_output)], new_state

    _, targets, state = tf.while_loop(
        lambda time, *_: time < bound,
        body,
        (tf.constant(0), targets, state),
        parallel_iterations=parallel_iterations or 32,
        swap_memory=swap_memory,
        maximum_iterations=bound,
    )
    flat_outputs = [_finish(ta, shape, sequence, bound) for ta, shape in zip(targets, shapes)]
    return tf.nest.pack_sequence_as(output_size, flat_outputs), state


def loop_bound(time_steps, lengths):
    """Returns how many steps are run: `min(time, max(1, max(lengths)))`.

    Under XLA, which wants to know sizes when it compiles, all of them are.

    >>> int(loop_bound(10, tf.constant([3, 4])))
    4
    """
    if lengths is None or in_xla():
        return time_steps
    longest = tf.reduce_max(tf.concat([lengths, [1]], 0))
    return tf.minimum(time_steps, longest)


def in_xla():
    """Whether the code is being traced for XLA (`tf.function(jit_compile=True)`).

    >>> in_xla()
    False
    """
    if tf.executing_eagerly():
        return False
    graph = tf.compat.v1.get_default_graph()
    while graph is not None:
        get_context = getattr(graph, "_get_control_flow_context", None)
        context = get_context and get_context()
        if context is not None and context.IsXLAContext():
            return True
        graph = getattr(graph, "outer_graph", None)
    return False


def keep_rows(mask, kept, other):
    """Returns the rows of `kept` where `mask` `[batch]` is true, else those of `other`.

    Both have one shape: no row is repeated.

    Raises:
        ValueError: shapes of which it is known that they differ.

    >>> keep_rows(tf.constant([True, False]), tf.ones([2, 1]), tf.zeros([2, 1])).numpy().tolist()
    [[1.0], [0.0]]
    """
    _check_rows(kept, other)
    return tf.raw_ops.Select(condition=mask, x=kept, y=other)


def copy_through(running, new_state, state):
    """Returns the new state for the rows that run, else the old one.

    Scalars and `tf.TensorArray`s belong to no row and are always new.

    >>> copy_through(tf.constant([False]), tf.ones([1, 1]), tf.zeros([1, 1])).numpy().tolist()
    [[0.0]]
    """

    def select(new, old):
        if isinstance(old, tf.TensorArray) or old.shape.rank == 0:
            return new
        return keep_rows(running, new, old)

    return tf.nest.map_structure(select, new_state, state)


def check_structure(expected, received, what, source, check_types=False):
    """Raises `ValueError` where two structures differ.

    Args:
        expected, received: nested alike, or not.
        what: what the received one is, for the error.
        source: of the expected one.
        check_types: whether a list is no tuple.

    >>> check_structure((1, 2), 3, "a state that is", "the first one")
    Traceback (most recent call last):
    ValueError: Received a state that is 3, expected the structure of the first one, (1, 2).
    """
    try:
        tf.nest.assert_same_structure(expected, received, check_types=check_types)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Received {what} {nest.describe(received)}, expected the structure of {source}, "
            f"{nest.describe(expected)}."
        ) from error


def _with_shape_of(new, old):
    if isinstance(old, tf.TensorArray):
        return new
    new = tf.convert_to_tensor(new)
    _check_rows(new, old)
    if not tf.executing_eagerly():
        new.set_shape(old.shape)
    return new


def _check_rows(new, old):
    """Raises where TensorFlow would repeat rows to make one shape of two."""
    if not new.shape.is_compatible_with(old.shape):
        raise ValueError(
            f"Received values of shape {new.shape} in a step, expected the shape {old.shape}."
        )


def new_target(dtype, size, shape, leading):
    """Returns a `tf.TensorArray` for `size` writes, be they none; `stack_target` reads it.

    Args:
        dtype: of the elements.
        size: an int or a scalar tensor.
        shape: the static shape of an element.
        leading: its first sizes, known by then.

    >>> target = new_target(tf.float32, tf.constant(0), [None, 3], [2])
    >>> stack_target(target, 0).shape
    TensorShape([0, 2, 3])
    """
    if isinstance(size, int) and size > 0:
        return tf.TensorArray(dtype, size, element_shape=shape)
    target = tf.TensorArray(dtype, tf.maximum(size, 1), element_shape=shape)
    # A list without elements would not know the sizes of one.
    return target.write(0, tf.zeros([*leading, *shape[len(leading) :]], dtype))


def stack_target(target, size):
    """Returns the `size` elements of a `tf.TensorArray` made by `new_target`.

    >>> target = new_target(tf.float32, 1, [1], [1])
    >>> stack_target(target.write(0, [5.0]), 1).numpy().tolist()
    [[5.0]]
    """
    stacked = target.stack()
    return stacked if isinstance(size, int) and size > 0 else stacked[:size]


def _finish(target, shape, sequence, bound):
    """Stacks the steps that were run and fills the rest of the time axis with zeros."""
    outputs = stack_target(target, bound)
    if bound is not sequence.time_steps:
        missing = sequence.time_steps - bound
        outputs = tf.pad(outputs, [[0, missing]] + [[0, 0]] * len(shape))
    steps = sequence.time_steps if isinstance(sequence.time_steps, int) else None
    return tf.ensure_shape(outputs, [steps, *shape])
