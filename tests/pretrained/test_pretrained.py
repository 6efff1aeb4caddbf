"""Trained models by name, and those that really come with the package."""

import hashlib
import json
import pathlib

import numpy as np
import pytest

import rnn_mnist_tf
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import find_run, pretrained_names
from rnn_mnist_tf.training.workdir import load_model
from tests.doors import assert_refused

HOME = pathlib.Path(rnn_mnist_tf.__file__).parent / "pretrained"


def test_names(shelf):
    """Whole models in alphabetical order; what has no configuration is none."""
    for name in ("b", "a", ".hidden", "__pycache__"):
        (shelf / name).mkdir()
        (shelf / name / "config.json").touch()
    (shelf / "half").mkdir()
    (shelf / "ship.py").touch()
    assert pretrained_names() == ["a", "b"]


def test_a_run_is_found_by_place_or_by_name(shipped):
    """Whether the place is there is for its reader to say."""
    assert find_run("some/where") == pathlib.Path("some/where")
    assert find_run(pretrained="small") == shipped
    for arguments in ([], ["some/where", "small"], ["", "../small"], ["", "small/"]):
        with pytest.raises(InputError, match="small"):
            find_run(*arguments)


@pytest.mark.parametrize("door", ["predict", "evaluate", "export"])
def test_what_is_no_name(call, shipped, tmp_path, door):
    """Both, neither, an unknown name: one line with the names that there are."""
    output = [f"--output={tmp_path / 'served'}"] if door == "export" else []
    for flags, word in (
        ([], "no workdir"),
        ([f"--workdir={shipped}", "--pretrained=small"], "both"),
        (["--pretrained=large"], "'large'"),
    ):
        answer = call(door, *flags, *output)
        assert_refused(answer, 1, f"{door}: error: ", word, "one of small")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("door", ["predict", "evaluate", "export"])
def test_damaged_weights(call, shipped, tmp_path, door):
    """One line with the file, and no answer."""
    weights = shipped / "model.weights.h5"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    arguments = {"export": [f"--output={tmp_path / 'served'}"], "predict": ["digit.png"]}
    answer = call(door, "--pretrained=small", *arguments.get(door, []))
    assert_refused(answer, 1, f"{door}: error: ", str(weights), "sha256")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("name", pretrained_names())
def test_models_of_the_package(name, mnist5k):
    """Undamaged, measured on 10,000 images, from nowhere in particular, and they read digits."""
    directory = HOME / name
    (digest, file) = (directory / "model.weights.h5.sha256").read_text().split()
    assert hashlib.sha256((directory / file).read_bytes()).hexdigest() == digest
    result = json.loads((directory / "result.json").read_text())
    assert result["test_examples"] == 10_000
    assert result["test_accuracy"] == pytest.approx(1 - result["test_errors"] / 10_000)
    model, description = load_model(directory)
    assert (description.config.data_dir, description.config.tfds_dir) == ("", "")
    assert description.config.dataset != "idx"
    assert model.count_params() == result["parameters"]
    images, labels = mnist5k.test_images[::5], mnist5k.test_labels[::5]
    assert np.mean(np.argmax(model(images), axis=1) == labels) >= 0.95
