"""Copies of cells, as TF1's code makes the layers of a stack, and their checkpoints."""

import copy

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    BasicLSTMCell,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)

INPUTS = tf.random.stateless_uniform([2, 5, 3], [1, 2])


class Kept(RNNCell):
    """A cell that keeps what it has in a container; nothing registers it."""

    def __init__(self, num_units, container, function=tf.tanh):
        super().__init__()
        self.num_units = num_units
        self.container = container
        self.function = function
        self.cells = {"a": GRUCell(num_units)} if container is dict else [GRUCell(num_units)]

    state_size = property(lambda self: self.num_units)
    output_size = property(lambda self: self.num_units)

    def build(self, inputs_shape):
        """Makes two variables, and the cell's."""
        shape = [inputs_shape[-1], self.num_units]
        pairs = [(name, self.add_weight(name=name, shape=shape)) for name in "pq"]
        self.kernels = self.container(pairs)
        self._inner[0].build((None, self.num_units))

    @property
    def _inner(self):
        return list(self.cells.values()) if self.container is dict else self.cells

    def call(self, inputs, state):
        """A projection, and the cell's step."""
        kernels = self.kernels.values() if self.container is dict else [k for _, k in self.kernels]
        first, second = map(tf.convert_to_tensor, kernels)
        return self._inner[0](self.function(inputs @ first - inputs @ second), state)


def lambda_of(x, y):
    """A function that nothing registers."""
    return y - x


KEEP_PROB = tf.constant(1.0)
CELLS = {
    "gru": lambda: GRUCell(3),
    "lambda": lambda: ResidualWrapper(GRUCell(3), lambda x, y: 2 * x + y),
    "function": lambda: ResidualWrapper(GRUCell(3), lambda_of),
    "variable probability": lambda: DropoutWrapper(
        GRUCell(3), output_keep_prob=tf.Variable(1.0), seed=np.int64(3)
    ),
    "list": lambda: Kept(3, list, tf.nn.relu),
    "dict": lambda: Kept(3, dict),
    "stack": lambda: MultiRNNCell([Kept(3, list), LSTMCell(3, use_peepholes=True)]),
}
EACH = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)


def outputs_of(cell):
    """Outputs and state of a run, as arrays."""
    return [
        np.asarray(leaf)
        for leaf in tf.nest.flatten(dynamic_rnn(cell, INPUTS, None, None, "float32"))
    ]


@EACH
@pytest.mark.parametrize("built", [False, True])
def test_deepcopy(make, built):
    """A copy computes the same with weights of its own, or draws its own if there are none yet."""
    cell = make()
    if built:
        expected = outputs_of(cell)
    twin = copy.deepcopy(cell)
    assert type(twin) is type(cell) and twin.built == built
    outputs = outputs_of(twin)
    if not built:
        expected = outputs_of(cell)
        cell.set_weights(twin.get_weights())
        expected = outputs_of(cell)
    for received, other in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(received, other)
    for weight in cell.weights:
        weight.assign(weight + 1)
    for received, other in zip(outputs_of(twin), outputs, strict=True):
        np.testing.assert_array_equal(received, other)


def test_deepcopy_keeps_what_is_shared():
    """One cell twice in a list is one cell twice in the copy, and functions are the same ones."""
    inner = GRUCell(3, activation=lambda_of)
    with pytest.warns(UserWarning, match="the same object"):
        stack = MultiRNNCell([inner, BasicLSTMCell(3), inner])
        twin = copy.deepcopy(stack)
    assert twin.cells[0] is twin.cells[2] is not inner
    assert twin.cells[0].activation is lambda_of
    keep_prob = tf.Variable(0.5)
    assert copy.deepcopy(DropoutWrapper(inner, keep_prob)).input_keep_prob is keep_prob


def test_deepcopy_of_a_built_cell_keeps_its_names():
    """The scope of the loop that made the variables is the copy's."""
    cell = LSTMCell(4)
    dynamic_rnn(cell, INPUTS, dtype=tf.float32, scope="encoder")
    names = list(copy.deepcopy(cell).tf1_variables())
    assert names == ["encoder/lstm_cell/kernel", "encoder/lstm_cell/bias"]


@pytest.mark.parametrize("outer", [True, False])
def test_deepcopy_keeps_what_is_trained(outer):
    """A cell that is not trained is none in the copy."""
    cell = MultiRNNCell([GRUCell(3), LSTMCell(4)])
    cell.trainable = outer
    if outer:
        cell.cells[0].trainable = False
    outputs_of(cell)
    twin = copy.deepcopy(cell)
    assert [one.trainable for one in (twin, *twin.cells)] == [outer, False, outer]
    assert len(twin.trainable_variables) == (2 if outer else 0)


@pytest.mark.parametrize("container", [list, dict])
@pytest.mark.parametrize("restored", ["before", "after"])
@pytest.mark.parametrize("nested", [False, True])
def test_checkpoints_hold_containers(container, restored, nested, tmp_path):
    """Variables and cells in lists and dicts are in the file, and come back."""

    def make():
        cell = Kept(3, container)
        return MultiRNNCell([cell, GRUCell(2)]) if nested else cell

    cell, again = make(), make()
    expected = outputs_of(cell)
    path = tf.train.Checkpoint(cell=cell).save(tmp_path / "checkpoint")
    held = [shape for name, shape in tf.train.list_variables(path) if "VARIABLE_VALUE" in name]
    for weight in cell.weights:
        assert held.count(list(weight.shape)) >= 1
    if restored == "before":
        status = tf.train.Checkpoint(cell=again).restore(path)
        outputs = outputs_of(again)
    else:
        outputs_of(again)
        status = tf.train.Checkpoint(cell=again).restore(path)
        outputs = outputs_of(again)
    status.assert_consumed()
    for received, other in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(received, other)
