"""The contract of a cell: states, dtypes, names, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)
from rnn_mnist_tf.rnn_cell.checks import assert_like_rnncell, check_floating, get_activation


class NestedCell(RNNCell):
    """A cell whose state has every kind of size in it."""

    @property
    def state_size(self):
        return {"rows": (3, tf.TensorShape([2, 4])), "scalar": LSTMStateTuple(1, 2)}

    @property
    def output_size(self):
        return 3

    def call(self, inputs, state):
        return inputs, state


class TestLSTMStateTuple:
    """The state of an LSTM."""

    def test_order(self):
        """c comes first, then h."""
        assert LSTMStateTuple._fields == ("c", "h")
        c, h = LSTMStateTuple("c", "h")
        assert (c, h) == ("c", "h")

    def test_dtype(self):
        """The dtype is the one that both share."""
        assert LSTMStateTuple(tf.zeros([1]), tf.ones([1])).dtype == tf.float32

    def test_different_dtypes(self):
        """Two dtypes are an error."""
        state = LSTMStateTuple(tf.zeros([1]), tf.zeros([1], tf.float64))
        with pytest.raises(TypeError, match=r"c of dtype .*float32.* and h of dtype .*float64"):
            _ = state.dtype


@pytest.mark.parametrize("batch", [0, 3, tf.constant(3)], ids=["none", "number", "tensor"])
def test_zero_state_of_a_nest(batch):
    """Zeros have the structure of the state size, a batch and the dtype asked for."""
    state = NestedCell().zero_state(batch, tf.float64)
    tf.nest.assert_same_structure(state, NestedCell().state_size)
    rows = int(batch)
    assert state["rows"][0].shape == (rows, 3)
    assert state["rows"][1].shape == (rows, 2, 4)
    assert state["scalar"].h.shape == (rows, 2)
    for leaf in tf.nest.flatten(state):
        np.testing.assert_array_equal(leaf, np.zeros(leaf.shape))
        assert leaf.dtype == tf.float64


def test_initial_state_from_inputs():
    """Batch and dtype are those of the inputs."""
    state = GRUCell(4).get_initial_state(inputs=tf.ones([3, 2], tf.float64))
    assert (state.shape, state.dtype) == ((3, 4), tf.float64)


def test_initial_state_from_inputs_of_unknown_batch():
    """The batch may be known at run time only."""
    cell = GRUCell(4)
    state_of = tf.function(
        lambda inputs: cell.get_initial_state(inputs=inputs),
        input_signature=[tf.TensorSpec([None, 2])],
    )
    assert state_of(tf.ones([5, 2])).shape == (5, 4)


def test_initial_state_from_sizes():
    """Without inputs, batch and dtype are those given."""
    state = BasicLSTMCell(4).get_initial_state(batch_size=2, dtype=tf.float64)
    assert type(state) is LSTMStateTuple
    assert (state.c.shape, state.c.dtype) == ((2, 4), tf.float64)


def test_initial_state_without_dtype():
    """Keras gives a batch alone: then the dtype is the cell's own."""
    assert GRUCell(4, dtype="float64").get_initial_state(batch_size=2).dtype == tf.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "batch_size and dtype cannot be None"),
        ({"dtype": tf.float32}, "batch_size and dtype cannot be None"),
        ({"inputs": tf.ones([3, 2]), "batch_size": 4}, "batch size from input tensor is different"),
        (
            {"inputs": tf.ones([3, 2]), "dtype": tf.float64},
            "dtype from input tensor is different.*float64, expected float32",
        ),
    ],
)
def test_initial_state_errors(options, message):
    """Too little, or two that disagree, is an error."""
    with pytest.raises(ValueError, match=message):
        GRUCell(4).get_initial_state(**options)


class HasOnlyZeroState:
    """A cell that is no Keras layer."""

    state_size = output_size = 2

    def zero_state(self, batch_size, dtype):
        return tf.zeros([batch_size, 2], dtype)

    def __call__(self, inputs, state):
        return inputs, state


def test_duck_typed_cell():
    """Whatever has the methods is a cell."""
    assert_like_rnncell(HasOnlyZeroState())


@pytest.mark.parametrize("missing", ["state_size", "output_size", "zero_state", "__call__"])
def test_not_quite_a_cell(missing):
    """What is missing is named."""
    members = {key: value for key, value in vars(HasOnlyZeroState).items() if key != missing}
    name = {"zero_state": "zero_state or get_initial_state", "__call__": "call"}
    almost = type("Almost", (), members)()
    with pytest.raises(TypeError, match=f"not an RNNCell: it has no {name.get(missing, missing)}"):
        assert_like_rnncell(almost)


def test_a_class_is_not_a_cell():
    """A forgotten pair of brackets is found."""
    with pytest.raises(TypeError, match=r"which is not an RNNCell: it has no .*call"):
        assert_like_rnncell(GRUCell)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.uint8, tf.bool, tf.string, tf.complex64])
