"""What many tests share: real digits, a small trained run, the doors here and as programs."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

# As the programs have it, whose numbers tests compare with their own; TensorFlow reads it once.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import pytest
import tensorflow as tf

import rnn_mnist_tf
from rnn_mnist_tf import evaluate, export, predict, pretrained, train
from rnn_mnist_tf.data import load_dataset
from rnn_mnist_tf.pretrained import ship
from rnn_mnist_tf.training import TrainConfig
from rnn_mnist_tf.training.strategy import configure_threads
from tests.doors import Answer

DOORS = {"train": train, "evaluate": evaluate, "predict": predict, "export": export}

tf.get_logger().setLevel("ERROR")  # it warns of many graphs, which one process has in tests alone
configure_threads()  # what every door does first, and only possible before TensorFlow's first work


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    """Random weights are the same in every run of a test."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory):
    """Where this session's data sets are prepared."""
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="session")
def mnist5k(tfds_dir):
    """The 5,000 real digits."""
    return load_dataset("mnist5k", tfds_dir=tfds_dir)


@pytest.fixture(scope="session")
def digits(mnist5k):
    """600 real digits to train on and 200 to test."""
    return mnist5k._replace(
        train_images=mnist5k.train_images[:600],
        train_labels=mnist5k.train_labels[:600],
        test_images=mnist5k.test_images[:200],
        test_labels=mnist5k.test_labels[:200],
    )


@pytest.fixture(scope="session")
def small_config(tfds_dir):
    """The configuration of a run that takes a second."""
    return TrainConfig(
        tfds_dir=tfds_dir,
        cell="gru",
        num_units=16,
        num_layers=1,
        epochs=1,
        batch_size=32,
        learning_rate=0.01,
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory, small_config, digits):
    """The directory of a complete small run, not to be changed."""
    workdir = tmp_path_factory.mktemp("runs") / "small"
    train.run(small_config, workdir, dataset=digits)
    return workdir


@pytest.fixture
def workdir(trained, tmp_path):
    """A copy of the small run, to be changed at will."""
    return pathlib.Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty directory in place of the one with the models that come with the package."""
    directory = tmp_path / "shelf"
    directory.mkdir()
    monkeypatch.setattr(pretrained, "DIRECTORY", directory)
    return directory


@pytest.fixture
def shipped(shelf, trained):
    """The directory of the small run, shipped as `small`."""
    return ship.run(trained, "small")


@pytest.fixture
def call(capsys):
    """Returns a function that runs a door in this process: `call('train', '--seed=1')`."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call_door(name, *arguments):
        capsys.readouterr()
        code = DOORS[name].cli([name, *map(str, arguments)])
        return Answer(code, *capsys.readouterr())

    yield call_door
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def start():
    """Returns a function that starts a door as a program: `start('train', '--seed=1')`."""
    programs = []
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(rnn_mnist_tf.__file__).parents[1])}
    environment.pop("PYTHONUNBUFFERED", None)

    def start_door(name, *arguments):
        program = subprocess.Popen(
            [sys.executable, "-m", f"rnn_mnist_tf.{name}", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        programs.append(program)
        return program

    yield start_door
    for program in programs:
        if program.poll() is None:
            program.kill()
        program.wait()
