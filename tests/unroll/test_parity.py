"""Our cells and loops against TensorFlow 1's, on the same numbers."""

import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_wrapper_impl

import rnn_mnist_tf.rnn_cell.dropout as dropout_module
from tests.modes import GRAPH_AND_SLOWLY_EAGER
from tests.oracle import Configuration, assert_parity, component, configurations

GRU = (component("GRUCell", num_units=4),)
BASIC_LSTM = (component("BasicLSTMCell", num_units=4),)
PEEPHOLE_LSTM = (
    component("LSTMCell", num_units=3, use_peepholes=True, cell_clip=0.3, num_proj=4),
    component("ResidualWrapper"),
)
CONCATENATED_LSTM = (component("LSTMCell", num_units=4, num_proj=3, state_is_tuple=False),)


def alternate(drawn):
    """Parametrises over configurations, eager and in a graph in turn."""
    modes = ["eager", "graph"]
    cases = [
        pytest.param(configuration, index % 2 == 1, id=f"{modes[index % 2]}-{configuration}")
        for index, configuration in enumerate(drawn)
    ]
    return pytest.mark.parametrize(("configuration", "in_graph"), cases)


@alternate(configurations(30, seed=1))
def test_dynamic_rnn(configuration, in_graph):
    """Structures, names, outputs, states and gradients are the oracle's."""
    assert_parity(configuration, in_graph)


@pytest.mark.slow
@alternate(configurations(500, seed=2))
def test_dynamic_rnn_at_length(configuration, in_graph):
    """Structures, names, outputs, states and gradients are the oracle's."""
    assert_parity(configuration, in_graph)


