"""`DynamicRNN`, the loop as a Keras layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
)
from tests.modes import EAGER_AND_GRAPH, traced
from tests.unroll.fakes import Nested, Replicator

DEPTH = 3
INPUTS = np.random.default_rng(0).standard_normal((2, 5, DEPTH)).astype(np.float32)
LENGTHS = tf.constant([2, 5])


def make_stack():
    """Returns a stack with a state of three leaves."""
    return MultiRNNCell([BasicLSTMCell(4), GRUCell(2)])


def leaves(*sizes):
    """Returns a state's leaves, each with other numbers."""
    return [tf.fill([2, size], 0.1 * (place + 1)) for place, size in enumerate(sizes)]


def assert_equal_leaves(received, expected):
    """Asserts the same structure and numbers."""
    tf.nest.assert_same_structure(received, expected)
    for ours, theirs in zip(tf.nest.flatten(received), tf.nest.flatten(expected)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_is_dynamic_rnn(lengths):
    """The layer gives what `dynamic_rnn` gives."""
    stack = make_stack()
    received = DynamicRNN(stack)(INPUTS, sequence_length=lengths)
    assert_equal_leaves(received, dynamic_rnn(stack, INPUTS, lengths, dtype=tf.float32))


def test_without_state():
    """With `return_state=False` the outputs come alone."""
    stack = make_stack()
    outputs, _ = DynamicRNN(stack)(INPUTS)
    np.testing.assert_array_equal(DynamicRNN(stack, return_state=False)(INPUTS), outputs)


def test_time_major():
    """With `time_major` inputs and outputs have time first."""
    stack = make_stack()
    outputs, state = DynamicRNN(stack)(INPUTS, sequence_length=LENGTHS)
    layer = DynamicRNN(stack, time_major=True)
    swapped, swapped_state = layer(INPUTS.swapaxes(0, 1), sequence_length=LENGTHS)
    np.testing.assert_array_equal(np.swapaxes(swapped, 0, 1), outputs)
    assert_equal_leaves(swapped_state, state)


def test_implementation():
    """The implementation is passed on."""
    with pytest.raises(ValueError, match="no whole-sequence kernel"):
        DynamicRNN(LSTMCell(4, num_proj=2), implementation="fused")(INPUTS)


def test_an_unknown_implementation_is_refused_at_once():
    """The layer is not made: the mistake is not left for its first call."""
    with pytest.raises(ValueError, match=r"implementation='fast'.*'auto', 'fused', 'loop'"):
        DynamicRNN(GRUCell(4), implementation="fast")


C, H, S = leaves(4, 4, 2)
STATES = {
    "as_it_is": (LSTMStateTuple(C, H), S),
    "lists": [[C, H], S],
    "tuples": ((C, H), S),
    "flat_list": [C, H, S],
    "flat_tuple": (C, H, S),
    "list_of_one": [[C, H], [S]],
    "other_nesting": [C, [H, S]],
    "dict": {"a": C, "b": H, "c": S},
}


@pytest.mark.parametrize("form", STATES)
def test_initial_state_of_any_form(form):
    """Any structure with the right leaves is repacked as the cell's state."""
    stack = make_stack()
    expected = dynamic_rnn(stack, INPUTS, initial_state=STATES["as_it_is"])
    assert_equal_leaves(DynamicRNN(stack)(INPUTS, initial_state=STATES[form]), expected)


def test_initial_state_of_one_leaf():
    """A bare state may come in a list."""
    cell = GRUCell(4)
    expected = dynamic_rnn(cell, INPUTS, initial_state=C)
    for state in (C, [C], (C,), [[C]]):
        assert_equal_leaves(DynamicRNN(cell)(INPUTS, initial_state=state), expected)


@pytest.mark.parametrize("state", [[C, H], C, [C, H, S, S], [[C, H], [S, S]]])
def test_wrong_number_of_leaves(state):
    """Other leaves than the cell's are refused."""
    with pytest.raises(ValueError, match=r"Received initial_state .*expected the leaves of state"):
        DynamicRNN(make_stack())(INPUTS, initial_state=state)


def test_leaves_in_another_order():
    """Leaves of the wrong width are refused."""
    with pytest.raises(ValueError, match=r"of shape \(2, 2\), expected \(2, 4\)"):
        DynamicRNN(make_stack())(INPUTS, initial_state=[S, C, H])


@pytest.mark.parametrize("cell", [None, 3, GRUCell], ids=["none", "number", "class"])
def test_not_a_cell(cell):
    """What is not a cell is refused where the layer is made."""
    with pytest.raises(TypeError, match="which is not an RNNCell"):
        DynamicRNN(cell)


def test_functional_model():
    """Lengths and initial states may be symbolic; shapes are known; numbers are the loop's."""
    stack = make_stack()
    inputs = keras.Input((None, DEPTH))
    lengths = keras.Input((), dtype="int32")
    start = [keras.Input((size,)) for size in (4, 4, 2)]
    outputs, state = DynamicRNN(stack)(inputs, sequence_length=lengths, initial_state=start)
    assert outputs.shape == (None, None, 2)
    assert type(state[0]) is LSTMStateTuple
    assert [leaf.shape for leaf in tf.nest.flatten(state)] == [(None, 4), (None, 4), (None, 2)]
    model = keras.Model([inputs, lengths, *start], [outputs, *tf.nest.flatten(state)])
    received = model([tf.constant(INPUTS), LENGTHS, C, H, S])
    expected = dynamic_rnn(stack, INPUTS, LENGTHS, STATES["as_it_is"])
    assert_equal_leaves(tuple(received), tuple(tf.nest.flatten(expected)))


def test_saved_functional_model(tmp_path):
    """A model with symbolic initial states answers the same after loading."""
    inputs, start = keras.Input((None, DEPTH)), [keras.Input((4,)), keras.Input((4,))]
    layer = DynamicRNN(BasicLSTMCell(4), time_major=False, implementation="loop")
    outputs, state = layer(inputs, initial_state=start)
    model = keras.Model([inputs, *start], [outputs, state.c])
    path = tmp_path / "model.keras"
    model.save(path)
    arguments = [tf.constant(INPUTS), C, H]
    loaded = keras.models.load_model(path)
    for ours, theirs in zip(loaded(arguments), model(arguments)):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "options", [{}, {"time_major": True}, {"return_state": False}, {"scope": "encoder"}]
)
def test_configuration(options):
    """The configuration makes an equal layer."""
    layer = DynamicRNN(make_stack(), implementation="loop", name="reader", **options)
    again = DynamicRNN.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.implementation) == ("reader", "loop")
    assert again.time_major == options.get("time_major", False)
    assert again.return_state == options.get("return_state", True)
    assert again.scope == options.get("scope")


