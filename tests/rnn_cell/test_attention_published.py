"""`AttentionCellWrapper` against the numbers that contrib's own test published.

Weights and inputs of that test were drawn by seeded operations of a graph; they are drawn again.
"""

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import AttentionCellWrapper, BasicLSTMCell, LSTMStateTuple

GRAPH_SEED = 12345
# What contrib's test drew with the default initialiser: name, shape, and the seed that the place
# of the variable's initialiser in the graph gave it.
PUBLISHED_VARIABLES = [
    ("kernel", (8, 4), 51),
    ("basic_lstm_cell/kernel", (8, 16), 71),
    ("attention/attn_w", (1, 1, 4, 4), 104),
    ("attention/attn_v", (4,), 114),
    ("attention/kernel", (8, 4), 127),
    ("attn_output_projection/kernel", (8, 4), 161),
]
# Uniform in [0, 1), each with the graph's seed plus its number: c, h, d, memory, inputs.
PUBLISHED_INPUTS = [(2, 4), (2, 4), (2, 4), (2, 24), (2, 4)]
PUBLISHED_OUTPUT = np.array(
    [[1.068372, 0.45496, -0.678277, 0.340538], [1.018088, 0.378983, -0.572179, 0.268591]]
)
# c, h, d, then the memory, of two rows.
PUBLISHED_STATE = np.loadtxt(
    """
    0.74946702 0.34681597 0.26474735 1.06485605 0.38465962 0.11420801
    0.10272158 0.30925757 0.63899988 0.71810770 0.47534478 0.33715725
    0.58086717 0.49446869 0.76415360 0.12814975 0.92231739 0.89857256
    0.21889746 0.38442063 0.53481543 0.88769090 0.45823169 0.59056020
    0.78038228 0.56501579 0.03971386 0.09870267 0.80744350 0.66821432
    0.99211812 0.12295902 1.14606023 0.34370938 -0.79251152 0.51843399
    0.51793420 0.48682183 -0.25426468 0.96810579 0.28809637 0.13607743
    -0.11446252 0.26792109 0.78047138 0.63460857 0.49122369 0.52007174
    0.73000264 0.66986895 0.73576689 0.86301267 0.87887371 0.35185754
    0.93417215 0.64732957 0.63173044 0.66627824 0.53644657 0.20477486
    0.98458421 0.38277245 0.03746676 0.92510188 0.57714164 0.84932971
    0.36127412 0.12125921 1.13627720 0.34361625 -0.78150457 0.70582712
    """.splitlines()
).reshape(2, 36)


def uniform(size, seed, run=0):
    """Returns what a seeded random operation of a TF1 graph gives in a run of the session."""
    with tf.Graph().as_default() as graph:
        numbers = tf.raw_ops.RandomUniform(
            shape=[size], dtype=tf.float32, seed=GRAPH_SEED, seed2=seed
        )
        with tf.compat.v1.Session(graph=graph) as session:
            return [session.run(numbers) for _ in range(run + 1)][run]


def published_cell():
    """Returns the cell of contrib's test, in float32, with its weights."""
    cell = AttentionCellWrapper(BasicLSTMCell(4), attn_length=6)
    cell.build((None, 4))
    variables = cell.tf1_variables()
    for name, shape, seed in PUBLISHED_VARIABLES:
        limit = np.sqrt(6 / sum(shape[-2:] if len(shape) > 1 else 2 * shape))
        drawn = uniform(int(np.prod(shape)), seed).reshape(shape)
        variables[f"rnn/attention_cell_wrapper/{name}"].assign(limit * (2 * drawn - 1))
    return cell


def published_step(run):
    """Returns output and state of one step from what the session drew in a run of its own."""
    c, h, attended, memory, inputs = (
        tf.constant(uniform(int(np.prod(shape)), GRAPH_SEED + number, run).reshape(shape))
        for number, shape in enumerate(PUBLISHED_INPUTS, start=1)
    )
    return published_cell()(inputs, (LSTMStateTuple(c, h), attended, memory))


def test_published_output():
    """The output is the one that contrib's test published, from the session's first run."""
    output, _ = published_step(run=0)
    np.testing.assert_allclose(output, PUBLISHED_OUTPUT, rtol=0, atol=1e-5)


def test_published_state():
    """So is the state, from the session's second run."""
    _, state = published_step(run=1)
    joined = np.concatenate(tf.nest.flatten(state), axis=1)
    np.testing.assert_allclose(joined, PUBLISHED_STATE, rtol=0, atol=1e-5)
