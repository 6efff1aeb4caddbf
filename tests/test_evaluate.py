"""The evaluate door: a recount of all test images, warnings, mistakes."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from rnn_mnist_tf import evaluate, train
from rnn_mnist_tf.data import training_subset, validation_split
from rnn_mnist_tf.pretrained import ship
from rnn_mnist_tf.training.workdir import load_model, read_description
from tests.data.test_idx import write
from tests.doors import assert_refused


@pytest.fixture(scope="module")
def recount(trained, mnist5k):
    """Labels and predictions of all 1,000 test digits."""
    model, _ = load_model(trained)
    return mnist5k.test_labels, np.argmax(model.predict(mnist5k.test_images, verbose=0), axis=1)


def train_on_idx(tmp_path_factory, config, dataset):
    """Writes a data set into the four files of MNIST, trains on them, and returns the workdir."""
    directory = tmp_path_factory.mktemp("idx")
    parts = ("train_images", "train_labels", "test_images", "test_labels")
    write(directory, {part: getattr(dataset, part) for part in parts}, ("train_images",))
    values = {**vars(config), "dataset": "idx", "data_dir": str(directory), "tfds_dir": ""}
    workdir = tmp_path_factory.mktemp("runs") / "idx"
    train.run(type(config)(**values), workdir)
    return workdir


@pytest.fixture(scope="module")
def mnist(digits, mnist5k):
    """A data set that trains, as MNIST does, on test digits of mnist5k: 100, its last ones."""
    images = np.concatenate([digits.train_images, mnist5k.test_images[400:500]])
    labels = np.concatenate([digits.train_labels, mnist5k.test_labels[400:500]])
    return digits._replace(train_images=images, train_labels=labels)


@pytest.fixture(scope="module")
def trained_on_mnist(tmp_path_factory, small_config, mnist):
    """A run on IDX files with test digits of mnist5k."""
    return train_on_idx(tmp_path_factory, small_config, mnist)


@pytest.fixture(scope="module")
def trained_on_other_digits(tmp_path_factory, small_config, digits):
    """A run on IDX files with none of the test digits of mnist5k."""
    return train_on_idx(tmp_path_factory, small_config, digits)


def test_json_is_a_recount(call, trained, recount):
    """Accuracy over exactly all examples, precision and recall of each class."""
    answer = call("evaluate", f"--workdir={trained}", "--json")
    assert answer.code == 0
    scores = json.loads(answer.out)
    assert answer.err == f"evaluate: warning: {scores['warnings'][0]}\n"
    labels, predicted = recount
    assert scores["accuracy"] == np.mean(labels == predicted)
    assert (scores["examples"], scores["errors"]) == (1000, np.sum(labels != predicted))
    assert (scores["dataset"], len(scores["warnings"])) == ("mnist5k", 1)
    assert "other training images" in scores["warnings"][0]  # it was trained on some of them
    for digit, line in enumerate(scores["classes"]):
        hits = np.sum((labels == digit) & (predicted == digit))
        guesses = np.sum(predicted == digit)
        assert line["name"] == str(digit)
        assert line["examples"] == 100
        assert line["recall"] == pytest.approx(hits / 100)
        assert line["precision"] == pytest.approx(hits / guesses if guesses else 0)


def test_the_table(call, trained, recount):
    """For people: the accuracy, then a line a class."""
    labels, predicted = recount
    answer = call("evaluate", f"--workdir={trained}", "--dataset=mnist5k")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith(f"accuracy {np.mean(labels == predicted):.4f} over 1000 examples")
    assert [line.split()[0] for line in lines[2:]] == list("0123456789")


def test_the_run_s_own_data(call, trained_on_mnist, digits):
    """Without --dataset the run's own test part is read: here from its IDX files."""
    answer = call("evaluate", f"--workdir={trained_on_mnist}", "--json")
    scores = json.loads(answer.out)
    model, _ = load_model(trained_on_mnist)
    predicted = np.argmax(model(digits.test_images), axis=1)
    assert (answer.code, answer.err) == (0, "")
    assert scores["examples"] == 200
    assert scores["accuracy"] == np.mean(predicted == digits.test_labels)
    assert scores["warnings"] == []