def test_variables():
    """The cell's variables are the layer's, before the first call if it is built."""
    stack = make_stack()
    layer = DynamicRNN(stack)
    layer.build((None, None, DEPTH))
    shapes = [tuple(variable.shape) for variable in layer.trainable_variables]
    assert shapes == [(7, 16), (16,), (6, 4), (4,), (6, 2), (2,)]
    assert {id(v) for v in layer.trainable_variables} == {
        id(v) for v in stack.tf1_variables().values()
    }


def test_scope():
    """The halves of a bidirectional loop have TF1's names, and no name twice."""
    halves = {name: BasicLSTMCell(4) for name in ("fw", "bw")}
    for name, cell in halves.items():
        layer = DynamicRNN(cell, scope=f"bidirectional_rnn/{name}")
        layer.build((None, None, DEPTH))
        expected = [f"bidirectional_rnn/{name}/basic_lstm_cell/{v}" for v in ("kernel", "bias")]
        assert list(cell.tf1_variables()) == expected
        layer(INPUTS)
        assert list(cell.tf1_variables()) == expected


def test_dtype():
    """A cell made without dtype takes the layer's; the outputs have it too."""
    cell = GRUCell(4)
    outputs, state = DynamicRNN(cell, dtype="float64")(INPUTS)
    assert outputs.dtype == state.dtype == tf.float64
    assert {variable.dtype for variable in cell.trainable_variables} == {"float64"}


