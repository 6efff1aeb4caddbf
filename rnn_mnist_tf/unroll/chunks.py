"""What kernels are made of: a loop over chunks of steps, and products for all steps at once."""

import tensorflow as tf

from rnn_mnist_tf.unroll.loop import new_target, stack_target

CHUNK = 28  # steps written out side by side in the graph


def scan_chunks(step, carry, sequences, shapes, reverse=False):
    """Runs `carry, outputs = step(carry, inputs)` over time, `CHUNK` steps an iteration.

    It has no gradient of its own; kernels write theirs. The graph holds `CHUNK` steps, and one more
    for a rest, however long the sequence is.

    Args:
        step: a function of the carry, a tuple of tensors, and one step of each sequence.
        carry: a tuple of tensors.
        sequences: a list of tensors `[time, ...]`.
        shapes: the static shape of each output of a step.
        reverse: whether time runs from its end.

    Returns:
        `(carry, outputs)`: outputs a list of `[time, ...]`, in the order of time.

    >>> add = lambda carry, x: ((carry[0] + x[0],), (carry[0] + x[0],))
    >>> carry, (sums,) = scan_chunks(add, (tf.zeros([1, 1]),), [tf.ones([70, 1, 1])], [[1, 1]])
    >>> float(carry[0][0, 0]), sums.shape
    (70.0, TensorShape([70, 1, 1]))
    """
    static = sequences[0].shape[0]
    if static is not None and 0 < static <= CHUNK:
        return _run_steps(step, carry, sequences, static, reverse)
    steps = tf.shape(sequences[0])[0]
    whole, rest = steps // CHUNK, steps % CHUNK
    # Whole chunks stand at the side where the loop begins, the rest where it ends.
    offset = rest if reverse else tf.constant(0)
    carry, chunked = _loop(step, carry, sequences, shapes, whole, CHUNK, offset, reverse)
    offset = tf.constant(0) if reverse else whole * CHUNK
    carry, single = _loop(step, carry, sequences, shapes, rest, 1, offset, reverse)
    outputs = [
        tf.concat([last, first] if reverse else [first, last], 0)
        for first, last in zip(chunked, single)
    ]
    if static is not None:
        outputs = [tf.ensure_shape(x, [static, *x.shape[1:]]) for x in outputs]
    return carry, outputs


def weight_gradients(parts, gradient):
    """Returns the gradients of the kernel and bias of `concat(parts) kernel + bias`.

    Args:
        parts: tensors `[time, batch, ...]`.
        gradient: of the sum, `[time, batch, columns]`.

    >>> [x.shape.as_list() for x in weight_gradients([tf.ones([4, 2, 3])], tf.ones([4, 2, 5]))]
    [[3, 5], [5]]
    """
    rows = tf.concat(parts, 2)
    flat = tf.reshape(rows, [-1, rows.shape[-1]])
    gradient = tf.reshape(gradient, [-1, gradient.shape[-1]])
    return tf.matmul(flat, gradient, transpose_a=True), tf.reduce_sum(gradient, 0)


def transpose_once(matrix):
    """Returns the transpose of a matrix that many small products share.

    A product with `transpose_b` transposes its matrix each time, at almost the cost of the product
    itself where there are few rows. TensorFlow's graph optimizer folds a plain transpose into every
    product that takes it, so this one goes by three axes, which it leaves alone.

    >>> transpose_once(tf.constant([[1, 2]])).numpy().tolist()
    [[1], [2]]
    """
    return tf.transpose(matrix[None], [0, 2, 1])[0]


def _run_steps(step, carry, sequences, count, reverse):
    """Runs `count` steps side by side in the graph."""
    steps = list(zip(*[tf.unstack(x, count) for x in sequences]))
    outputs = [None] * count
    for time in reversed(range(count)) if reverse else range(count):
        carry, outputs[time] = step(carry, steps[time])
    return carry, [tf.stack(list(series)) for series in zip(*outputs)]


def _loop(step, carry, sequences, shapes, iterations, size, offset, reverse):
    """Runs `iterations` of `size` steps each. Returns the carry and `[iterations * size, ...]`."""
    rows = tf.shape(carry[0])[0]
    arrays = [
        new_target(carry[0].dtype, iterations, [size, *shape], [size, rows]) for shape in shapes
    ]

    def body(index, carry, arrays):
        place = iterations - 1 - index if reverse else index
        begin = offset + place * size
        inputs = [_window(x, begin, size) for x in sequences]
        new_carry, outputs = _run_steps(step, carry, inputs, size, reverse)
        arrays = [array.write(place, x) for array, x in zip(arrays, outputs)]
        for new, old in zip(new_carry, carry):
            if not tf.executing_eagerly():
                new.set_shape(old.shape)
        return index + 1, new_carry, arrays

    _, carry, arrays = tf.while_loop(
        lambda index, *_: index < iterations,
        body,
        (tf.constant(0), tuple(carry), arrays),
        maximum_iterations=iterations,
    )
    return carry, [
        _join(stack_target(array, iterations), shape) for array, shape in zip(arrays, shapes)
    ]


def _window(x, begin, size):
    return tf.ensure_shape(x[begin : begin + size], [size, *x.shape[1:]])


def _join(chunks, shape):
    """`[iterations, size, batch, ...]` to `[iterations * size, batch, ...]`."""
    sizes = tf.shape(chunks)
    joined = tf.reshape(chunks, tf.concat([[sizes[0] * sizes[1]], sizes[2:]], 0))
    return tf.ensure_shape(joined, [None, *shape])
