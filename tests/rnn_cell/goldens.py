"""The registry of goldens: one small cell for each class, wrapper and form of state.

What stands here goes through the whole of `test_conformance`.
"""

import keras
import numpy as np
import pytest

from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    BasicRNNCell,
    DeviceWrapper,
    DropoutWrapper,
    GridLSTMCell,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
)
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell
from tests.modes import mostly_slow

BATCH, TIME, DEPTH = 3, 5, 4
LENGTHS = (2, 0, 5)
KEEP = {"input_keep_prob": 0.7, "output_keep_prob": 0.6, "state_keep_prob": 0.5, "seed": 7}


def projected(dtype):
    """An LSTM with everything that an LSTM may have."""
    return LSTMCell(
        4,
        use_peepholes=True,
        cell_clip=0.5,
        num_proj=3,
        proj_clip=0.4,
        forget_bias=0.5,
        activation="relu",
        dtype=dtype,
    )


def mixed_stack(dtype):
    """A stack that only the general loop can run."""
    return MultiRNNCell(
        [BasicLSTMCell(4, dtype=dtype), GRUCell(3, dtype=dtype), projected(dtype)], dtype=dtype
    )


def lstm_stack(dtype):
    """A stack that runs layer by layer in whole-sequence kernels."""
    return MultiRNNCell(
        [BasicLSTMCell(4, dtype=dtype), LSTMCell(3, use_peepholes=True, dtype=dtype)], dtype=dtype
    )


def joined_stack(dtype):
    """A stack with one tensor as state."""
    cells = [GRUCell(4, dtype=dtype), LSTMCell(3, state_is_tuple=False, dtype=dtype)]
    return MultiRNNCell(cells, state_is_tuple=False, dtype=dtype)


def variational(dtype):
    """Dropout with one mask a run. Its own dtype is needed for the masks."""
    return DropoutWrapper(
        BasicLSTMCell(4, dtype=dtype),
        **KEEP,
        variational_recurrent=True,
        input_size=DEPTH,
        dtype=dtype or "float32",
    )


def deep_dropout(dtype):
    """Dropout and a residual connection inside a stack, and around it."""
    cells = [
        DropoutWrapper(BasicLSTMCell(4, dtype=dtype), **KEEP, dtype=dtype),
        ResidualWrapper(GRUCell(4, dtype=dtype), dtype=dtype),
    ]
    return DropoutWrapper(MultiRNNCell(cells, dtype=dtype), **KEEP, dtype=dtype)


def joined_attention(dtype):
    """Attention with one tensor as state."""
    return AttentionCellWrapper(
        GRUCell(3, dtype=dtype),
        2,
        attn_size=5,
        attn_vec_size=2,
        input_size=6,
        state_is_tuple=False,
        dtype=dtype,
    )


def grid(dtype):
    """The grid over two blocks, with peepholes and clip."""
    return GridLSTMCell(
        2,
        use_peepholes=True,
        cell_clip=0.6,
        feature_size=2,
        frequency_skip=1,
        num_frequency_blocks=[2, 2],
        start_freqindex_list=[0, 1],
        end_freqindex_list=[3, 4],
        dtype=dtype,
    )


def joined_grid(dtype):
    """The grid with one tensor as state, coupled gates, shared weights and shards."""
    return GridLSTMCell(
        2,
        share_time_frequency_weights=True,
        num_unit_shards=2,
        feature_size=2,
        frequency_skip=2,
        num_frequency_blocks=[2],
        couple_input_forget_gates=True,
        state_is_tuple=False,
        dtype=dtype,
    )


def keras_stack(dtype):
    """Keras's own cells."""
    cells = [keras.layers.LSTMCell(4, dtype=dtype), keras.layers.GRUCell(3, dtype=dtype)]
    return KerasCell(keras.layers.StackedRNNCells(cells, dtype=dtype))


GOLDENS = {
    "basic_rnn": lambda dtype: BasicRNNCell(4, dtype=dtype),
    "gru": lambda dtype: GRUCell(4, dtype=dtype),
    "basic_lstm": lambda dtype: BasicLSTMCell(4, dtype=dtype),
    "joined_lstm": lambda dtype: LSTMCell(4, state_is_tuple=False, dtype=dtype),
    "peephole_lstm": lambda dtype: LSTMCell(4, use_peepholes=True, dtype=dtype),
    "projected_lstm": projected,
    "lstm_stack": lstm_stack,
    "mixed_stack": mixed_stack,
    "joined_stack": joined_stack,
    "dropout": lambda dtype: DropoutWrapper(GRUCell(4, dtype=dtype), **KEEP, dtype=dtype),
    "variational_dropout": variational,
    "deep_dropout": deep_dropout,
    "residual": lambda dtype: ResidualWrapper(GRUCell(DEPTH, dtype=dtype), dtype=dtype),
    "device": lambda dtype: DeviceWrapper(GRUCell(4, dtype=dtype), "/cpu:0", dtype=dtype),
    "attention": lambda dtype: AttentionCellWrapper(BasicLSTMCell(4, dtype=dtype), 3, dtype=dtype),
    "joined_attention": joined_attention,
    "grid": grid,
    "joined_grid": joined_grid,
    "keras_lstm": lambda dtype: KerasCell(keras.layers.LSTMCell(4, dtype=dtype)),
    "keras_stack": keras_stack,
}


def make_golden(name, dtype=None):
    """Returns a golden without variables."""
    return GOLDENS[name](dtype)


def make_built(name, dtype=None):
    """Returns a golden with random variables."""
    cell = make_golden(name, dtype)
    cell.build((None, DEPTH))
    generator = np.random.default_rng(1)
    for variable in cell.trainable_variables:
        variable.assign(0.7 * generator.standard_normal(variable.shape))
    return cell


def make_inputs(batch=BATCH, time=TIME):
    """Returns random inputs `[batch, time, depth]`, float32."""
    return np.random.default_rng(2).standard_normal((batch, time, DEPTH)).astype(np.float32)


# Of each kind one, for tests that take long; the slow ones take them all.
QUICK = ["gru", "lstm_stack", "deep_dropout", "attention", "grid", "keras_stack"]
EACH_GOLDEN = pytest.mark.parametrize("name", GOLDENS)
SOME_GOLDENS = pytest.mark.parametrize("name", mostly_slow(GOLDENS, QUICK))
