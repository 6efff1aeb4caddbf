"""Weights from files that TensorFlow 1's own `Saver` wrote."""

import numpy as np
import pytest
import tensorflow as tf

import rnn_mnist_tf
from rnn_mnist_tf.interop import restore_tf1_checkpoint
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell, MultiRNNCell
from tests import oracle

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


def test_no_checkpoint(tmp_path):
    """A path of nothing, an empty directory, a file that is none."""
    cell = built(GRUCell(4))
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path / "model.ckpt", tmp_path, tmp_path / "notes.txt"):
        assert_refused(cell, path, str(path), "prefix")


def test_another_scope(tmp_path):
    """The error names the scopes under which the file has such a variable."""
    cell = built(GRUCell(4))
    path = save(tmp_path / "model.ckpt", **draw(cell, "encoder"), **draw(cell, "decoder/rnn"))
    assert_refused(
        cell, path, "rnn/gru_cell/gates/kernel", "'decoder/rnn' and 'encoder'", "see scope"
    )
    assert_refused(built(BasicLSTMCell(4)), path, "It has decoder/rnn/gru_cell/candidate/bias")


def test_another_size(tmp_path):
    """The error names the variable and both shapes; what fits is not assigned either."""
    path = save(tmp_path / "model.ckpt", **draw(built(GRUCell(4))))
    wide = built(GRUCell(4), depth=5)
    assert_refused(wide, path, "rnn/gru_cell/gates/kernel", "(7, 8)", "(9, 8)")