def test_not_floating(dtype):
    """Anything but floats is refused; Keras would lose the imaginary part of complex numbers."""
    with pytest.raises(ValueError, match=f"Received inputs of dtype {dtype.name}"):
        check_floating(tf.constant([], dtype), "inputs")


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_floating(dtype):
    """Floats are taken."""
    assert check_floating(tf.constant([], dtype), "inputs") is None


@pytest.mark.parametrize("activation", [None, "", 0])
def test_no_activation_is_tanh(activation):
    """Anything false means tanh."""
    assert get_activation(activation) is keras.activations.tanh


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *[(tf.tanh, "tanh"), (tf.sigmoid, "sigmoid"), (tf.identity, "linear")],
        *[(tf.nn.relu, "relu"), (tf.nn.relu6, "relu6"), (tf.nn.leaky_relu, "leaky_relu")],
        *[(tf.nn.elu, "elu"), (tf.nn.selu, "selu"), (tf.nn.gelu, "gelu")],
        *[(tf.nn.silu, "silu"), (tf.nn.swish, "silu"), (tf.exp, "exponential")],
        *[(tf.nn.softplus, "softplus"), (tf.nn.softsign, "softsign")],
    ],
)
def test_activations_of_tensorflow_can_be_saved(function, name):
    """TensorFlow's functions are taken as Keras's of the same name."""
    activation = get_activation(function)
    assert keras.activations.serialize(activation) == name
    values = tf.linspace(-8.0, 8.0, 101)
    np.testing.assert_allclose(activation(values), function(values), rtol=1e-6)
    again = keras.activations.deserialize(keras.activations.serialize(activation))
    np.testing.assert_array_equal(again(values), activation(values))


@pytest.mark.parametrize("name", sorted(vars(keras.ops).keys() & vars(keras.activations).keys()))
def test_functions_of_keras_ops(name):
    """Those with a name of Keras's activations are these, or are not saved as these."""
    function = getattr(keras.ops, name)
    if not callable(function) or name == "threshold":  # which has two more arguments
        return
    values = tf.random.Generator.from_seed(1).normal([3, 8])
    cell = GRUCell(8, activation=function)
    np.testing.assert_allclose(cell.activation(values), function(values), rtol=1e-6)
    if name == "gelu":  # another approximation by default
        with pytest.raises(ValueError, match="would be loaded as Keras's"):
            cell.get_config()
        return
    again = GRUCell.from_config(cell.get_config())
    np.testing.assert_allclose(again.activation(values), function(values), rtol=1e-6)


def make_relu():
    """Returns a new function of a user's, with a name of Keras's."""

    def relu(values):
        return tf.minimum(tf.nn.relu(values), 0.1)

    return relu


@pytest.mark.parametrize("kind", [BasicRNNCell, GRUCell, BasicLSTMCell, LSTMCell])
def test_an_activation_that_would_be_loaded_as_keras_s(kind):
    """A configuration that means another function is refused; a registered one is kept."""
    with pytest.raises(ValueError, match="'relu' would be loaded as Keras's"):
        kind(2, activation=make_relu()).get_config()
    register = keras.saving.register_keras_serializable("tests", f"relu_of_{kind.__name__}")
    registered = register(make_relu())
    cell = kind(2, activation=registered)
    assert kind.from_config(cell.get_config()).activation is registered
    assert kind.from_config(kind(2, activation="relu").get_config()).activation is (
        keras.activations.relu
    )


def test_unknown_activation():
    """A name that Keras does not know is refused."""
    with pytest.raises(ValueError, match="no_such_function"):
        GRUCell(2, activation="no_such_function")


NESTS = {
    "gru": lambda: GRUCell(4),
    "stack": lambda: MultiRNNCell([BasicLSTMCell(4), GRUCell(3)]),
    "dropout": lambda: DropoutWrapper(GRUCell(4)),
    "residual": lambda: ResidualWrapper(GRUCell(3)),
}
EACH_NEST = pytest.mark.parametrize("nest", NESTS)


@EACH_NEST
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_dtype_of_the_first_inputs(nest, dtype):
    """A cell made without dtype takes that of the first inputs, variables too."""
    cell = NESTS[nest]()
    output, state = cell(tf.ones([2, 3], dtype), cell.zero_state(2, dtype))
    assert {leaf.dtype.name for leaf in tf.nest.flatten((output, state))} == {dtype}
    assert {variable.dtype for variable in cell.trainable_variables} == {dtype}


@EACH_NEST
def test_dtype_of_the_loop(nest):
    """So does a loop, from its `dtype`."""
    cell = NESTS[nest]()
    outputs, _ = dynamic_rnn(cell, tf.ones([2, 5, 3], tf.float64), dtype=tf.float64)
    assert outputs.dtype == tf.float64
    assert {variable.dtype for variable in cell.trainable_variables} == {"float64"}


