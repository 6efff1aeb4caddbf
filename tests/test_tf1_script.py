"""A training script of TensorFlow 1 before and after its migration: the same losses."""

import inspect
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_wrapper_impl

import rnn_mnist_tf.rnn_cell.dropout as dropout_module
from tests import tf1_script_after, tf1_script_before
from tests.modes import mostly_slow

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")  # of the oracle

STEPS = 20
# What a script calls from TensorFlow 1, and from this package.
PREFIXES = {"tf.nn.dynamic_rnn": "rnn_mnist_tf.dynamic_rnn"}


def drop(value, keep_prob, seed, generator=None):
    """Drops under a mask that only the shape, the keep probability and the seed decide."""
    del generator  # ours; TF1's operation has none
    random = np.random.default_rng([seed, value.shape[-1]])
    noise = tf.constant(random.uniform(size=value.shape[-1]), tf.float32)
    mask = tf.cast(noise < tf.cast(keep_prob, tf.float32), value.dtype)
    return value * mask / tf.cast(keep_prob, value.dtype)


@pytest.fixture
def same_masks(monkeypatch):
    """Makes the `DropoutWrapper` of both scripts drop with `drop`."""
    operations = types.SimpleNamespace(
        dropout_v2=lambda value, rate, seed: drop(value, 1.0 - rate, seed)
    )
    monkeypatch.setattr(rnn_cell_wrapper_impl, "nn_ops", operations)
    monkeypatch.setattr(dropout_module, "dropout", drop)


def draw_checkpoint():
    """Returns random numbers by the names that both scripts' variables have."""
    _, _, variables = tf1_script_after.build(1.0)
    random = np.random.default_rng(0)
    return {
        name: random.normal(scale=0.4, size=variable.shape).astype(np.float32)
        for name, variable in variables.items()
    }


def train_before(*arguments):
    """Trains with the script as it was, in a graph of its own."""
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(0)
        return tf1_script_before.train(*arguments)


@pytest.mark.usefixtures("same_masks")
@pytest.mark.parametrize("optimizer", tf1_script_before.OPTIMIZERS)
@pytest.mark.parametrize("keep_prob", mostly_slow([1.0, 0.7], [0.7]))
def test_same_losses(optimizer, keep_prob):
    """From the same weights, all losses agree, and they fall."""
    arguments = (STEPS, optimizer, keep_prob, draw_checkpoint())
    before = train_before(*arguments)
    after = tf1_script_after.train(*arguments)
    assert len(after) == len(before) == STEPS + 1
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert np.mean(before[-5:]) < np.mean(before[:5])


def test_dropout_of_its_own_trains():
    """Without forced masks the migrated script drops, and learns."""
    checkpoint = draw_checkpoint()
    dropped = tf1_script_after.train(STEPS, "adam", 0.7, checkpoint)
    kept = tf1_script_after.train(STEPS, "adam", 1.0, checkpoint)
    assert dropped[0] != kept[0]
    assert np.mean(dropped[-5:]) < np.mean(dropped[:5])


def functions(script):
    """Returns the sources of a script's functions, by name."""
    members = inspect.getmembers(script, inspect.isfunction)
    return {name: inspect.getsource(function) for name, function in members}


def test_only_prefixes_and_the_session_changed():
    """All but `train`, which was session code, is the same text up to the prefixes."""
    before, after = functions(tf1_script_before), functions(tf1_script_after)
    del before["train"], after["train"], after["build"]
    for old, new in PREFIXES.items():
        before = {name: source.replace(old, new) for name, source in before.items()}
    assert before == after
    assert set(before) == {"compute_loss", "make_cell", "make_softmax", "next_batch"}


def test_names_are_the_checkpoint_s():
    """The names of the migrated script's variables are those of a TF1 checkpoint."""
    checkpoint = draw_checkpoint()
    with tf.Graph().as_default():
        tf1_script_before.train(0, "sgd", 1.0, checkpoint)
        names = {variable.op.name for variable in tf.compat.v1.trainable_variables()}
    assert set(checkpoint) == names
