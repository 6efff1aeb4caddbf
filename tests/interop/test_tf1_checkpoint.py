"""Weights from files that TensorFlow 1's own `Saver` wrote."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import rnn_mnist_tf
from rnn_mnist_tf.interop import restore_tf1_checkpoint
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell, MultiRNNCell
from tests import oracle
from tests.unroll import fakes

CONFIGURATIONS = oracle.configurations(12, seed=31)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
def test_every_weight(configuration, tmp_path):
    """The cells have what TensorFlow 1 saved, and compute what it computed."""
    cells = oracle.build_ours(configuration)
    numbers = oracle.draw_numbers(configuration, cells)
    expected = oracle.run_oracle(configuration, numbers, tmp_path / "model.ckpt")
    names = [name for cell in cells for name in restore_tf1_checkpoint(cell, tmp_path)]
    assert sorted(names) == sorted(numbers.weights)
    restored = {name: v.numpy() for name, v in oracle.variables_of(cells).items()}
    for name, value in numbers.weights.items():
        np.testing.assert_array_equal(restored[name], value)
    # `run_ours` assigns what was restored, not what was drawn.
    ours = oracle.run_ours(configuration, cells, numbers._replace(weights=restored))
    oracle.assert_same_result(ours, expected)


def save(path, **arrays):
    """Writes variables as a TF1 graph would, and an optimizer's slots beside them."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, array in arrays.items():
            tf.compat.v1.get_variable(name, initializer=tf.constant(array))
            tf.compat.v1.get_variable(f"{name}/Adam", initializer=tf.zeros_like(array))
        session.run(tf.compat.v1.global_variables_initializer())
        return tf.compat.v1.train.Saver().save(session, str(path), global_step=7)


def draw(cell, scope=None):
    """Random numbers for a built cell, by name."""
    generator = np.random.default_rng(0)
    shapes = {name: tuple(v.shape) for name, v in cell.tf1_variables(scope).items()}
    return {name: generator.normal(size=s).astype(np.float32) for name, s in shapes.items()}


def built(cell, depth=3):
    """Returns the cell with variables."""
    cell.build((None, depth))
    return cell


@pytest.mark.parametrize("scope", ["", "encoder", "encoder/rnn"])
def test_scopes(scope, tmp_path):
    """The scope of a TF1 graph can be named, whatever the loop here was called."""
    cell = MultiRNNCell([BasicLSTMCell(4), GRUCell(2)])
    rnn_mnist_tf.dynamic_rnn(cell, tf.zeros([1, 2, 3]), dtype=tf.float32)
    arrays = draw(cell, scope)
    path = save(tmp_path / "model.ckpt", **arrays)
    assert restore_tf1_checkpoint(cell, path, scope) == list(arrays)
    for name, variable in cell.tf1_variables(scope).items():
        np.testing.assert_array_equal(variable, arrays[name])


def test_halves_of_a_bidirectional_loop(tmp_path):
    """Each half reads its own weights."""
    forward, backward = GRUCell(4), GRUCell(2)
    rnn_mnist_tf.bidirectional_dynamic_rnn(forward, backward, tf.zeros([1, 2, 3]), dtype=tf.float32)
    arrays = {**draw(forward), **draw(backward)}
    path = save(tmp_path / "model.ckpt", **arrays)
    assert restore_tf1_checkpoint(forward, path) + restore_tf1_checkpoint(backward, path) == [
        *arrays
    ]
    np.testing.assert_array_equal(
        backward.gates_bias, arrays["bidirectional_rnn/bw/gru_cell/gates/bias"]
    )