def run_bidirectional_dynamic_rnn(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `bidirectional_dynamic_rnn` of either library."""
    return library.bidirectional_dynamic_rnn(
        *cells,
        inputs,
        lengths,
        *initial_states,
        dtype=configuration.loop_dtype,
        time_major=configuration.time_major,
    )


def run_static_rnn(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `static_rnn` of either library; the outputs are a list."""
    return library.static_rnn(
        *cells,
        tf.unstack(inputs, axis=1),
        *initial_states,
        dtype=configuration.loop_dtype,
        sequence_length=lengths,
    )


def run_static_bidirectional_rnn(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `static_bidirectional_rnn` of either library; the outputs are a list."""
    outputs, state_fw, state_bw = library.static_bidirectional_rnn(
        *cells,
        tf.unstack(inputs, axis=1),
        *initial_states,
        dtype=configuration.loop_dtype,
        sequence_length=lengths,
    )
    return outputs, (state_fw, state_bw)


def run_raw_rnn(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `raw_rnn` of either library as `dynamic_rnn`, with its default emit structure."""
    [cell], [initial_state] = cells, initial_states

    def loop_fn(time, cell_output, cell_state, loop_state):
        del loop_state
        if cell_output is None:
            cell_state = start(cell, initial_state, configuration)
        return time >= lengths, step_of(inputs, time), cell_state, cell_output, None

    emitted, state, loop_state = library.raw_rnn(cell, loop_fn)
    assert loop_state is None
    return stack_steps(emitted, configuration), state


def run_raw_rnn_decoder(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `raw_rnn` of either library with everything that a `loop_fn` may decide.

    The output is fed back, the state changed, a pair of other shapes emitted and a total kept.
    """
    [cell], [initial_state] = cells, initial_states

    def loop_fn(time, cell_output, cell_state, loop_state):
        step = step_of(inputs, time)
        if cell_output is None:
            state = start(cell, initial_state, configuration)
            emit = {"double": tf.zeros([configuration.depth], inputs.dtype)}
            emit["sum"] = tf.zeros([2, 1], inputs.dtype)
            return time >= lengths, step, state, emit, tf.zeros([], inputs.dtype)
        state = tf.nest.map_structure(lambda leaf: 0.5 * leaf, cell_state)
        sums = tf.reduce_sum(cell_output, axis=1)[:, None, None]
        emit = {"double": 2 * cell_output, "sum": tf.tile(sums, [1, 2, 1])}
        total = loop_state + tf.reduce_sum(cell_output)
        return time >= lengths, step + cell_output, state, emit, total

    emitted, state, total = library.raw_rnn(cell, loop_fn)
    emitted = {name: stack_steps(array, configuration) for name, array in emitted.items()}
    return (emitted["double"], emitted["sum"], total), state


def start(cell, initial_state, configuration):
    """Returns the state before the first step."""
    if initial_state is None:
        return cell.zero_state(configuration.batch, configuration.loop_dtype)
    return initial_state


def step_of(inputs, time):
    """Returns the inputs `[batch, depth]` at a time, the last ones afterwards."""
    return tf.gather(inputs, tf.minimum(time, inputs.shape[1] - 1), axis=1)


def stack_steps(array, configuration):
    """Stacks a `TensorArray` of as many steps as the longest row has."""
    steps = array.stack()
    return tf.ensure_shape(steps, [max(configuration.lengths), *steps.shape[1:]])


@GRAPH_AND_SLOWLY_EAGER
@pytest.mark.parametrize(
    "layer", [GRU, PEEPHOLE_LSTM, CONCATENATED_LSTM], ids=["gru", "peephole_lstm", "concatenated"]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lengths": (5, 0, 3), "dtype": "float64"},
        {"lengths": (2, 4, 1), "time_major": True, "initial_state": True},
    ],
    ids=["plain", "lengths", "time_major"],
)
def test_bidirectional_dynamic_rnn(layer, options, in_graph):
    """Both directions, their names and the tuples they come in are the oracle's."""
    configuration = Configuration(
        (layer,), loop=run_bidirectional_dynamic_rnn, directions=2, **options
    )
    assert_parity(configuration, in_graph)


@GRAPH_AND_SLOWLY_EAGER
def test_bidirectional_dynamic_rnn_of_stacks(in_graph):
    """Stacks in both directions have the oracle's names and numbers."""
    configuration = Configuration(
        (BASIC_LSTM, PEEPHOLE_LSTM),
        stacked=True,
        lengths=(3, 5, 0),
        loop=run_bidirectional_dynamic_rnn,
        directions=2,
    )
    assert_parity(configuration, in_graph)


@GRAPH_AND_SLOWLY_EAGER
@pytest.mark.parametrize(
    ("loop", "directions"),
    [(run_static_rnn, 1), (run_static_bidirectional_rnn, 2)],
    ids=["static_rnn", "static_bidirectional_rnn"],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lengths": (2, 0, 1), "initial_state": True},
        {"lengths": (3, 1, 2), "dtype": "float64"},
    ],
    ids=["plain", "initial_state", "lengths"],
)
def test_static_loops(loop, directions, options, in_graph):
    """The loops over lists give the oracle's lists."""
    configuration = Configuration(
        (BASIC_LSTM, GRU), stacked=True, time=3, loop=loop, directions=directions, **options
    )
    assert_parity(configuration, in_graph)


@GRAPH_AND_SLOWLY_EAGER
@pytest.mark.parametrize("loop", [run_raw_rnn, run_raw_rnn_decoder])
@pytest.mark.parametrize(
    "layer", [GRU, BASIC_LSTM, PEEPHOLE_LSTM], ids=["gru", "basic_lstm", "peephole_lstm"]
)
@pytest.mark.parametrize(
    "options",
    [
        {"lengths": (5, 0, 3)},
        {"lengths": (2, 4, 1), "initial_state": True, "dtype": "float64"},
        {"lengths": (0, 0, 0), "initial_state": True},
    ],
    ids=["lengths", "initial_state", "no_steps"],
)
def test_raw_rnn(loop, layer, options, in_graph):
    """What is emitted, the final state and the loop state are the oracle's."""
    assert_parity(Configuration((layer,), loop=loop, **options), in_graph)


def drop(value, keep_prob, seed, generator=None):
    """Drops under a mask that only the shape, the keep probability and the seed decide."""
    del generator  # ours; TF1's operation has none
    random = np.random.default_rng([0 if seed is None else seed, *value.shape])
    mask = random.uniform(size=value.shape) < keep_prob
    return value * (mask / keep_prob).astype(value.dtype.as_numpy_dtype)


@pytest.fixture
def same_masks(monkeypatch):
    """Makes both sides' `DropoutWrapper` drop with `drop`."""
    operations = types.SimpleNamespace(
        dropout_v2=lambda value, rate, seed: drop(value, 1.0 - rate, seed)
    )
    monkeypatch.setattr(rnn_cell_wrapper_impl, "nn_ops", operations)
    monkeypatch.setattr(dropout_module, "dropout", drop)


def dropout(**arguments):
    """Returns a `DropoutWrapper`."""
    return component("DropoutWrapper", **arguments)


EVERYWHERE = dropout(input_keep_prob=0.7, output_keep_prob=0.6, state_keep_prob=0.5, seed=7)
RESIDUAL = component("ResidualWrapper")
DROPOUTS = {
    "inputs": Configuration(((*BASIC_LSTM, dropout(input_keep_prob=0.6)),)),
    "outputs": Configuration(((*BASIC_LSTM, dropout(output_keep_prob=0.6)),)),
    "bare_state": Configuration(((*GRU, dropout(state_keep_prob=0.5)),)),
    "state_tuple": Configuration(((*BASIC_LSTM, dropout(state_keep_prob=0.5)),)),
    "concatenated_state": Configuration(((*CONCATENATED_LSTM, dropout(state_keep_prob=0.5)),)),
    "everywhere": Configuration(((*PEEPHOLE_LSTM, EVERYWHERE),), lengths=(2, 0, 7)),
    "residual_around": Configuration(((*GRU, EVERYWHERE, RESIDUAL),), dtype="float64"),
    "residual_inside": Configuration(((*GRU, RESIDUAL, EVERYWHERE),), initial_state=True),
    "layers": Configuration(
        ((*BASIC_LSTM, EVERYWHERE), (*GRU, dropout(state_keep_prob=0.8, seed=1))),
        stacked=True,
        time_major=True,
    ),
    "stack": Configuration(
        (BASIC_LSTM, GRU, PEEPHOLE_LSTM), wrappers=(EVERYWHERE,), stacked=True, lengths=(5, 1, 0)
    ),
}


@GRAPH_AND_SLOWLY_EAGER
@pytest.mark.usefixtures("same_masks")
@pytest.mark.parametrize("configuration", DROPOUTS.values(), ids=DROPOUTS.keys())
def test_dropout(configuration, in_graph):
    """With one mask for each seed, what is dropped and in which order is the oracle's."""
    assert_parity(configuration, in_graph)