@pytest.mark.parametrize(
    "make_cell",
    [make_stack, lambda: AttentionCellWrapper(GRUCell(4), 2)],
    ids=["stack", "attention"],
)
def test_training(make_cell):
    """A model with the layer can be fitted: the loss falls and every variable moves."""
    inputs = keras.Input((5, DEPTH))
    layer = DynamicRNN(make_cell(), return_state=False)
    outputs = layer(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    before = [variable.numpy() for variable in layer.trainable_variables]
    targets = INPUTS[:, :, :1]
    history = model.fit(INPUTS, targets, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    for old, variable in zip(before, layer.trainable_variables):
        assert not np.array_equal(old, variable.numpy()), variable.path


def test_keras_cell():
    """Keras's cells are taken, with TF1's structures."""
    outputs, state = DynamicRNN(keras.layers.LSTMCell(4))(INPUTS)
    assert type(state) is LSTMStateTuple
    np.testing.assert_array_equal(outputs[:, -1], state.h)


def test_nested_inputs():
    """Nested inputs are taken as by `dynamic_rnn`."""
    inputs = {"left": tf.ones([2, 3, 2]), "right": (tf.ones([2, 3, 3]), tf.ones([2, 3, 2, 2]))}
    received = DynamicRNN(Nested())(inputs)
    assert_equal_leaves(received, dynamic_rnn(Nested(), inputs, dtype=tf.float32))


def test_errors_of_the_loop_pass():
    """Inputs that the loop refuses are refused here."""
    with pytest.raises(ValueError, match="expected at least 3"):
        DynamicRNN(Replicator(2))(tf.ones([2, 3]))
    with pytest.raises(ValueError, match="sequence_length must be a vector"):
        DynamicRNN(Replicator(3))(INPUTS, sequence_length=[[1, 2]])


def masked():
    """Inputs with rows of 3, 5 and 1 steps, padded with zeros at their end."""
    inputs = np.random.default_rng(0).normal(size=[3, 5, 2]).astype("float32")
    inputs[np.arange(5) >= np.array([3, 5, 1])[:, None]] = 0
    return inputs


@pytest.mark.parametrize("return_state", [True, False])
def test_masks_of_keras(return_state):
    """Padding that a layer before has marked counts as it does for Keras's own layer."""
    cell = keras.layers.GRUCell(4)
    ours = DynamicRNN(cell, return_state=return_state)
    theirs = keras.layers.RNN(
        cell, return_sequences=True, return_state=return_state, zero_output_for_mask=True
    )
    inputs = keras.Input((5, 2))
    marked = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, [ours(marked), theirs(marked)])
    received, expected = model(masked())
    for one, other in zip(tf.nest.flatten(received), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@EAGER_AND_GRAPH
def test_masks_go_on(in_graph):
    """The layer after sees them, and an initial state has no part in it."""
    first, second = DynamicRNN(GRUCell(4)), DynamicRNN(GRUCell(2))
    state = tf.ones([3, 4])

    def run():
        marked = keras.layers.Masking()(tf.constant(masked()))
        outputs, _ = first(marked, initial_state=state)
        return second(outputs)

    outputs, final = traced(run, in_graph)()
    lengths = [3, 5, 1]
    middle, _ = dynamic_rnn(first.cell, masked(), lengths, initial_state=state)
    expected, expected_final = dynamic_rnn(second.cell, middle, lengths, dtype=tf.float32)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(final, expected_final, rtol=1e-5, atol=1e-6)


def test_lengths_come_before_masks():
    """Who passes both means the lengths."""
    layer = DynamicRNN(GRUCell(4))
    inputs = tf.constant(masked())
    received, _ = layer(inputs, sequence_length=[2, 2, 2], mask=tf.ones([3, 5], tf.bool))
    expected, _ = layer(inputs, sequence_length=[2, 2, 2])
    np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("time_major", [False, True])
def test_padding_in_front_is_refused(time_major):
    """It cannot be said in lengths, and would be read as data."""
    layer = DynamicRNN(GRUCell(4), time_major=time_major)
    mask = np.array([[True, True, False], [False, True, True]])
    inputs = tf.ones([3, 2, 2] if time_major else [2, 3, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="the last ones of their row"):
        layer(inputs, mask=mask.T if time_major else mask)
    mask[1] = [False, False, False]
    outputs, _ = layer(inputs, mask=mask.T if time_major else mask)
    outputs = np.swapaxes(outputs, 0, 1) if time_major else outputs.numpy()
    assert (outputs == 0).all(2).tolist() == [[False, False, True], [True, True, True]]


def test_masks_under_xla():
    """Compiled code would not check the padding: Keras is told so, and other code refused."""
    inputs = keras.Input((5, 2))
    layer = DynamicRNN(GRUCell(4), return_state=False)
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    assert not layer.supports_jit
    with pytest.warns(UserWarning, match="support `jit_compile=True`"):
        model.compile("sgd", "mse", jit_compile=True)
    assert not model.jit_compile
    with pytest.raises(ValueError, match="mask in code compiled by XLA"):
        tf.function(model, jit_compile=True)(masked())
    assert DynamicRNN(GRUCell(4)).supports_jit


def test_in_a_layer_over_another_time_axis():
    """`TimeDistributed` runs it over each of the inner sequences."""
    inputs = keras.Input((6, 5, 3))
    layer = DynamicRNN(GRUCell(4), return_state=False)
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    assert model.output_shape == (None, 6, 5, 4)
    values = np.random.default_rng(0).normal(size=[2, 6, 5, 3]).astype("float32")
    expected = [layer(values[:, index]) for index in range(6)]
    np.testing.assert_allclose(model(values), np.stack(expected, axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("return_state", [False, True])
@pytest.mark.parametrize("make", [lambda: MultiRNNCell([LSTMCell(4), GRUCell(2)]), Nested])
def test_output_shapes(make, return_state, time_major):
    """Are known without a call, and those of one."""
    layer = DynamicRNN(make(), time_major=time_major, return_state=return_state)
    shape = (5, None) if time_major else (None, 5)
    inputs = keras.Input(batch_shape=(*shape, 3))
    if isinstance(layer.cell, Nested):
        inputs = {
            "left": keras.Input(batch_shape=(*shape, 2)),
            "right": (
                keras.Input(batch_shape=(*shape, 3)),
                keras.Input(batch_shape=(*shape, 2, 2)),
            ),
        }
        shapes = {"left": (*shape, 2), "right": ((*shape, 3), (*shape, 2, 2))}
    else:
        shapes = inputs.shape
    received = layer.compute_output_shape(shapes)
    expected = layer(inputs)
    assert tf.nest.flatten(received) == tf.nest.flatten(
        tf.nest.map_structure(lambda leaf: tuple(leaf.shape), expected)
    )


@EAGER_AND_GRAPH
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_floating_lengths_under_a_policy(policy, in_graph):
    """Lengths that half precision does not have, 257 and 2049, are not rounded; nor in a model."""
    steps, lengths = 2100, [257.0, 2049.0]
    layer = DynamicRNN(BasicRNNCell(1), dtype=policy)
    by_name = traced(lambda: layer(tf.ones([2, steps, 1]), sequence_length=lengths_of()), in_graph)
    by_place = traced(lambda: layer(tf.ones([2, steps, 1]), lengths_of()), in_graph)

    def lengths_of():
        return tf.constant(lengths)

    inputs, sizes = keras.Input((steps, 1)), keras.Input(())
    model = keras.Model([inputs, sizes], layer(inputs, sequence_length=sizes)[0])
    for outputs in (by_name()[0], by_place()[0], model([tf.ones([2, steps, 1]), lengths_of()])):
        counted = np.count_nonzero(np.asarray(outputs, np.float32), axis=(1, 2))
        np.testing.assert_array_equal(counted, lengths)