def assert_refused(cell, path, *words, scope=None):
    """The error has the words, and the cell's weights stay."""
    before = cell.get_weights()
    with pytest.raises(ValueError, match=r"expected|not built") as raised:
        restore_tf1_checkpoint(cell, path, scope)
    assert [word for word in words if word not in str(raised.value)] == []
    for old, new in zip(before, cell.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_cell_without_variables(tmp_path):
    """There is nothing to give weights to."""
    path = save(tmp_path / "model.ckpt", **draw(built(GRUCell(4))))
    assert_refused(GRUCell(4), path, "gru_cell", "not built")


@pytest.mark.parametrize(
    "make", [lambda: rnn_mnist_tf.DynamicRNN(GRUCell(4)), fakes.Plain], ids=["a layer", "no layer"]
)
def test_not_a_cell_of_this_package(tmp_path, make):
    """A layer has a cell inside; what has no variables here has none to restore."""
    with pytest.raises(TypeError, match="expected an RNNCell"):
        restore_tf1_checkpoint(make(), tmp_path)


def test_no_checkpoint(tmp_path):
    """A path of nothing, an empty directory, a file that is none."""
    cell = built(GRUCell(4))
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path / "model.ckpt", tmp_path, tmp_path / "notes.txt"):
        assert_refused(cell, path, str(path), "prefix")


@pytest.mark.parametrize("scope", [None, "", "rnn/inner", "bidirectional_rnn/fw"])
def test_another_scope(tmp_path, scope):
    """The error names the scopes below which all of the cell's variables are, and they work."""
    cell = built(MultiRNNCell([GRUCell(4), GRUCell(2)]))
    places = ("decoder/rnn", "encoder/bidirectional_rnn/fw")
    arrays = {name: array for place in places for name, array in draw(cell, place).items()}
    path = save(tmp_path / "model.ckpt", **arrays)
    named = "They are below scope 'decoder/rnn' and 'encoder/bidirectional_rnn/fw'."
    assert_refused(cell, path, named, scope=scope)
    for place in places:
        restore_tf1_checkpoint(cell, path, place)


def test_names_without_a_scope(tmp_path):
    """Variables of steps that were called by hand."""
    cell = built(GRUCell(4))
    path = save(tmp_path / "model.ckpt", **draw(cell, ""))
    assert_refused(cell, path, "They are below scope ''.")


def test_another_cell(tmp_path):
    """No scope helps; the error says what there is, and not all of it."""
    path = save(tmp_path / "model.ckpt", **draw(built(GRUCell(4))))
    assert_refused(built(BasicLSTMCell(4)), path, "It has rnn/gru_cell/candidate/bias, ")
    stack = built(MultiRNNCell([GRUCell(4) for _ in range(4)]))
    path = save(tmp_path / "other.ckpt", **draw(stack))
    assert_refused(built(BasicLSTMCell(4)), path, " and 12 more.")


def test_a_part_of_the_files_is_missing(tmp_path):
    """The index alone is no checkpoint, nor is half of the data."""
    cell = built(GRUCell(4))
    path = save(tmp_path / "model.ckpt", **draw(cell))
    (data,) = tmp_path.glob("*.data-*")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    assert_refused(cell, path, path, "whole")
    data.unlink()
    assert_refused(cell, path, path, "whole")


def test_another_size(tmp_path):
    """The error names the variable and both shapes; what fits is not assigned either."""
    path = save(tmp_path / "model.ckpt", **draw(built(MultiRNNCell([GRUCell(4), GRUCell(2)]))))
    wide = built(MultiRNNCell([GRUCell(4), GRUCell(3)]))
    name = "rnn/multi_rnn_cell/cell_1/gru_cell/gates/kernel"
    assert_refused(wide, path, name, "(6, 4)", "(7, 6)")


def test_a_cell_of_keras_s(tmp_path):
    """It has names too, if no TF1 graph wrote them."""
    cell = keras.layers.GRUCell(4)
    cell.build((None, 3))
    arrays = {f"rnn/gru_cell/{v.name}": np.ones(v.shape, np.float32) for v in cell.weights}
    path = save(tmp_path / "model.ckpt", **arrays)
    assert sorted(restore_tf1_checkpoint(cell, path)) == sorted(arrays)
    assert all(np.all(weights == 1) for weights in cell.get_weights())
