"""The directory of a run: whose it is, what is in it, and what may not be lost."""

import errno
import json
import os
import shutil
import tempfile

import numpy as np
import pytest

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training import TrainConfig, Trainer, files
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.workdir import (
    RunDescription,
    load_model,
    open_workdir,
    read_description,
    read_result,
)
from tests.files import contents

DESCRIPTION = RunDescription(TrainConfig(num_units=4), (6, 5), ["zero", "one", "two"])
RUN_FILES = [
    "config.json",
    "metrics.jsonl",
    "result.json",
    "model.weights.h5",
    "model.weights.h5.sha256",
    "confusion_matrix.png",
]


def assert_refused(function, *arguments, words=(), **options):
    """The call is an `InputError` of one line with the words."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert [word for word in words if str(word) not in message] == []


def test_a_run_holds_its_files(trained):
    """A complete run has every file that the layout names, and checkpoints."""
    assert sorted(RUN_FILES) == sorted(path.name for path in trained.iterdir() if path.is_file())
    assert list((trained / "checkpoints").glob("step-*.npz"))


def test_a_new_directory(tmp_path):
    """The directory is made, parents too, and says which run it holds."""
    workdir = open_workdir(tmp_path / "deep" / "run", DESCRIPTION)
    assert read_description(workdir) == DESCRIPTION
    assert list(contents(workdir)) == ["config.json"]


def test_the_same_run_again(workdir, small_config, digits):
    """The same configuration finds its run, and changes nothing."""
    before = contents(workdir)
    description = RunDescription(
        small_config, digits.image_shape, digits.class_names, digits.digest
    )
    assert open_workdir(str(workdir), description) == workdir
    assert contents(workdir) == before


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (DESCRIPTION._replace(config=TrainConfig(num_units=5)), ["num_units: 5, not 4"]),
        (DESCRIPTION._replace(config=TrainConfig(num_units=4, seed=1)), ["seed: 1, not 0"]),
        (DESCRIPTION._replace(image_shape=(6, 6)), ["image_shape: (6, 6), not (6, 5)"]),
        (DESCRIPTION._replace(data_digest="other"), ["other training images or labels"]),
    ],
)
def test_another_run_is_refused(tmp_path, description, words):
    """The error says what differs and offers --overwrite; the run is untouched."""
    workdir = open_workdir(tmp_path / "run", DESCRIPTION)
    (workdir / "result.json").write_text("{}")
    before = contents(workdir)
    words = [*words, workdir, "--overwrite"]
    assert_refused(open_workdir, workdir, description, words=words)
    assert contents(workdir) == before


def test_overwrite_deletes_the_run_and_nothing_else(workdir):
    """The user's own files beside a run survive."""
    (workdir / "notes.txt").write_text("mine")
    open_workdir(workdir, DESCRIPTION, overwrite=True)
    assert sorted(contents(workdir)) == ["config.json", "notes.txt"]
    assert read_description(workdir) == DESCRIPTION
    assert not (workdir / "checkpoints").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_a_killed_run_left_goes(workdir, overwrite):
    """A half of a file that was being written is deleted by whoever goes on, or begins anew."""
    (workdir / "result.json").unlink()  # not complete
    (workdir / ".model.weights-a1b2c3d4.h5").touch()
    (workdir / ".model.weights-a1b2c3d4.weights.h5").touch()  # which Keras writes first
    open_workdir(workdir, read_description(workdir), overwrite)
    assert not [name for name in contents(workdir) if name.startswith(".")]


def test_overwriting_that_breaks_off_does_not_free_the_directory(workdir, monkeypatch):
    """While checkpoints of the old run are left, so is the configuration they belong to."""
    held = read_description(workdir)

    def rmtree(*_, **__):
        raise OSError("interrupted")

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert_refused(open_workdir, workdir, DESCRIPTION, overwrite=True, words=["interrupted"])
    assert list((workdir / "checkpoints").iterdir())
    assert read_description(workdir) == held


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["/proc/run", "file/run", "file"])
def test_a_place_that_cannot_be_written(tmp_path, place, overwrite):
    """A read-only file system or a file in the way is named, and a file is left as it is."""
    (tmp_path / "file").write_text("mine")
    workdir = tmp_path / place
    assert_refused(open_workdir, workdir, DESCRIPTION, overwrite=overwrite, words=[workdir])
    assert contents(tmp_path) == {"file": b"mine"}


def test_a_run_that_can_no_longer_be_written_is_refused_at_once(tmp_path, monkeypatch):
    """Going on in a directory that has become read-only fails before any training."""
    workdir = open_workdir(tmp_path / "run", DESCRIPTION)

    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert_refused(open_workdir, workdir, DESCRIPTION, words=[workdir])


