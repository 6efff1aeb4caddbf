"""Running a cell step by step beside a reference, in float64."""

import numpy as np
import tensorflow as tf
from hypothesis import settings

TOLERANCE = 1e-12
few_examples = settings(max_examples=12, deadline=None, derandomize=True, database=None)


def relu(x):
    """NumPy's rectifier."""
    return np.maximum(x, 0.0)


def draw(generator, shape, scale=1.0):
    """Returns float64 normal numbers."""
    return scale * generator.standard_normal(shape)


def draw_state(generator, state_size, batch, scale=0.5):
    """Returns a random state with the structure of `state_size`."""
    return tf.nest.map_structure(lambda size: draw(generator, (batch, size), scale), state_size)


def make_float64(cell, depth):
    """Builds a cell in float64 by giving it float64 inputs, as TF1 did. Returns the cell."""
    cell(tf.zeros([1, depth], tf.float64), cell.zero_state(1, tf.float64), training=False)
    return cell


def randomise(cell, seed=0, scale=0.7):
    """Gives every trainable variable of a built cell random numbers. Returns the cell."""
    generator = np.random.default_rng(seed)
    for variable in cell.trainable_variables:
        variable.assign(draw(generator, variable.shape, scale))
    return cell


def weights_below(cell, scope):
    """Returns the weights by TF1's names, those below a scope of the loop and without it."""
    prefix = f"rnn/{scope}/"
    return {
        name.removeprefix(prefix): variable.numpy()
        for name, variable in cell.tf1_variables().items()
        if name.startswith(prefix)
    }


def named_shapes(cell):
    """Returns TF1's names with the shapes of the variables, in order."""
    return [(name, tuple(variable.shape)) for name, variable in cell.tf1_variables().items()]


def assert_close(received, expected, what):
    """Asserts that two arrays are equal within the tolerance of float64."""
    received = np.asarray(received)
    assert received.dtype == np.float64, (what, received.dtype)
    np.testing.assert_allclose(received, expected, rtol=0, atol=TOLERANCE, err_msg=what)


def assert_same_steps(cell, step, depth, batch=3, steps=3, seed=1):
    """Asserts that a cell and `step(inputs, state)` agree, in outputs and states.

    The reference's state may have other containers; its leaves come in the cell's order.
    """
    generator = np.random.default_rng(seed)
    state = draw_state(generator, cell.state_size, batch)
    expected_state = state
    for time in range(steps):
        inputs = draw(generator, (batch, depth))
        output, state = cell(inputs, state)
        expected, expected_state = step(inputs, expected_state)
        assert_close(output, expected, f"output at step {time}")
        tf.nest.assert_same_structure(state, cell.state_size)
        leaves, expected_leaves = tf.nest.flatten(state), tf.nest.flatten(expected_state)
        assert len(leaves) == len(expected_leaves)
        for index, (leaf, expected_leaf) in enumerate(zip(leaves, expected_leaves)):
            assert_close(leaf, expected_leaf, f"state leaf {index} at step {time}")
