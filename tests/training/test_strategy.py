"""How the work is laid out: threads, parts of a batch, devices."""

import json
import os
import pathlib
import subprocess
import sys

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import rnn_mnist_tf
from rnn_mnist_tf.models import MODELS, build_model
from rnn_mnist_tf.training import TrainConfig
from rnn_mnist_tf.training.strategy import (
    MODELS_WITH_BATCH_STATISTICS,
    available_cores,
    choose_parts,
    configure_threads,
    has_batch_statistics,
    split_rows,
)


def test_configure_threads_again():
    """Asking for the same threads again, when TensorFlow has begun its work, is no error."""
    assert configure_threads() == available_cores()
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == available_cores()


@pytest.mark.parametrize(
    ("model", "intra"), [("rnn", 1), *((name, 3) for name in sorted(MODELS_WITH_BATCH_STATISTICS))]
)
def test_threads_of_an_operation(monkeypatch, model, intra):
    """One, where a batch is split into parts; all cores, where it stays whole."""
    threads = {}
    for kind in ("intra", "inter"):
        name = f"set_{kind}_op_parallelism_threads"
        monkeypatch.setattr(
            tf.config.threading, name, lambda number, kind=kind: threads.update({kind: number})
        )
    assert configure_threads(3, model) == 3
    assert threads == {"intra": intra, "inter": 3}


def test_threads_that_are_fixed_already():
    """Other threads than those TensorFlow has begun with are a warning, and nothing breaks."""
    tf.constant(0)  # TensorFlow begins
    with pytest.warns(UserWarning, match="fixed already"):
        assert configure_threads(available_cores() + 1) == available_cores() + 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == available_cores()


@pytest.mark.parametrize("name", MODELS)
def test_models_with_batch_statistics(name):
    """The names that are known before a model can be built are those of the models that are."""
    model = build_model(TrainConfig(model=name), (28, 28), 10)
    assert has_batch_statistics(model) == (name in MODELS_WITH_BATCH_STATISTICS)


def test_available_cores(monkeypatch):
    """What the process may use, not what the machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


@hypothesis.given(rows=st.integers(0, 1000), parts=st.integers(1, 8))
def test_split_rows(rows, parts):
    """The boundaries cover all rows once, in parts that differ by one at most."""
    bounds = [int(bound) for bound in split_rows(rows, parts)]
    sizes = np.diff(bounds)
    assert (bounds[0], bounds[-1], len(sizes)) == (0, rows, parts)
    assert 0 <= sizes.max() - sizes.min() <= 1


def plain():
    """A model whose rows have nothing to do with each other."""
    return keras.Sequential([keras.layers.Dense(2)])


def nested():
    """A model with batch statistics two models deep."""
    inner = keras.Sequential([keras.layers.BatchNormalization()])
    return keras.Sequential([keras.layers.Dense(2), keras.Sequential([inner])])


def test_has_batch_statistics():
    """They are found in models inside of models."""
    assert not has_batch_statistics(plain())
    assert has_batch_statistics(nested())


@pytest.mark.parametrize(
    ("intra", "inter", "rows", "make_model", "parts"),
    [
        (1, 2, 64, plain, 2),
        (1, 4, 64, plain, 4),
        (1, 8, 64, plain, 4),  # 16 rows a part at least
        (1, 2, 31, plain, 1),
        (1, 2, 0, plain, 1),
        (1, 0, 64, plain, 3),  # TensorFlow's default is all cores
        (0, 2, 64, plain, 1),  # each operation is spread already
        (2, 2, 64, plain, 1),
        (1, 2, 64, nested, 1),  # the rows depend on each other
    ],
)
def test_choose_parts(monkeypatch, intra, inter, rows, make_model, parts):
    """As many parts as can run side by side, none too small, one where a batch must stay whole."""
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: intra)
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: inter)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert choose_parts(make_model(), rows) == parts
    # Without training the statistics are constants, and the rows have nothing to do with others.
    assert choose_parts(make_model(), rows, training=False) == (
        2 if make_model is nested else parts
    )


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "schedule": "one_cycle", "global_clipnorm": 0.2, "ema_momentum": 0.9},
        pytest.param(
            {
                "optimizer": "adamw",
                "weight_decay": 1.0,
                "learning_rate": 0.01,
                "label_smoothing": 0.1,
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["average", "decay"],
)
def test_two_devices_train_as_one(mnist5k, tmp_path, options):
    """A mirrored strategy over two devices gives the numbers of one, within rounding."""
    images, labels = mnist5k.train_images[:97], mnist5k.train_labels[:97]
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    program = pathlib.Path(__file__).with_name("two_devices.py")
    root = str(pathlib.Path(rnn_mnist_tf.__file__).parents[1])
    subprocess.run(
        [sys.executable, program, tmp_path, json.dumps(options)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-5, err_msg=name)
