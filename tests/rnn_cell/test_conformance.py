"""What every cell and wrapper must do, for each golden of the registry."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn
from rnn_mnist_tf.rnn_cell import DropoutWrapper, MultiRNNCell
from tests.rnn_cell.goldens import (
    BATCH,
    DEPTH,
    EACH_GOLDEN,
    GOLDENS,
    LENGTHS,
    SOME_GOLDENS,
    TIME,
    make_built,
    make_golden,
    make_inputs,
)

# The distance from 1 to the next number, once for each step.
PRECISION = {"mixed_float16": TIME * 2**-10, "mixed_bfloat16": TIME * 2**-7}
# Cells that may be made without a dtype; variational masks and Keras's cells have one.
WITHOUT_DTYPE = [
    name for name in GOLDENS if name != "variational_dropout" and not name.startswith("keras")
]


def run(cell, inputs=None, lengths=LENGTHS, **options):
    """Runs a cell by `dynamic_rnn`; dropout drops."""
    inputs = make_inputs() if inputs is None else inputs
    return dynamic_rnn(cell, tf.convert_to_tensor(inputs), lengths, dtype=tf.float32, **options)


@contextlib.contextmanager
def seeds_restored(cell):
    """Makes what is drawn inside the next thing that is drawn afterwards, too."""
    kept = [(v, v.numpy()) for v in cell.non_trainable_variables]
    yield
    for variable, value in kept:
        variable.assign(value)


def assert_same(received, expected, tolerance=1e-5):
    """Asserts the same structure and max |a - b| <= tolerance * max |b| in each leaf."""
    tf.nest.assert_same_structure(received, expected, check_types=False)
    for ours, theirs in zip(tf.nest.flatten(received), tf.nest.flatten(expected)):
        ours, theirs = (np.asarray(tf.cast(leaf, tf.float64)) for leaf in (ours, theirs))
        assert ours.shape == theirs.shape
        largest = np.max(np.abs(theirs))
        assert largest > 0
        assert np.max(np.abs(ours - theirs)) <= tolerance * largest


def keep_rows(rows, new_state, state):
    """Returns the new state of the rows that run, and the old one of the others."""
    return tf.nest.map_structure(lambda new, old: tf.where(rows, new, old), new_state, state)


def step_by_step(cell, inputs, lengths):
    """Returns outputs and state of a plain loop over the step, in Python."""
    state, outputs = cell.zero_state(BATCH, tf.float32), []
    running = np.arange(TIME)[:, None, None] < np.reshape(lengths, (1, BATCH, 1))
    with cell.run_scope(BATCH, (BATCH, DEPTH)):
        for time in range(TIME):
            output, new_state = cell(tf.constant(inputs[:, time]), state)
            outputs.append(np.where(running[time], output, 0))
            state = keep_rows(running[time], new_state, state)
    return np.stack(outputs, axis=1), state


@EACH_GOLDEN
def test_eager_graph_and_plain_loop(name):
    """The loop eager, in `tf.function` and a plain Python loop give the same numbers."""
    cell = make_built(name)
    with seeds_restored(cell):
        expected = step_by_step(cell, make_inputs(), LENGTHS)
    with seeds_restored(cell):
        eager = run(cell)
    in_graph = tf.function(lambda: run(cell))()
    assert_same(eager, expected)
    assert_same(in_graph, expected)
    tf.nest.assert_same_structure(eager[1], cell.state_size)
    tf.nest.assert_same_structure(in_graph[1], cell.state_size)


@SOME_GOLDENS
def test_xla(name):
    """Compiled by XLA at a static shape the numbers are the same."""
    cell = make_built(name)
    eager = run(cell, training=False)
    compiled = tf.function(lambda inputs: run(cell, inputs, training=False), jit_compile=True)
    assert_same(compiled(make_inputs()), eager)


@SOME_GOLDENS
def test_one_trace(name):
    """One trace serves every batch and time."""
    cell = make_built(name)

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, DEPTH]), tf.TensorSpec([None], tf.int32)]
    )
    def traced(inputs, lengths):
        return run(cell, inputs, lengths, training=False)

    for batch, time in ((3, 5), (1, 5), (4, 2), (2, 7)):
        inputs, lengths = make_inputs(batch, time), np.arange(2, batch + 2, dtype=np.int32)
        assert_same(traced(inputs, lengths), run(cell, inputs, lengths, training=False))
    assert traced.experimental_get_tracing_count() == 1


@EACH_GOLDEN
def test_configuration(name):
    """The configuration makes a cell with the same configuration, variables and numbers."""
    cell = make_built(name)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    again.build((None, DEPTH))
    assert [v.shape for v in again.weights] == [v.shape for v in cell.weights]
    again.set_weights(cell.get_weights())
    assert_same(run(again, training=False), run(cell, training=False), tolerance=0)


@EACH_GOLDEN
def test_configuration_is_plain(name):
    """The configuration passes through JSON, as saving needs."""
    cell = make_golden(name)
    text = keras.saving.serialize_keras_object(cell)
    again = keras.saving.deserialize_keras_object(text)
    assert type(again) is type(cell)
    assert again.get_config() == cell.get_config()


@SOME_GOLDENS
def test_keras_file(name, tmp_path):
    """A functional model with `DynamicRNN` answers the same after saving and loading."""
    inputs = keras.Input((None, DEPTH))
    lengths = keras.Input((), dtype="int32")
    outputs, state = DynamicRNN(make_built(name))(inputs, sequence_length=lengths)
    model = keras.Model([inputs, lengths], [outputs, *tf.nest.flatten(state)])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    arguments = [tf.constant(make_inputs()), tf.constant(LENGTHS)]
    assert_same(loaded(arguments), model(arguments), tolerance=0)
    assert_same(loaded(arguments, training=True), model(arguments, training=True), tolerance=0)


def save_and_load(cell, training, path):
    """Returns a function over a cell as it is, and out of a SavedModel."""
    module = tf.Module()
    module.cell = cell
    module.run = tf.function(
        lambda inputs: run(cell, inputs, None, training=training),
        input_signature=[tf.TensorSpec([None, None, DEPTH])],
    )
    tf.saved_model.save(module, path)
    return module, tf.saved_model.load(path)


@SOME_GOLDENS
def test_saved_model(name, tmp_path):
    """A SavedModel of the loop answers the same after loading."""
    module, loaded = save_and_load(make_built(name), False, tmp_path)
    assert_same(loaded.run(make_inputs()), module.run(make_inputs()), tolerance=0)


@pytest.mark.parametrize("name", ["dropout", "variational_dropout"])
def test_saved_model_that_drops(name, tmp_path):
    """A SavedModel of a loop that drops goes on dropping, anew in each call."""
    _, loaded = save_and_load(make_built(name), True, tmp_path)
    first, _ = loaded.run(make_inputs())
    second, _ = loaded.run(make_inputs())
    assert np.any(first.numpy() == 0)
    assert not np.array_equal(first, second)


def assert_mixed(cell, result, name, policy):
    """Asserts float32 variables, a result of the policy's dtype, near that of float32."""
    assert {variable.dtype for variable in cell.trainable_variables} == {"float32"}
    compute_dtype = policy.removeprefix("mixed_")
    assert {leaf.dtype.name for leaf in tf.nest.flatten(result)} == {compute_dtype}
    expected = run(make_built(name, "float32"), training=False)
    assert_same(result, expected, tolerance=PRECISION[policy])


