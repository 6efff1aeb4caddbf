"""The train door: what a run leaves, whose directory it is, and how it is stopped."""

import dataclasses
import json
import pathlib
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rnn_mnist_tf import train
from rnn_mnist_tf.data import validation_split
from rnn_mnist_tf.study.points import config_flags
from rnn_mnist_tf.training import checkpoint
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.files import lock
from rnn_mnist_tf.training.workdir import load_model
from tests.data.test_idx import NAMES, idx_bytes, make_arrays, write
from tests.doors import assert_refused, finish
from tests.files import contents
from tests.modes import mostly_slow


def same_weights(first, second):
    """Whether two runs ended with the same weights in every bit."""
    models = [load_model(workdir)[0].get_weights() for workdir in (first, second)]
    return all((one == other).all() for one, other in zip(*models, strict=True))


def lines_of(workdir):
    """The epochs that a run wrote down, but for the time they took."""
    lines = (pathlib.Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name != "train_seconds"}
        for line in lines
    ]


def test_the_result_is_a_recount(trained, digits):
    """The figures of `result.json` are those of the model on exactly all test digits."""
    result = json.loads((trained / "result.json").read_text())
    logits = load_model(trained)[0](digits.test_images)
    errors = int(np.sum(np.argmax(logits, axis=1) != digits.test_labels))
    assert (result["test_examples"], result["test_errors"]) == (200, errors)
    assert result["test_accuracy"] == pytest.approx(1 - errors / 200)
    # 540 of 600: a tenth is held out. GRU: (28 + 16) 48 + 48; dense: 16 10 + 10
    assert (result["train_examples"], result["epochs"], result["seed"]) == (540, 1, 0)
    assert result["parameters"] == 2160 + 170
    assert result["train_seconds"] > 0
    assert result["trace_seconds"] > 0
    assert result["images_per_second"] == pytest.approx(540 / result["train_seconds"], rel=0.2)


def test_the_metrics_are_lines_of_json(trained):
    """One an epoch, with training and validation."""
    (line,) = lines_of(trained)
    assert line["epoch"] == 1
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(line)
    result = json.loads((trained / "result.json").read_text())
    assert result["val_accuracy"] == line["val_accuracy"]


def test_the_picture_can_be_opened(trained):
    """The confusion matrix is a PNG."""
    with Image.open(trained / "confusion_matrix.png") as image:
        assert image.format == "PNG"


def test_a_complete_run_is_not_trained_again(workdir, small_config, digits):
    """The same command gives the same result, and writes nothing."""
    before = contents(workdir)
    result = train.run(small_config, workdir, dataset=digits)
    assert result == json.loads(before["result.json"])
    assert contents(workdir) == before


def test_a_run_does_not_depend_on_where_it_is(trained, tmp_path, small_config, digits):
    """A second run of the same configuration ends in the same bits."""
    train.run(small_config, tmp_path, dataset=digits, steps_per_call=3)
    assert same_weights(tmp_path, trained)
    assert lines_of(tmp_path) == lines_of(trained)


@pytest.mark.parametrize("name", ["model.weights.h5", "model.weights.h5.sha256"])
def test_lost_weights_are_made_again(workdir, trained, small_config, digits, name):
    """The command that the error of a missing file advises brings it back, from the checkpoint."""
    (workdir / name).unlink()
    train.run(small_config, workdir, dataset=digits)
    assert same_weights(workdir, trained)