@pytest.mark.parametrize("function", [read_description, load_model])
def test_no_run(tmp_path, function):
    """A missing or empty directory is named, with what would make a run."""
    words = ["config.json", "rnn_mnist_tf.train"]
    assert_refused(function, tmp_path / "none", words=[tmp_path / "none", *words])
    assert_refused(function, tmp_path, words=[tmp_path, *words])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"config": {"epochs": 0}, "image_shape": [6, 5], "class_names": ["a", "b"]}',
        '{"config": {"colour": 1}, "image_shape": [6, 5], "class_names": ["a", "b"]}',
        '{"config": [], "image_shape": [6, 5], "class_names": ["a", "b"]}',
        '{"config": {}, "image_shape": 6, "class_names": ["a", "b"]}',
        '{"config": {}, "image_shape": [6, 5]}',
        "\udcff",
    ],
)
def test_damaged_config(workdir, text):
    """Whatever `config.json` holds that is no configuration, the error names the file."""
    (workdir / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    for function in (read_description, load_model):
        assert_refused(function, workdir, words=[workdir / "config.json"])
    assert_refused(open_workdir, workdir, DESCRIPTION, words=[workdir / "config.json"])


def test_a_config_of_another_model(workdir):
    """Weights that do not fit the model of `config.json` are refused by name."""
    values = json.loads((workdir / "config.json").read_text())
    values["config"]["num_units"] = 17
    (workdir / "config.json").write_text(json.dumps(values))
    assert_refused(load_model, workdir, words=[workdir / "model.weights.h5"])


def test_load_model(trained, small_config, digits):
    """The model is the one that was trained: its logits on the test digits give the result."""
    model, description = load_model(trained)
    assert description.config == small_config
    assert description.image_shape == (28, 28)
    assert description.class_names == digits.class_names
    predicted = np.argmax(model(digits.test_images), axis=1)
    errors = int(np.sum(predicted != digits.test_labels))
    assert read_result(trained)["test_errors"] == errors


@pytest.mark.parametrize("name", ["model.weights.h5", "model.weights.h5.sha256"])
def test_missing_weights(workdir, name):
    """A run without weights, or without their sha256, is not complete."""
    (workdir / name).unlink()
    assert_refused(load_model, workdir, words=[workdir, "not complete", "train"])


@pytest.mark.parametrize("damage", ["changed", "truncated", "longer", "empty"])
def test_weights_that_fail_their_sha256(workdir, damage):
    """Any change of the file is found before Keras reads it."""
    path = workdir / "model.weights.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "changed": content,
        "truncated": content[:-1],
        "longer": content + b"\0",
        "empty": b"",
    }
    path.write_bytes(damaged[damage])
    assert_refused(load_model, workdir, words=[path, "sha256"])


@pytest.mark.parametrize("text", ["", "\n", "0" * 64, "model.weights.h5"])
def test_sha256_that_fails_its_weights(workdir, text):
    """So is a sha256 that is not of this file."""
    (workdir / "model.weights.h5.sha256").write_text(text)
    assert_refused(load_model, workdir, words=[workdir / "model.weights.h5", "sha256"])


def test_weights_that_are_no_weights(workdir):
    """A file with the right sha256 and the wrong content is an `InputError` all the same."""
    path = workdir / "model.weights.h5"
    path.write_bytes(b"not HDF5")
    (workdir / "model.weights.h5.sha256").write_text(f"{files.sha256(path)}  {path.name}\n")
    assert_refused(load_model, workdir, words=[path])


@pytest.mark.parametrize(
    "error",
    [
        OSError("No space left on device"),
        # h5py's, where it closes a file on a full disk
        RuntimeError("Can't decrement id ref count (error message = 'No space left on device')"),
    ],
    ids=["OSError", "RuntimeError"],
)
def test_a_write_that_breaks_leaves_the_old_weights(workdir, monkeypatch, error):
    """A run's weights are replaced whole or not at all."""
    model, _ = load_model(workdir)
    before = contents(workdir)

    def save_weights(path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(model, "save_weights", save_weights)
    with pytest.raises(OSError, match="No space"):
        workdirs.save_weights(workdir, model)
    assert contents(workdir) == before


def test_weights_are_weights_alone(tmp_path, digits):
    """The state of the optimizer, twice as much again for Adam, stays in the checkpoints."""
    config = TrainConfig(cell="gru", num_units=64, num_layers=1, epochs=1)
    trainer = Trainer(config, digits.train_images[:64], digits.train_labels[:64], 10)
    trainer.fit()
    workdirs.save_weights(tmp_path, trainer.model)
    size = (tmp_path / "model.weights.h5").stat().st_size
    assert 1 <= size / (4 * trainer.model.count_params()) < 1.5
    assert trainer.model.optimizer is trainer.optimizer


def test_result(trained, tmp_path):
    """No result is None, a whole one is what was written."""
    assert read_result(tmp_path) is None
    result = read_result(trained)
    workdirs.write_result(tmp_path, result)
    assert read_result(tmp_path) == result


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "property name"),
        ("[1]", "sequence"),
        ("1", "int"),
        ("{}", "test_accuracy, test_examples"),
    ],
)
def test_a_damaged_result(tmp_path, text, word):
    """An error that names the file and what is wrong."""
    (tmp_path / "result.json").write_text(text)
    assert_refused(read_result, tmp_path, words=[tmp_path / "result.json", word])


def test_metrics(tmp_path):
    """One line of JSON an epoch, the whole history each time."""
    workdirs.write_metrics(tmp_path, [{"epoch": 1}])
    workdirs.write_metrics(tmp_path, [{"epoch": 1}, {"epoch": 2}])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"epoch": 1}, {"epoch": 2}]