@EACH_GOLDEN
@pytest.mark.parametrize("policy", PRECISION)
def test_mixed_precision_of_the_cell(name, policy):
    """A mixed policy of the cells is followed by a bare loop."""
    cell = make_built(name, policy)
    assert_mixed(cell, run(cell, training=False), name, policy)


@pytest.mark.parametrize("name", WITHOUT_DTYPE)
@pytest.mark.parametrize("policy", PRECISION)
def test_mixed_precision_of_the_layer(name, policy):
    """A mixed policy of `DynamicRNN` is taken over by cells made without a dtype."""
    cell = make_golden(name)
    layer = DynamicRNN(cell, dtype=policy)
    layer.build((None, None, DEPTH))
    generator = np.random.default_rng(1)
    for variable in cell.trainable_variables:
        variable.assign(0.7 * generator.standard_normal(variable.shape))
    assert_mixed(cell, layer(make_inputs(), sequence_length=LENGTHS), name, policy)


@pytest.fixture
def global_policy():
    """Restores Keras's global policy after a test that sets it."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", [*WITHOUT_DTYPE, "variational_dropout"])
def test_mixed_precision_everywhere(name, global_policy):
    """Keras's global policy is taken over by cells made without a dtype."""
    global_policy("mixed_bfloat16")
    cell = make_built(name)
    result = run(cell, training=False)
    global_policy("float32")
    assert_mixed(cell, result, name, "mixed_bfloat16")


@pytest.mark.parametrize("policy", PRECISION)
@pytest.mark.parametrize("wrap", [lambda cell: MultiRNNCell([cell]), DropoutWrapper])
def test_mixed_precision_inside_a_wrapper_without_dtype(wrap, policy):
    """A stack or wrapper made without a dtype has the policy of the cell inside."""
    cell = wrap(make_golden("gru", policy))
    outputs, _ = run(cell, training=False)
    assert outputs.dtype == policy.removeprefix("mixed_")
    assert {variable.dtype for variable in cell.trainable_variables} == {"float32"}


@EACH_GOLDEN
@pytest.mark.parametrize("restored", ["before", "after"])
def test_checkpoint(name, restored, tmp_path):
    """`tf.train.Checkpoint` holds every variable, restored before or after the cell is built."""
    cell, again = make_built(name), make_golden(name)
    path = tf.train.Checkpoint(cell=cell).save(tmp_path / "checkpoint")
    if restored == "before":
        status = tf.train.Checkpoint(cell=again).restore(path)
        again.build((None, DEPTH))
    else:
        again.build((None, DEPTH))
        status = tf.train.Checkpoint(cell=again).restore(path)
    status.assert_consumed()
    for new, old in zip(again.weights, cell.weights, strict=True):
        np.testing.assert_array_equal(new, old)