def test_the_saved_weights_are_the_averaged_ones(tmp_path, small_config, digits):
    """Validation, test reading and the file agree, and the file can be made again."""
    config = dataclasses.replace(small_config, ema_momentum=0.9)
    result = train.run(config, tmp_path, dataset=digits)
    model, _ = load_model(tmp_path)
    _, held_out = validation_split(digits.train_labels, config.validation_fraction, config.seed)
    predicted = np.argmax(model(digits.train_images[held_out]), axis=1)
    assert result["val_accuracy"] == np.mean(predicted == digits.train_labels[held_out])
    predicted = np.argmax(model(digits.test_images), axis=1)
    assert result["test_errors"] == np.sum(predicted != digits.test_labels)
    before = model.get_weights()
    (tmp_path / "model.weights.h5").unlink()
    train.run(config, tmp_path, dataset=digits)
    for one, other in zip(load_model(tmp_path)[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_configuration_is_refused(call, workdir, small_config):
    """Exit code 1, one line that says what differs, and no byte of the run is lost."""
    before = contents(workdir)
    other = dataclasses.replace(small_config, num_units=17, seed=5)
    answer = call("train", *config_flags(other), f"--workdir={workdir}")
    words = ["num_units: 17, not 16", "seed: 5, not 0", str(workdir), "--overwrite"]
    assert_refused(answer, 1, "train: error: ", *words)
    assert contents(workdir) == before


def test_overwrite(workdir, trained, small_config, digits):
    """The old run is deleted, the new one is as if it had never been."""
    other = dataclasses.replace(small_config, seed=5)
    (workdir / "notes.txt").write_text("mine")
    train.run(other, workdir, dataset=digits, overwrite=True)
    assert workdirs.read_description(workdir).config == other
    assert not same_weights(workdir, trained)
    assert (workdir / "notes.txt").read_text() == "mine"
    train.run(small_config, workdir, dataset=digits, overwrite=True)
    assert same_weights(workdir, trained)


@pytest.mark.parametrize(
    "options",
    [
        {"scan": "patches", "patch_size": 5},
        {"num_proj": 3},
        {"validation_fraction": 0.999},
        {"validation_fraction": 1.0},
        {"train_examples": 541},  # a tenth of 600 is held out
    ],
)
def test_options_that_do_not_fit_cost_nothing(workdir, small_config, digits, options):
    """A mistake is found before --overwrite deletes anything."""
    before = contents(workdir)
    config = dataclasses.replace(small_config, **options)
    with pytest.raises(ValueError, match=next(reversed(options))):
        train.run(config, workdir, dataset=digits, overwrite=True)
    assert contents(workdir) == before


def test_checkpoints_of_nobody_are_not_resumed(tmp_path, small_config, digits):
    """Checkpoints without the config.json that says whose they are become nobody's weights."""
    foreign = dataclasses.replace(small_config, seed=5)
    train.run(foreign, tmp_path / "run", dataset=digits)
    (tmp_path / "run" / "config.json").unlink()
    (tmp_path / "run" / "result.json").unlink()
    try:
        train.run(small_config, tmp_path / "run", dataset=digits)
    except train.InputError:
        return
    train.run(small_config, tmp_path / "fresh", dataset=digits)
    assert same_weights(tmp_path / "run", tmp_path / "fresh")


def test_a_run_killed_before_its_last_line_gets_it(tmp_path, monkeypatch, small_config, digits):
    """Between checkpoint and metrics there is a moment; the same command makes up for it."""
    config = dataclasses.replace(small_config, epochs=2)
    write_metrics = workdirs.write_metrics

    def killed_at_the_last(workdir, history):
        if len(history) == 2:
            raise KeyboardInterrupt
        write_metrics(workdir, history)

    monkeypatch.setattr(workdirs, "write_metrics", killed_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        train.run(config, tmp_path, dataset=digits)
    monkeypatch.undo()
    train.run(config, tmp_path, dataset=digits)
    assert [line["epoch"] for line in lines_of(tmp_path)] == [1, 2]


@pytest.mark.parametrize("name", ["save_weights", "save_confusion_matrix", "write_result"])
def test_a_run_killed_at_its_end_is_completed(
    tmp_path, monkeypatch, trained, small_config, digits, name
):
    """Whichever of the last files is not written, the same command writes it."""

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train if name == "save_confusion_matrix" else workdirs, name, killed)
    with pytest.raises(KeyboardInterrupt):
        train.run(small_config, tmp_path, dataset=digits)
    assert not (tmp_path / "result.json").exists()
    monkeypatch.undo()
    assert train.run(small_config, tmp_path, dataset=digits) is not None
    assert sorted(contents(tmp_path)) == sorted(contents(trained))
    assert same_weights(tmp_path, trained)


def test_a_disk_that_fills_up_is_one_line(call, tmp_path, monkeypatch, small_config):
    """Exit code 1; the same command goes on when there is space again."""
    save_checkpoint = checkpoint.replacing

    def full(*_):
        raise OSError(28, "No space left on device")

    arguments = [*config_flags(small_config), f"--workdir={tmp_path}", "--noprogress"]
    monkeypatch.setattr(checkpoint, "replacing", full)
    assert_refused(call("train", *arguments), 1, "train: error: ", "No space left")
    monkeypatch.setattr(checkpoint, "replacing", save_checkpoint)
    assert call("train", *arguments).code == 0


def test_a_run_under_a_strategy(tmp_path, trained, small_config, digits):
    """A strategy of one device changes nothing."""
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    train.run(small_config, tmp_path, dataset=digits, strategy=strategy)
    assert same_weights(tmp_path, trained)


def test_fewer_images(tmp_path, trained, small_config, digits):
    """The run trains on as many as it was told, and validates on all that were held out."""
    config = dataclasses.replace(small_config, train_examples=50)
    result = train.run(config, tmp_path, dataset=digits)
    assert result["train_examples"] == 50
    _, held_out = validation_split(digits.train_labels, config.validation_fraction, config.seed)
    logits = load_model(tmp_path)[0](digits.train_images[held_out])
    hits = np.argmax(logits, axis=1) == digits.train_labels[held_out]
    assert (len(hits), result["val_accuracy"]) == (60, np.mean(hits))
    assert not same_weights(tmp_path, trained)


def test_signal_handlers_are_given_back(tmp_path, small_config, digits):
    """After a run Ctrl-C does what it did before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        train.run(small_config, tmp_path, dataset=digits, handle_signals=True)
        after = {number: signal.getsignal(number) for number in before}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert after == before


def test_a_stop_while_the_end_is_written(tmp_path, monkeypatch, small_config, digits):
    """The steps are over, so nothing waits for their end: Ctrl-C is obeyed at once."""
    monkeypatch.setattr(workdirs, "save_weights", lambda *_: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            train.run(small_config, tmp_path, dataset=digits, handle_signals=True)
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert not (tmp_path / "result.json").exists()
    assert train.run(small_config, tmp_path, dataset=digits)["test_examples"] == 200


def test_the_door(call, tmp_path, small_config):
    """From flags to a finished run: one line on stdout, the progress on stderr."""
    answer = call("train", *config_flags(small_config), f"--workdir={tmp_path / 'run'}")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 1
    assert f"test accuracy {result['test_accuracy']:.4f} over 1000 examples" in answer.out
    assert str(tmp_path / "run") in answer.out
    assert "epoch 1/1: loss" in answer.err
    assert "3600/3600" in answer.err.replace("3.60k/3.60k", "3600/3600")
    assert workdirs.read_description(tmp_path / "run").config == small_config


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_a_last_step_that_diverges(call, tmp_path, small_config, fraction):
    """The loss before it is finite; what it leaves is no trained model."""
    network = {"model": "cnn_rnn", "filters": "4,4", "tap": 2}
    # One step: its loss is that of the first weights.
    options = {"train_examples": 32, "validation_fraction": fraction, "learning_rate": 1e38}
    config = dataclasses.replace(small_config, **network, **options)
    answer = call("train", *config_flags(config), f"--workdir={tmp_path / 'run'}", "--noprogress")
    assert_refused(answer, 1, "train: error: ", "finite", "--learning_rate")
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_door_can_be_quiet(call, tmp_path, small_config):
    """Without a progress bar nothing is on stderr."""
    arguments = [*config_flags(small_config), f"--workdir={tmp_path}", "--noprogress"]
    assert call("train", *arguments).err == ""


def damage_idx(directory, damage):
    """Writes the four IDX files, one of them wrong."""
    arrays = make_arrays()
    if damage == "labels out of range":
        arrays["test_labels"][0] = 10
    write(directory, arrays)
    images, labels = directory / NAMES["train_images"], directory / NAMES["train_labels"]
    if damage == "missing":
        images.unlink()
    if damage == "truncated":
        images.write_bytes(images.read_bytes()[:-1])
    if damage == "wrong magic":
        images.write_bytes(b"\0\0\x0b\3" + images.read_bytes()[4:])
    if damage == "mismatched":
        labels.write_bytes(idx_bytes(np.zeros(3)))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("missing", NAMES["train_images"]),
        ("truncated", "truncated"),
        ("wrong magic", "0x00000b03"),
        ("mismatched", "7 images"),
        ("labels out of range", "0 to 9"),
    ],
)
def test_wrong_idx_files(call, tmp_path, damage, word):
    """One line, exit code 1, and no directory is made for a run that cannot be."""
    damage_idx(tmp_path, damage)
    arguments = [f"--data_dir={tmp_path}", f"--workdir={tmp_path / 'run'}"]
    assert_refused(call("train", "--dataset=idx", *arguments), 1, "train: error: ", word)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--cell=gpu"], 2, "gpu"),
        (["--scan=diagonal"], 2, "diagonal"),
        (["--model=transformer"], 2, "transformer"),
        (["--optimizer=lion"], 2, "lion"),
        (["--steps_per_call=0"], 2, "steps_per_call"),
        (["--cores=-1"], 2, "cores"),
        (["--epochs=many"], 2, "many"),
        (["--dataset=no_such_set"], 1, "no_such_set"),
        (["--dataset="], 1, "mnist5k"),
        (["--dataset=idx"], 1, "--data_dir"),
        (["--dataset=idx", "--data_dir=/none"], 1, "/none"),
        (["--scan=patches", "--patch_size=5"], 1, "4 and 7"),
        (["--cell=gru", "--use_peepholes"], 1, "use_peepholes"),
        (["--validation_fraction=1"], 1, "validation_fraction"),
        (["--weight_decay=0.1"], 1, "--optimizer=adamw"),
        (["--train_examples=3601"], 1, "at most 3600"),
    ],
)
def test_wrong_input(call, tmp_path, tfds_dir, arguments, code, word):
    """One line that names the mistake, the exit code of its kind, nothing on disk."""
    place = f"--workdir={tmp_path / 'run'}"
    answer = call("train", place, f"--tfds_dir={tfds_dir}", *arguments)
    assert_refused(answer, code, "train: error: ", word)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", ["--epochs=0", "--batch_size=-1", "--learning_rate=nan"])
def test_numbers_out_of_range(call, tmp_path, flag):
    """A number that no run can have is one line, before any data is read."""
    answer = call("train", f"--workdir={tmp_path / 'run'}", "--dataset=no_such_set", flag)
    assert_refused(answer, answer.code, "train: error: ", flag[2:].split("=")[0])
    assert answer.code in (1, 2)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("overwrite", ["--overwrite", "--nooverwrite"])
def test_two_at_a_time(call, workdir, small_config, overwrite):
    """The second would write and delete what is the first one's: it is refused, in one line."""
    (workdir / "result.json").unlink()
    before = contents(workdir)
    with lock(workdir, "train"):
        answer = call("train", *config_flags(small_config), f"--workdir={workdir}", overwrite)
    assert_refused(answer, 1, "train: error: ", str(workdir), "another train")
    assert contents(workdir) == before


@pytest.mark.parametrize("place", ["/proc/run", "file/run"])
@pytest.mark.parametrize("overwrite", ["--overwrite", "--nooverwrite"])
def test_a_workdir_that_cannot_be_written(call, tmp_path, small_config, place, overwrite):
    """One line that names it."""
    (tmp_path / "file").touch()
    workdir = tmp_path / place
    answer = call("train", *config_flags(small_config), f"--workdir={workdir}", overwrite)
    assert_refused(answer, 1, "train: error: ", str(workdir))


@pytest.fixture(scope="module")
def long_config(small_config):
    """A run long enough to be interrupted: each epoch is 113 steps."""
    return dataclasses.replace(small_config, epochs=5)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, long_config, mnist5k):
    """The directory of the long run, never interrupted."""
    workdir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    train.run(long_config, workdir, dataset=mnist5k)
    return workdir


@pytest.mark.parametrize(
    "number",
    mostly_slow([signal.SIGINT, signal.SIGTERM, signal.SIGKILL], [signal.SIGKILL]),
)
def test_an_interrupted_program_goes_on(start, tmp_path, long_config, uninterrupted, number):
    """After Ctrl-C, a scheduler's TERM or a KILL the same command ends in the same bits."""
    arguments = [*config_flags(long_config), f"--workdir={tmp_path}", "--noprogress"]
    program = start("train", *arguments, "--steps_per_call=5")
    while not (tmp_path / "metrics.jsonl").exists():
        assert program.poll() is None, finish(program)
        time.sleep(0.02)
    program.send_signal(number)
    answer = finish(program)
    if number == signal.SIGKILL:
        assert answer.code == -signal.SIGKILL
    else:
        first, _, rest = answer.err.partition("\n")
        if number == signal.SIGINT:
            assert first.startswith("train: stopping after the current steps")
            answer = answer._replace(err=rest)
        assert_refused(answer, 130, "train: stopped", str(tmp_path), "same command")
    assert not (tmp_path / "result.json").exists()
    done = (tmp_path / "metrics.jsonl").read_text()
    assert 1 <= len(done.splitlines()) < 5
    newest = checkpoint.list_checkpoints(tmp_path / "checkpoints")[0]
    assert int(newest.stem.removeprefix("step-")) >= 113 * len(done.splitlines())
    answer = finish(start("train", *arguments))
    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / "metrics.jsonl").read_text().startswith(done)  # not trained a second time
    assert lines_of(tmp_path) == lines_of(uninterrupted)
    assert same_weights(tmp_path, uninterrupted)
    results = [workdirs.read_result(path) for path in (tmp_path, uninterrupted)]
    for name in ("test_accuracy", "test_errors", "val_loss", "epochs", "parameters"):
        assert results[0][name] == results[1][name]