@EACH_NEST
def test_configuration_keeps_the_open_dtype(nest):
    """A cell made from the configuration of one without dtype has none either."""
    cell = NESTS[nest]()
    again = type(cell).from_config(cell.get_config())
    output, _ = again(tf.ones([2, 3], tf.float64), again.zero_state(2, tf.float64))
    assert output.dtype == tf.float64


def test_dtype_given():
    """A dtype that was given stays, and a loop of another one is refused."""
    cell = GRUCell(4, dtype="float64")
    with pytest.raises(ValueError, match="Received dtype=float32, expected float64"):
        dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)


@pytest.mark.parametrize("make_cell", [BasicRNNCell, GRUCell, LSTMCell])
def test_inputs_of_another_size(make_cell):
    """A cell is built for one size of inputs: TF1's best-known mistake is `[cell] * 2`."""
    cell = make_cell(4)
    dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)
    with pytest.raises(ValueError, match=r"inputs of 6 features.*expected 3"):
        dynamic_rnn(cell, tf.ones([2, 5, 6]), dtype=tf.float32)
    with pytest.warns(UserWarning, match="same object"):
        stack = MultiRNNCell([make_cell(4)] * 2)
    with pytest.raises(ValueError, match=r"inputs of 4 features.*expected 3.*for each layer"):
        dynamic_rnn(stack, tf.ones([2, 5, 3]), dtype=tf.float32)


@pytest.mark.parametrize("shape", [(2,), (2, 5, 3)])
def test_inputs_must_be_a_matrix(shape):
    """A cell takes one step."""
    with pytest.raises(ValueError, match=r"Received inputs of shape .*expected \[batch, input_siz"):
        GRUCell(4)(tf.ones(shape), tf.zeros([2, 4]))


def test_unknown_depth():
    """The width of the inputs must be known."""
    with pytest.raises(ValueError, match=r"Expected inputs\.shape\[-1\] to be known"):
        GRUCell(4).build((None, None))


def test_integer_state():
    """An integer state is refused with its path."""
    state = LSTMStateTuple(tf.zeros([2, 4]), tf.zeros([2, 4], tf.int32))
    with pytest.raises(ValueError, match=r"floating point.*Received state\.h of dtype int32"):
        BasicLSTMCell(4)(tf.ones([2, 3]), state)


@pytest.mark.parametrize("nest", ["gru", "stack", "residual"])
def test_integer_inputs(nest):
    """Integer inputs are refused."""
    cell = NESTS[nest]()
    with pytest.raises(ValueError, match=r"floating point.*Received inputs of dtype int32"):
        cell(tf.ones([2, 3], tf.int32), cell.zero_state(2, tf.float32))


def test_integer_inputs_under_dropout():
    """They are refused before they are dropped."""
    cell = DropoutWrapper(GRUCell(4), input_keep_prob=0.5)
    with pytest.raises(ValueError, match=r"floating point.*Received inputs of dtype int32"):
        cell(tf.ones([2, 3], tf.int32), tf.zeros([2, 4]))


def test_sizes_must_be_defined():
    """A subclass without sizes says so, and is not a cell."""

    class Unfinished(RNNCell):
        pass

    with pytest.raises(NotImplementedError, match="Unfinished must define state_size"):
        _ = Unfinished().state_size
    with pytest.raises(TypeError, match="it has no output_size, state_size"):
        assert_like_rnncell(Unfinished())


def test_output_shape():
    """Shapes of output and state are known without a call."""
    output, state = NestedCell().compute_output_shape((7, 3))
    assert output == (7, 3)
    assert state["rows"] == ((7, 3), (7, 2, 4))


class OtherNames(RNNCell):
    """A cell whose arguments have names of their own."""

    state_size = output_size = 4

    def call(self, x, h):
        """Sums up."""
        return h + tf.reduce_sum(x, 1, keepdims=True), h


def test_a_symbolic_step_of_arguments_of_any_name():
    """Keras asks for a cell's shapes by the names of its arguments, of which TF1 says nothing."""
    inputs, state = keras.Input((3,)), keras.Input((4,))
    output, new_state = OtherNames()(inputs, state)
    assert output.shape == new_state.shape == (None, 4)
    received = keras.Model([inputs, state], output)([tf.ones([2, 3]), tf.ones([2, 4])])
    np.testing.assert_array_equal(received, np.full([2, 4], 4.0))


def test_output_shape_for_nested_inputs():
    """The batch is that of the first tensor."""
    output, state = NestedCell().compute_output_shape(
        {"left": (7, 2), "right": ((7, 3), (7, 2, 2))}
    )
    assert output == (7, 3)
    assert state["rows"] == ((7, 3), (7, 2, 4))
