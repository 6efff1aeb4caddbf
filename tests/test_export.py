"""The export door: a SavedModel that needs nothing of this package."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from rnn_mnist_tf import export
from rnn_mnist_tf.pretrained import ship
from rnn_mnist_tf.serving import saved_model
from rnn_mnist_tf.training.workdir import load_model
from tests.data.test_idx import NAMES, write
from tests.doors import assert_refused
from tests.test_evaluate import change_config

SERVE = """
import importlib.abc, importlib.machinery, sys
import numpy as np

class Refused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        refused = name.split(".")[0] in ("rnn_mnist_tf", "keras")
        return importlib.machinery.ModuleSpec(name, self) if refused else None

    def exec_module(self, module):
        raise ImportError("refused")

sys.meta_path.insert(0, Refused())
for name in ("rnn_mnist_tf", "keras"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} can be imported")

import tensorflow as tf

directory, images_path, answers_path = sys.argv[1:]
images = np.load(images_path)
serve = tf.saved_model.load(directory).signatures["serving_default"]
answers = {}
for batch in (0, 1, 7, len(images)):
    for name, value in serve(images=tf.constant(images[:batch])).items():
        answers[f"{name} {batch}"] = value.numpy()
np.savez(answers_path, **answers)
"""


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory, mnist5k):
    """The small run's SavedModel, and what the export said of it."""
    output = tmp_path_factory.mktemp("exported") / "served"
    return output, export.run(trained, output, dataset=mnist5k)


def test_what_the_export_says(exported):
    """Where it is, on how many images it was checked, by how much it differed at most."""
    output, said = exported
    assert said["output"] == str(output)
    assert said["checked"] == 1000
    assert 0 <= said["largest_difference"] <= 1e-5


def test_answers_without_this_package_and_keras(trained, exported, mnist5k, tmp_path):
    """A process in which neither can be imported answers as the live model, on 1,000 digits."""
    np.save(tmp_path / "images.npy", mnist5k.test_images)
    arguments = [exported[0], tmp_path / "images.npy", tmp_path / "answers.npz"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = subprocess.run(
        [sys.executable, "-c", SERVE, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stderr
    logits = np.asarray(load_model(trained)[0](mnist5k.test_images), np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.argmax(logits, axis=1)
    with np.load(tmp_path / "answers.npz") as answers:
        for batch in (0, 1, 7, 1000):
            np.testing.assert_allclose(answers[f"logits {batch}"], logits[:batch], atol=1e-5)
            np.testing.assert_allclose(
                answers[f"probabilities {batch}"], probabilities[:batch], atol=1e-5
            )
            np.testing.assert_array_equal(answers[f"label {batch}"], labels[:batch])


def test_the_door(call, trained, tmp_path):
    """One line on stdout, with the place and the number of images of the run's own data."""
    answer = call("export", f"--workdir={trained}", f"--output={tmp_path / 'served'}")
    assert (answer.code, answer.err) == (0, "")
    assert len(answer.out.splitlines()) == 1
    assert str(tmp_path / "served") in answer.out
    assert "1000 images" in answer.out
    assert (tmp_path / "served" / "saved_model.pb").is_file()


def test_a_taken_output(call, trained, tmp_path):
    """What is there stays there."""
    (tmp_path / "notes.txt").write_text("mine")
    answer = call("export", f"--workdir={trained}", f"--output={tmp_path}")
    assert_refused(answer, 1, "export: error: ", str(tmp_path), "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_output_that_cannot_be_written(call, trained):
    """One line that names it."""
    answer = call("export", f"--workdir={trained}", "--output=/proc/served")
    assert_refused(answer, 1, "export: error: ", "/proc/served")


def test_a_failed_check(call, trained, tmp_path, monkeypatch):
    """One line, exit code 1, and nothing is left on disk."""
    monkeypatch.setattr(saved_model, "largest_difference", lambda *_: 0.5)
    answer = call("export", f"--workdir={trained}", f"--output={tmp_path / 'served'}")
    assert_refused(answer, 1, "export: error: ", "0.5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_export_that_is_stopped(call, trained, tmp_path, monkeypatch, number):
    """Nothing is left on disk."""

    def stopped(*_):
        assert list(tmp_path.iterdir()) != []
        signal.raise_signal(number)

    monkeypatch.setattr(saved_model, "largest_difference", stopped)
    answer = call("export", f"--workdir={trained}", f"--output={tmp_path / 'served'}")
    assert_refused(answer, 130, "export: stopped; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_size(call, workdir, digits, tmp_path):
    """One line, and nothing on disk."""
    small = {n: a[:, 4:24, 4:24] if a.ndim == 3 else a for n in NAMES for a in [getattr(digits, n)]}
    write(tmp_path, small)
    output = tmp_path / "served"
    answer = call("export", f"--workdir={workdir}", f"--data_dir={tmp_path}", f"--output={output}")
    assert_refused(answer, 1, "export: error: ", "(20, 20)", "(28, 28)")
    assert not output.exists()


def test_wrong_workdirs(call, workdir, tmp_path):
    """No run, no weights, no output: one line each, and nothing is written."""
    output = f"--output={tmp_path / 'served'}"
    assert_refused(call("export", f"--workdir={tmp_path / 'none'}", output), 1, "none")
    assert_refused(call("export", f"--workdir={workdir}"), 1, "--output")
    (workdir / "model.weights.h5").unlink()
    assert_refused(call("export", f"--workdir={workdir}", output), 1, "not complete")
    assert not (tmp_path / "served").exists()


def test_a_pretrained_model(call, shelf, workdir, tmp_path, tfds_dir):
    """It is checked on the embedded digits, whatever it was trained on."""
    change_config(workdir, dataset="idx", data_dir="/none", tfds_dir="/none")
    ship.run(workdir, "small")
    output = tmp_path / "served"
    flags = ["--pretrained=small", f"--output={output}", f"--tfds_dir={tfds_dir}"]
    answer = call("export", *flags)
    assert (answer.code, answer.err) == (0, "")
    assert f"wrote {output}; on 1000 images" in answer.out
    assert (output / "saved_model.pb").is_file()


def test_a_run_whose_data_is_not_here(call, workdir, tmp_path, tfds_dir):
    """It is checked on the data set that is named."""
    change_config(workdir, dataset="idx", data_dir="/none", tfds_dir="")
    flags = [f"--workdir={workdir}", f"--output={tmp_path / 'served'}", f"--tfds_dir={tfds_dir}"]
    answer = call("export", *flags, "--dataset=mnist5k")
    assert (answer.code, answer.err) == (0, "")
    assert "on 1000 images" in answer.out


def test_a_pretrained_model_and_files_of_one_s_own(call, shipped, digits, tmp_path):
    """Who names IDX files has it checked on those."""
    write(tmp_path, {name: getattr(digits, name) for name in NAMES})
    flags = ["--pretrained=small", f"--output={tmp_path / 'served'}", f"--data_dir={tmp_path}"]
    answer = call("export", *flags)
    assert (answer.code, answer.err) == (0, "")
    assert "on 200 images" in answer.out
