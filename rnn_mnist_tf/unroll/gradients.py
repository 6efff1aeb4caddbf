"""Kernels with hand-written gradients that can be differentiated twice."""

import tensorflow as tf


def differentiable(forward, backward, plain):
    """Returns a function with a hand-written gradient, and a second one that is derived.

    The first derivative is `backward`. The second differentiates the gradient of `plain`, the same
    function in operations that TensorFlow can differentiate as often as it is asked to.

    Args:
        forward: `(*tensors) -> (outputs, saved)`, both tuples of tensors.
        backward: `(saved, output_gradients, *tensors) -> gradients`, one for each tensor.
        plain: `(*tensors) -> outputs`.

    Returns:
        A function `(*tensors) -> outputs`. Forward mode (`tf.autodiff.ForwardAccumulator`) raises
        `NotImplementedError`.

    >>> square = differentiable(
    ...     lambda x: ((x * x,), ()), lambda saved, g, x: (2 * x * g[0],), lambda x: (x * x,))
    >>> x = tf.constant(3.0)
    >>> with tf.GradientTape() as second:
    ...     second.watch(x)
    ...     with tf.GradientTape() as first:
    ...         first.watch(x)
    ...         y = square(x)[0]
    ...     slope = first.gradient(y, x)
    >>> float(slope), float(second.gradient(slope, x))
    (6.0, 2.0)
    """

    @tf.custom_gradient
    def function(*tensors):
        outputs, saved = forward(*_constants(tensors))

        def gradient(*output_gradients):
            # Rows that were gathered come back as IndexedSlices, which kernels do not take.
            output_gradients = [tf.convert_to_tensor(one) for one in output_gradients]
            return _first_gradient(backward, plain, saved, output_gradients, tensors)

        return outputs, gradient

    return function


def _first_gradient(backward, plain, saved, output_gradients, tensors):
    count = len(output_gradients)

    @tf.custom_gradient
    def function(*arguments):
        constants = _constants(arguments)
        gradients = backward(_constants(saved), constants[:count], *constants[count:])

        def gradient(*upstream):
            return _second_gradient(plain, upstream, arguments[:count], arguments[count:])

        return gradients, gradient

    return function(*output_gradients, *tensors)


def _constants(tensors):
    """Hides tensors from the tapes, which would look for gradients inside the kernels."""
    return tf.nest.map_structure(tf.stop_gradient, tensors)


def _second_gradient(plain, upstream, output_gradients, tensors):
    # A tensor that was given twice, as c and as h, has a gradient of its own in each place.
    output_gradients, tensors = (
        [tf.identity(tensor) for tensor in group] for group in (output_gradients, tensors)
    )
    # Over no steps nothing depends on the inputs, and an eager loop leaves no trace on the tape.
    unconnected = "zero" if 0 in tensors[0].shape.as_list() else "none"
    with tf.GradientTape() as outer:
        outer.watch([*output_gradients, *tensors])
        with tf.GradientTape() as inner:
            inner.watch(tensors)
            outputs = plain(*tensors)
        gradients = inner.gradient(
            outputs, tensors, output_gradients, unconnected_gradients=unconnected
        )
    if any(gradient is None for gradient in gradients):  # a ForwardAccumulator stops the tapes
        raise NotImplementedError(
            "Received a derivative in forward mode, which whole-sequence kernels do not have. Pass "
            "implementation='loop'."
        )
    return outer.gradient(
        gradients, [*output_gradients, *tensors], upstream, unconnected_gradients="zero"
    )
