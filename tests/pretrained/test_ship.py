"""What is shipped of a run, and what is not."""

import dataclasses
import json
import shutil

import pytest

from rnn_mnist_tf.pretrained import pretrained_names, ship
from rnn_mnist_tf.training.workdir import read_description
from tests.doors import Answer, assert_refused
from tests.files import contents
from tests.test_evaluate import change_config

FILES = {"config.json", "result.json", "model.weights.h5", "model.weights.h5.sha256"}


@pytest.fixture
def call_ship(capsys):
    """Returns a function that runs the program in this process."""

    def call(*arguments):
        capsys.readouterr()
        code = ship.cli(["ship", *map(str, arguments)])
        return Answer(code, *capsys.readouterr())

    return call


def test_what_is_shipped(call_ship, shelf, trained):
    """Four files: the run's own but for where its data lay, and no word of any place."""
    answer = call_ship(f"--workdir={trained}", "--name=small")
    assert (answer.code, answer.err) == (0, "")
    assert str(shelf / "small") in answer.out
    found = contents(shelf / "small")
    assert set(found) == FILES
    for name in FILES - {"config.json"}:
        assert json_or_bytes(found[name]) == json_or_bytes((trained / name).read_bytes())
    held, description = read_description(trained), read_description(shelf / "small")
    assert held.config.tfds_dir != ""
    assert description == held._replace(config=dataclasses.replace(held.config, tfds_dir=""))
    for name in FILES - {"model.weights.h5"}:
        assert b"tmp" not in found[name]
        assert str(trained.parent).encode() not in found[name]
    assert pretrained_names() == ["small"]


def json_or_bytes(content):
    """JSON as values, whatever its layout; other files as they are."""
    try:
        return json.loads(content)
    except ValueError:
        return content


@pytest.mark.parametrize(
    ("of_run", "flags", "shipped"),
    [
        ("idx", [], "mnist"),
        ("idx", ["--dataset=kmnist"], "kmnist"),
        ("mnist5k", [], "mnist5k"),
        ("mnist5k", ["--dataset=kmnist"], "mnist5k"),
    ],
)
def test_the_data_has_a_name(call_ship, shelf, workdir, of_run, flags, shipped):
    """Files that others do not have become the data set that they hold; a name stays."""
    change_config(workdir, dataset=of_run, data_dir="/my/files" if of_run == "idx" else "")
    assert call_ship(f"--workdir={workdir}", "--name=small", *flags).code == 0
    config = read_description(shelf / "small").config
    assert (config.dataset, config.data_dir, config.tfds_dir) == (shipped, "", "")


def test_again(shelf, workdir):
    """The same run is the same again; another one takes its place; others stay."""
    ship.run(workdir, "other")
    before = contents(ship.run(workdir, "small"))
    assert contents(ship.run(workdir, "small")) == before
    change_config(workdir, pixel_offset=0.5)
    after = contents(ship.run(workdir, "small"))
    assert after.pop("config.json") != before.pop("config.json")
    assert after == before
    assert read_description(shelf / "small").config.pixel_offset == 0.5
    assert read_description(shelf / "other").config.pixel_offset == 0
    assert pretrained_names() == ["other", "small"]


@pytest.mark.parametrize("copied", [0, 1])
def test_a_full_disk(call_ship, shipped, workdir, monkeypatch, copied):
    """One line; nothing half-written, no mixture of two models; the next attempt mends it."""
    copyfile, done = shutil.copyfile, []

    def fill(source, target):
        if len(done) == copied:
            target.write_bytes(b"half")
            raise OSError("no space left")
        done.append(copyfile(source, target))

    before = contents(shipped)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", fill)
        answer = call_ship(f"--workdir={workdir}", "--name=small")
    assert_refused(answer, 1, "ship: error: ", str(shipped), "no space left")
    assert pretrained_names() == []
    assert contents(shipped).items() < before.items()
    assert contents(ship.run(workdir, "small")) == before


def test_weights_that_are_too_large(call_ship, shelf, trained, monkeypatch):
    """The package stays small: up to the limit, and no byte beyond."""
    size = (trained / "model.weights.h5").stat().st_size
    monkeypatch.setattr(ship, "LARGEST", size - 1)
    answer = call_ship(f"--workdir={trained}", "--name=small")
    assert_refused(answer, 1, f"{size} bytes", f"at most {size - 1}")
    assert list(shelf.iterdir()) == []
    monkeypatch.setattr(ship, "LARGEST", size)
    assert call_ship(f"--workdir={trained}", "--name=small").code == 0


@pytest.mark.parametrize("name", ["", "a/b", "../up", "1st", "two words", ".hidden", "__pycache__"])
def test_names_that_are_none(call_ship, shelf, trained, name):
    """One line that shows it; nothing is written."""
    assert_refused(call_ship(f"--workdir={trained}", f"--name={name}"), 1, repr(name))
    assert list(shelf.iterdir()) == []


def test_runs_that_cannot_be_shipped(call_ship, shelf, workdir, tmp_path):
    """None, none there, one without a result, one whose weights were changed: one line each."""
    assert_refused(call_ship("--name=small"), 1, "--workdir")
    assert_refused(call_ship(f"--workdir={tmp_path / 'none'}", "--name=small"), 1, "config.json")
    result = (workdir / "result.json").read_text()
    (workdir / "result.json").unlink()
    assert_refused(call_ship(f"--workdir={workdir}", "--name=small"), 1, "not complete")
    (workdir / "result.json").write_text(result)
    weights = workdir / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert_refused(call_ship(f"--workdir={workdir}", "--name=small"), 1, str(weights), "sha256")
    assert list(shelf.iterdir()) == []


def test_a_place_that_is_taken(call_ship, shelf, trained):
    """A file of the model's name is left alone."""
    (shelf / "small").write_text("mine")
    assert_refused(call_ship(f"--workdir={trained}", "--name=small"), 1, str(shelf / "small"))
    assert (shelf / "small").read_text() == "mine"
