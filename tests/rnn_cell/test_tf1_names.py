"""TF1's names of a cell's variables: scopes of loops, of cells and of what is inside them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import rnn_cell as tf1_rnn_cell

from rnn_mnist_tf import dynamic_rnn, rnn_cell
from rnn_mnist_tf.rnn_cell import GRUCell, LSTMCell, MultiRNNCell, RNNCell
from rnn_mnist_tf.rnn_cell.tf1_names import snake_case


def names(cell, scope=None):
    """Returns the names of a cell's variables."""
    return list(cell.tf1_variables(scope))


def test_names_before_build():
    """A cell that has no variables yet has no names."""
    assert names(GRUCell(4)) == []


def test_own_name_is_the_scope():
    """A name takes the place of the class name, in a stack too."""
    cell = LSTMCell(4, name="memory")
    cell.build((None, 3))
    assert names(cell) == ["rnn/memory/kernel", "rnn/memory/bias"]
    stack = MultiRNNCell([LSTMCell(4, name="memory")])
    stack.build((None, 3))
    assert names(stack)[0] == "rnn/multi_rnn_cell/cell_0/memory/kernel"


def test_second_cell_has_the_same_names():
    """Keras's counted names are not in TF1's names."""
    for _ in range(2):
        cell = GRUCell(4)
        cell.build((None, 3))
        assert names(cell)[0] == "rnn/gru_cell/gates/kernel"


@pytest.mark.parametrize("scopes", [(None,), ("encoder",), ("encoder", None), (None, "encoder")])
def test_scope_of_the_loop(scopes):
    """TF1 makes the variables in the first loop that runs the cell, so its scope is theirs."""
    cell = LSTMCell(4)
    for scope in scopes:
        dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32, scope=scope)
    with tf.Graph().as_default():
        tf1_cell = tf1_rnn_cell.LSTMCell(4)
        for scope in scopes:
            tf.compat.v1.nn.dynamic_rnn(tf1_cell, tf.ones([2, 5, 3]), dtype=tf.float32, scope=scope)
        expected = [variable.name for variable in tf1_cell.variables]
    assert [f"{name}:0" for name in names(cell)] == expected
    assert names(cell, "decoder")[0] == "decoder/lstm_cell/kernel"


def test_no_scope():
    """A cell whose steps are called by hand has none in TF1."""
    cell = MultiRNNCell([GRUCell(4)])
    cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
    with tf.Graph().as_default():
        tf1_cell = tf1_rnn_cell.MultiRNNCell([tf1_rnn_cell.GRUCell(4)])
        tf1_cell(tf.ones([2, 3]), tf1_cell.zero_state(2, tf.float32))
        expected = [variable.name for variable in tf1_cell.variables]
    assert [f"{name}:0" for name in names(cell, "")] == expected


def make_outer(base):
    """Returns a user's wrapper around one cell, on either library's `RNNCell`."""

    class Outer(base):
        """It passes everything on."""

        def __init__(self, cell):
            super().__init__()
            self.inner = cell

        @property
        def state_size(self):
            return self.inner.state_size

        @property
        def output_size(self):
            return self.inner.output_size

        def call(self, inputs, state):
            return self.inner(inputs, state)

    return Outer


class Projected(RNNCell):
    """A user's cell with layers and a variable of its own."""

    state_size = output_size = 4

    def __init__(self, second):
        super().__init__()
        self.first = keras.layers.Dense(4, name="first")
        self.second = keras.layers.Dense(4, name=second)

    def build(self, inputs_shape):
        self.gain = self.add_weight(shape=(), name="gain")
        self.first.build(inputs_shape)
        self.second.build((None, 4))

    def call(self, inputs, state):
        state = self.gain * tf.tanh(self.first(inputs) + self.second(state))
        return state, state


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
def test_names_in_a_wrapper_of_a_user(kind):
    """The wrapper's scope, then the inner cell's, as in TF1."""
    cell = make_outer(RNNCell)(getattr(rnn_cell, kind)(4))
    dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)
    with tf.Graph().as_default():
        tf1_cell = make_outer(tf1_rnn_cell.RNNCell)(getattr(tf1_rnn_cell, kind)(4))
        tf.compat.v1.nn.dynamic_rnn(tf1_cell, tf.ones([2, 5, 3]), dtype=tf.float32)
        expected = [variable.name for variable in tf.compat.v1.global_variables()]
    assert [f"{name}:0" for name in names(cell)] == expected