@pytest.mark.parametrize("dataset", ["mnist", "mnist:3.0.1"])
@pytest.mark.parametrize("name", ["mnist5k", "mnist5k:1.0.0"])
def test_a_model_of_mnist_has_seen_mnist5k(workdir, mnist5k, dataset, name):
    """The warning says so, for every name that both have."""
    change_config(workdir, dataset=dataset)
    scores = evaluate.run(workdir, dataset=mnist5k._replace(name=name))
    assert len(scores["warnings"]) == 1
    assert "MNIST" in scores["warnings"][0]


def test_idx_files_that_hold_the_images(trained_on_mnist, mnist, mnist5k):
    """The warning has the number of those that were trained on, of the 100 in the files."""
    (warning,) = evaluate.run(trained_on_mnist, dataset=mnist5k)["warnings"]
    held, labels = read_description(trained_on_mnist).config, mnist.train_labels
    train, _ = validation_split(labels, held.validation_fraction, held.seed)
    assert f"at least {np.sum(train >= len(labels) - 100)} of these 1000 images" in warning


def test_images_that_were_not_trained_on(tmp_path_factory, small_config, mnist, mnist5k):
    """Of the files' images only those count that the model was trained on."""
    labels = mnist.train_labels
    config = dataclasses.replace(small_config, train_examples=20, validation_fraction=0.5)
    workdir = train_on_idx(tmp_path_factory, config, mnist)
    warnings = evaluate.run(workdir, dataset=mnist5k)["warnings"]
    train, _ = validation_split(labels, 0.5, config.seed)
    seen = training_subset(labels, train, 20, config.seed) >= len(labels) - 100
    assert 0 < seen.sum() < 20
    assert f"at least {seen.sum()} of these 1000 images" in warnings[0]


def test_data_that_was_replaced(tmp_path_factory, small_config, digits, mnist5k):
    """Who asks about the run's own data, which is another one by now, is told so."""
    workdir = train_on_idx(tmp_path_factory, small_config, digits)
    assert evaluate.run(workdir)["warnings"] == []
    directory = read_description(workdir).config.data_dir
    parts = ("train_images", "train_labels", "test_images", "test_labels")
    write(pathlib.Path(directory), {"test_labels": np.roll(digits.test_labels, 1)})
    (warning,) = evaluate.run(workdir)["warnings"]
    assert "other test images" in warning
    write(pathlib.Path(directory), {part: getattr(mnist5k, part)[::10] for part in parts})
    (pathlib.Path(directory) / "train-images-idx3-ubyte.gz").unlink(missing_ok=True)
    (warning,) = evaluate.run(workdir)["warnings"]
    assert "other training images" in warning
    assert evaluate.run(workdir, data_dir=directory)["warnings"] == []  # as it was asked for


def test_idx_files_without_the_images(trained_on_other_digits, mnist5k):
    """Who was trained on other digits is not warned."""
    assert evaluate.run(trained_on_other_digits, dataset=mnist5k)["warnings"] == []


@pytest.mark.parametrize("change", ["gone", "others"])
def test_idx_files_that_say_nothing(trained_on_mnist, tmp_path, mnist5k, digits, change):
    """Where the files are no longer there, or no longer those of the run, the warning is an if."""
    workdir = shutil.copytree(trained_on_mnist, tmp_path / "run")
    directory = tmp_path / "idx"
    directory.mkdir()
    if change == "others":
        parts = ("train_images", "train_labels", "test_images", "test_labels")
        write(directory, {part: getattr(digits, part) for part in parts})
    change_config(workdir, data_dir=str(directory))
    (warning,) = evaluate.run(workdir, dataset=mnist5k)["warnings"]
    assert "if the IDX files are MNIST" in warning


def test_a_model_of_other_things_has_not(workdir, mnist5k):
    """A model trained on other digits meets new ones."""
    change_config(workdir, dataset="kmnist")
    assert evaluate.run(workdir, dataset=mnist5k)["warnings"] == []


def change_config(workdir, **values):
    """Changes fields of a run's configuration."""
    path = workdir / "config.json"
    content = json.loads(path.read_text())
    content["config"].update(values)
    path.write_text(json.dumps(content))