def test_names_in_a_cell_of_layers():
    """Each variable has a name; two of one name are refused, as one would hide the other."""
    cell = Projected("second")
    dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)
    assert names(cell) == [
        "rnn/projected/gain",
        *["rnn/projected/first/kernel", "rnn/projected/first/bias"],
        *["rnn/projected/second/kernel", "rnn/projected/second/bias"],
    ]
    assert set(map(id, cell.tf1_variables().values())) == set(map(id, cell.weights))
    cell = Projected("first")
    cell.build((None, 3))
    with pytest.raises(ValueError, match="two variables of the name rnn/projected/first/kernel"):
        cell.tf1_variables()


def test_names_in_layers_of_layers():
    """Each layer on the way has its name in it."""
    cell = Projected("second")
    parts = [keras.layers.Dense(4, name="wide"), keras.layers.Dense(4, name="narrow")]
    cell.first = keras.Sequential(parts, name="both")
    cell.build((None, 3))
    assert names(cell) == [
        "rnn/projected/gain",
        *["rnn/projected/second/kernel", "rnn/projected/second/bias"],
        *["rnn/projected/both/wide/kernel", "rnn/projected/both/wide/bias"],
        *["rnn/projected/both/narrow/kernel", "rnn/projected/both/narrow/bias"],
    ]


SCOPED = {
    "cell": lambda cells: cells.GRUCell(3),
    "named_cell": lambda cells: cells.GRUCell(3, name="memory"),
    "dropout": lambda cells: cells.DropoutWrapper(cells.GRUCell(3)),
    "residual": lambda cells: cells.ResidualWrapper(cells.LSTMCell(3)),
    "stack": lambda cells: cells.MultiRNNCell([cells.GRUCell(3), cells.LSTMCell(3)]),
    "wrapped_stack": lambda cells: cells.ResidualWrapper(
        cells.MultiRNNCell([cells.DropoutWrapper(cells.GRUCell(3)), cells.GRUCell(3)])
    ),
}


@pytest.mark.parametrize("make_cell", SCOPED.values(), ids=SCOPED.keys())
@pytest.mark.parametrize("scopes", [("decoder",), ("decoder", "other"), (None, "decoder")])
def test_scope_of_a_step(make_cell, scopes):
    """The scope of the step that makes the variables names them as in TF1, after saving too."""
    cell = make_cell(rnn_cell)
    state = cell.zero_state(2, tf.float32)
    for scope in scopes:
        cell(tf.ones([2, 3]), state, scope=scope)
    with tf.Graph().as_default():
        tf1_cell = make_cell(tf1_rnn_cell)
        state = tf1_cell.zero_state(2, tf.float32)
        for scope in scopes:
            tf1_cell(tf.ones([2, 3]), state, scope=scope)
        expected = [v.name.removesuffix(":0") for v in tf.compat.v1.trainable_variables()]
    assert names(cell, "") == expected
    again = type(cell).from_config(cell.get_config())
    again.build((None, 3))
    assert names(again, "") == expected


def test_values_are_the_variables_themselves():
    """Assigning to what `tf1_variables` returns changes the cell."""
    cell = GRUCell(1)
    cell.build((None, 1))
    cell.tf1_variables()["rnn/gru_cell/candidate/bias"].assign([5.0])
    np.testing.assert_array_equal(cell.candidate_bias, [5.0])


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("BasicRNNCell", "basic_rnn_cell"),
        ("GRUCell", "gru_cell"),
        ("BasicLSTMCell", "basic_lstm_cell"),
        ("LSTMCell", "lstm_cell"),
        ("MultiRNNCell", "multi_rnn_cell"),
        ("AttentionCellWrapper", "attention_cell_wrapper"),
        ("GridLSTMCell", "grid_lstm_cell"),
        ("_MyCell", "private__my_cell"),
        ("_mine", "private_mine"),
    ],
)
def test_snake_case(name, scope):
    """Class names become TF1's scopes."""
    assert snake_case(name) == scope


class MyStack(MultiRNNCell):
    """A stack of a user's."""


class _Mine(GRUCell):
    """A private cell of a user's."""


@pytest.mark.parametrize("kind", [MyStack, _Mine])
def test_scopes_of_users_classes(kind):
    """They are those of TF1's layers of these names, which the class's own name gives."""
    cell = MyStack([GRUCell(4)]) if kind is MyStack else _Mine(4)
    dynamic_rnn(cell, tf.ones([2, 5, 3]), dtype=tf.float32)
    base = tf1_rnn_cell.MultiRNNCell if kind is MyStack else tf1_rnn_cell.GRUCell
    with tf.Graph().as_default():
        twin = type(kind.__name__, (base,), {})
        tf1_cell = twin([tf1_rnn_cell.GRUCell(4)]) if kind is MyStack else twin(4)
        tf.compat.v1.nn.dynamic_rnn(tf1_cell, tf.ones([2, 5, 3]), dtype=tf.float32)
        expected = [variable.name for variable in tf1_cell.variables]
    assert [f"{name}:0" for name in names(cell)] == expected