def test_places_are_those_of_the_training(call, monkeypatch, tmp_path, trained_on_other_digits):
    """A run that was given relative directories is evaluated from anywhere."""
    held = read_description(trained_on_other_digits).config
    here = pathlib.Path(held.data_dir)
    monkeypatch.chdir(here.parent)
    small = ["--cell=basic_rnn", "--num_units=2", "--num_layers=1", "--epochs=1", "--noprogress"]
    places = [f"--data_dir={here.name}", "--tfds_dir=data", f"--workdir={tmp_path}"]
    assert call("train", "--dataset=idx", *places, *small).code == 0
    config = read_description(tmp_path).config
    assert (config.data_dir, config.tfds_dir) == (str(here), str(here.parent / "data"))
    monkeypatch.chdir("/")
    answer = call("evaluate", f"--workdir={tmp_path}")
    assert (answer.code, answer.err) == (0, "")
    assert "over 200 examples" in answer.out
    assert call("export", f"--workdir={tmp_path}", f"--output={tmp_path / 'served'}").code == 0


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_warning_is_for_stderr(call, trained_on_mnist, tfds_dir, flags):
    """One line, which does not get in the way of the answer."""
    answer = call(
        "evaluate",
        f"--workdir={trained_on_mnist}",
        "--dataset=mnist5k",
        f"--tfds_dir={tfds_dir}",
        *flags,
    )
    assert answer.code == 0
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("evaluate: warning: ")
    if flags:
        scores = json.loads(answer.out)
        assert (scores["examples"], len(scores["warnings"])) == (1000, 1)


def test_data_that_does_not_fit(trained, digits):
    """Images of another size and another number of classes are refused with both numbers."""
    cut = digits._replace(train_images=digits.train_images[:, 1:])
    with pytest.raises(ValueError, match=r"\(27, 28\).*\(28, 28\)"):
        evaluate.run(trained, dataset=cut)
    more = digits._replace(class_names=[*digits.class_names, "ten"])
    with pytest.raises(ValueError, match=r"11 classes.*10"):
        evaluate.run(trained, dataset=more)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=no_such_set"], ["no_such_set", "mnist5k"]),
        (["--dataset=idx"], ["--data_dir"]),
        (["--dataset=idx", "--data_dir=/none"], ["/none"]),
        (["--dataset=mnist5k", "--data_dir=/none"], ["--dataset=idx"]),
    ],
)
def test_wrong_data(call, trained, arguments, words):
    """One line, exit code 1."""
    answer = call("evaluate", f"--workdir={trained}", *arguments)
    assert_refused(answer, 1, "evaluate: error: ", *words)


def test_wrong_workdirs(call, workdir, tmp_path):
    """Missing, changed and incomplete runs are one line each."""
    assert_refused(call("evaluate", f"--workdir={tmp_path / 'none'}"), 1, "none", "config.json")
    weights = workdir / "model.weights.h5"
    weights.write_bytes(weights.read_bytes() + b"\0")
    assert_refused(call("evaluate", f"--workdir={workdir}"), 1, str(weights), "sha256")
    weights.unlink()
    assert_refused(call("evaluate", f"--workdir={workdir}"), 1, str(workdir), "not complete")
    (workdir / "config.json").write_text("{")
    assert_refused(call("evaluate", f"--workdir={workdir}"), 1, str(workdir / "config.json"))


def test_a_pretrained_model(call, shelf, workdir, tfds_dir, recount):
    """On the embedded digits, since its own data may not be here; what it had there is said."""
    held = json.loads((workdir / "result.json").read_text())
    change_config(workdir, dataset="idx", data_dir="/none", tfds_dir="/none")
    ship.run(workdir, "small")
    answer = call("evaluate", "--pretrained=small", f"--tfds_dir={tfds_dir}", "--json")
    assert answer.code == 0
    scores = json.loads(answer.out)
    assert (scores["dataset"], scores["examples"]) == ("mnist5k", 1000)
    assert scores["accuracy"] == np.mean(recount[0] == recount[1])
    warning, shipped = answer.err.splitlines()
    assert "MNIST training images" in warning
    words = ["small was trained on mnist", f"accuracy {held['test_accuracy']:.4f}", "200 test"]
    assert [word for word in words if word not in shipped] == []


def test_a_pretrained_model_on_other_data(call, shipped, tmp_path, digits):
    """A data set that is named is the one that is read."""
    names = ("train_images", "train_labels", "test_images", "test_labels")
    write(tmp_path, {name: getattr(digits, name)[:50] for name in names})
    idx = ["--dataset=idx", f"--data_dir={tmp_path}"]
    answer = call("evaluate", "--pretrained=small", *idx)
    assert answer.code == 0
    assert "over 50 examples" in answer.out
