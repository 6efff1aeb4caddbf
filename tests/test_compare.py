"""The compare door: what a study leaves, what it refuses, how it goes on."""

import csv
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import statistics
import time

import pytest
from PIL import Image

from rnn_mnist_tf import analyze, compare, train
from rnn_mnist_tf.study import Children
from rnn_mnist_tf.study.children import Ending
from rnn_mnist_tf.study.points import config_flags
from rnn_mnist_tf.training import checkpoint
from rnn_mnist_tf.training.files import lock
from tests.data.test_idx import NAMES, write
from tests.doors import Answer, assert_refused, finish

SMOKE = pathlib.Path(__file__).parents[1] / "flags" / "studies" / "smoke.flags"


class ChildrenHere(Children):
    """Runs the programs in this process, which has TensorFlow already; counts them."""

    def __init__(self, capsys):
        super().__init__()
        self.programs, self._capsys = [], capsys

    def run(self, program, arguments):
        """Runs a door."""
        if self.stopped:
            return Ending(130, "stopped")
        shown = self._capsys.readouterr()
        code = {"train": train, "analyze": analyze}[program].cli([program, *arguments])
        lines = self._capsys.readouterr().err.splitlines() or [""]
        print(shown.out, end="")
        print(shown.err, end="", file=compare.sys.stderr)
        self.programs.append(program)
        return Ending(code, lines[-1])


@pytest.fixture
def knock(capsys, monkeypatch):
    """Returns a function that runs the door, and its children too, in this process.

    The function's `programs` are those of the children of its last call.
    """

    def run(*arguments, stopped=False):
        children = ChildrenHere(capsys)
        children.stopped = stopped
        monkeypatch.setattr(compare, "Children", lambda: children)
        code = compare.cli(["compare", *map(str, arguments)])
        run.programs = children.programs
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def idx_files(digits, tmp_path_factory):
    """The flags of 600 digits in files, which are read at once."""
    directory = tmp_path_factory.mktemp("idx")
    write(directory, {name: getattr(digits, name) for name in NAMES})
    return ["--dataset=idx", f"--data_dir={directory}"]


@pytest.fixture
def other_digits(digits, tmp_path):
    """The flag of the same digits in another order, which are other training data."""
    arrays = {name: getattr(digits, name) for name in NAMES}
    (tmp_path / "others").mkdir()
    write(tmp_path / "others", {**arrays, "train_images": arrays["train_images"][::-1]})
    return f"--data_dir={tmp_path / 'others'}"


@pytest.fixture(scope="module")
def base(small_config, idx_files):
    """The flags of a study of short runs."""
    config = dataclasses.replace(small_config, cell="basic_rnn", num_units=8)
    return [*config_flags(config), *idx_files]


def contents(directory):
    """All files below a directory, by name, with what is in them and when it was written."""
    paths = [path for path in pathlib.Path(directory).rglob("*") if path.is_file()]
    return {str(p.relative_to(directory)): (p.read_bytes(), p.stat().st_mtime_ns) for p in paths}


def read(path):
    """The JSON of a file."""
    return json.loads(pathlib.Path(path).read_text())


def test_a_study(knock, base, tmp_path):
    """A row a configuration, a record a point, pictures; a second start runs nothing."""
    workdir, results = tmp_path / "first study", tmp_path / "results"
    grid = "--grid=cell:basic_rnn,lstm+cell_clip=1"
    command = [*base, grid, "--seeds=2", f"--workdir={workdir}", f"--results={results}"]
    answer = knock(*command)
    assert answer.code == 0
    assert knock.programs == ["train"] * 4
    assert answer.out == (workdir / "table.md").read_text()
    names = [
        "cell=basic_rnn,seed=0",
        "cell=basic_rnn,seed=1",
        "cell=lstm,cell_clip=1,seed=0",
        "cell=lstm,cell_clip=1,seed=1",
    ]
    lines = answer.err.splitlines()
    assert len(lines) == 4
    # A seed of all configurations, then the next.
    for count, (name, line) in enumerate(zip([*names[::2], *names[1::2]], lines), 1):
        result = read(workdir / "points" / name / "result.json")
        accuracy = f"{result['test_accuracy']:.4f}"
        assert line.startswith(f"{count}/4 {name}: test accuracy {accuracy}, ")
        assert line.endswith(" left")
    assert lines[-1].endswith("; 0 s left")
    rows = read(workdir / "table.json")
    assert [row["points"] for row in rows] == [names[:2], names[2:]]
    for row in rows:
        found = [read(workdir / "points" / name / "result.json") for name in row["points"]]
        errors = [100 * result["test_errors"] / result["test_examples"] for result in found]
        assert row["test_error_percent"] == pytest.approx(statistics.mean(errors))
        assert row["test_error_spread"] == pytest.approx(statistics.stdev(errors))
    written = list(csv.DictReader((workdir / "table.csv").read_text().splitlines()))
    assert [row["cell"] for row in written] == ["basic_rnn", "lstm"]
    pictures = {path.stem for path in workdir.glob("*.png")}
    assert pictures == {"error_by_seconds", "learning_curves", "error_by_cell"}
    for name in pictures:
        with Image.open(workdir / f"{name}.png") as image:
            image.load()
    before = contents(workdir / "points"), contents(results)
    again = knock(*command)
    assert (again.code, again.out, knock.programs) == (0, answer.out, [])
    assert (contents(workdir / "points"), contents(results)) == before


def test_every_number_has_a_file(knock, base, tmp_path):
    """The record: configuration, settings, curve, result, when and where it was measured."""
    workdir, results = tmp_path / "study", tmp_path / "results"
    knock(*base, "--grid=cell:gru;cores:1", f"--workdir={workdir}", f"--results={results}")
    name = "cell=gru,seed=0,cores=1"
    record = read(results / "study" / f"{name}.json")
    run = workdir / "points" / name
    assert record == read(run / "point.json")
    held = read(run / "config.json")
    # All but where the data lies, which says nothing to others.
    assert {*held["config"]} - {*record["config"]} == {"data_dir", "tfds_dir"}
    assert record["config"].items() <= held["config"].items()
    assert record["data_digest"] == held["data_digest"]
    assert record["choices"] == {"cell": "gru", "cores": "1"}
    assert record["settings"] == {"cell": "gru", "seed": 0, "cores": 1}
    assert (record["point"], record["study"], record["seed"]) == (name, "study", 0)
    assert record["curve"] == list(map(json.loads, (run / "metrics.jsonl").open()))
    assert record["result"] == read(run / "result.json")
    assert record["seconds"] > 0
    assert record["date"][:2] == "20"
    assert "TensorFlow" in record["machine"]


def test_analyses(knock, base, tmp_path):
    """They follow the training, and can be asked for later; nothing is trained again."""
    command = [*base, "--grid=cell:basic_rnn", f"--workdir={tmp_path}", "--noprogress"]
    path = tmp_path / "points" / "cell=basic_rnn,seed=0" / "point.json"
    assert knock(*command, "--analyses=forgetting").code == 0
    assert knock.programs == ["train", "analyze"]
    first = read(path)
    assert list(first["analyses"]) == ["forgetting"]
    assert (tmp_path / "forgetting.png").is_file()
    answer = knock(*command, "--analyses=forgetting,speed")
    assert (answer.code, knock.programs) == (0, ["analyze"])
    assert "batch 100" in answer.out
    second = read(path)
    assert set(second.pop("analyses")) == {"forgetting", "speed"}
    analyses = first.pop("analyses")
    assert (first, read(path)["analyses"]["forgetting"]) == (second, analyses["forgetting"])


def test_a_failing_point_does_not_stop_the_others(knock, base, tmp_path):
    """It is recorded, named at the end, and tried again at the next start."""
    grid = "--grid=learning_rate:1e38,0.01"
    command = [*base, grid, f"--workdir={tmp_path}"]
    answer = knock(*command, "--noprogress")
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    failed = "learning_rate=1e+38,seed=0"
    for word in ("compare: error: ", failed, "exit code 1", "loss is", "finite"):
        assert word in line
    failure = read(tmp_path / "failed" / f"{failed}.json")
    assert (failure["program"], failure["code"]) == ("train", 1)
    assert failure["error"].startswith("train: error: The loss is")
    assert [row["flags"] for row in read(tmp_path / "table.json")] == [{"learning_rate": 0.01}]
    assert knock(*command).code == 1
    assert knock.programs == ["train"]


def test_what_failed_can_be_mended(knock, base, tmp_path):
    """A cause outside of the configuration goes away, and so does the record of the failure."""
    command = [*base, "--grid=cell:gru", f"--workdir={tmp_path}", "--noprogress"]
    (tmp_path / "points").mkdir()
    in_the_way = tmp_path / "points" / "cell=gru,seed=0"
    in_the_way.touch()
    answer = knock(*command)
    assert (answer.code, answer.out) == (1, "")
    assert [path.name for path in (tmp_path / "failed").iterdir()] == ["cell=gru,seed=0.json"]
    in_the_way.unlink()
    assert knock(*command).code == 0
    assert list((tmp_path / "failed").iterdir()) == []


def test_another_configuration_in_a_point_s_place(knock, base, tmp_path):
    """One line before anything runs; --overwrite replaces what differs, and only that."""
    place = [f"--workdir={tmp_path}", "--noprogress"]
    assert knock(*base, "--grid=cell:basic_rnn", *place).code == 0
    before = contents(tmp_path)
    grid = "--grid=cell:gru,basic_rnn"
    answer = knock(*base, "--num_units=5", grid, *place)
    words = ["cell=basic_rnn,seed=0", "num_units: 5, not 8", "--overwrite"]
    assert_refused(answer, 1, "compare: error: ", *words)
    assert (contents(tmp_path), knock.programs) == (before, [])
    assert knock(*base, "--num_units=5", grid, *place, "--overwrite").code == 0
    assert knock.programs == ["train", "train"]
    assert knock(*base, "--num_units=5", grid, *place, "--overwrite").code == 0
    assert knock.programs == []
    record = read(tmp_path / "points" / "cell=basic_rnn,seed=0" / "point.json")
    assert record["config"]["num_units"] == 5


def test_other_data_in_a_point_s_place(knock, base, tmp_path, digits, other_digits):
    """What is done with some digits is not done with others."""
    place = [f"--workdir={tmp_path / 'study'}", "--grid=cell:basic_rnn"]
    assert knock(*base, *place).code == 0
    arrays = {name: getattr(digits, name) for name in NAMES}
    (tmp_path / "same").mkdir()
    write(tmp_path / "same", arrays)
    answer = knock(*base, other_digits, *place)
    assert_refused(answer, 1, "compare: error: ", "other training images")
    assert knock(*base, f"--data_dir={tmp_path / 'same'}", *place).code == 0
    assert knock.programs == []


def test_what_is_done_needs_no_data(knock, small_config, idx_files, tmp_path, monkeypatch):
    """Nor are files read again that were named from where the study was begun."""
    data = pathlib.Path(idx_files[1].partition("=")[2])
    monkeypatch.chdir(shutil.copytree(data, tmp_path / "here" / "digits").parent)
    config = dataclasses.replace(small_config, cell="basic_rnn", num_units=8, dataset="idx")
    command = [*config_flags(config), "--data_dir=digits", "--grid=cell:basic_rnn"]
    command += [f"--workdir={tmp_path / 'study'}", f"--results={tmp_path / 'results'}"]
    assert knock(*command).code == 0
    shutil.rmtree("digits")
    assert (knock(*command).code, knock.programs) == (0, [])


def test_a_record_among_the_results_is_a_point_that_is_done(knock, base, tmp_path):
    """On another machine, which has the records and not the runs, only what is new is run."""
    results = tmp_path / "results"
    flags = [*base, f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, "--grid=cell:basic_rnn", f"--workdir={tmp_path / 'one'}").code == 0
    before = contents(results)
    answer = knock(*flags, "--grid=cell:basic_rnn,gru", f"--workdir={tmp_path / 'two'}")
    assert (answer.code, knock.programs) == (0, ["train"])
    name = "cells/cell=basic_rnn,seed=0.json"
    assert contents(results)[name] == before[name]
    rows = read(tmp_path / "two" / "table.json")
    error = read(results / name)["result"]["test_errors"] / 2  # of 200 digits
    assert [row["flags"] for row in rows] == [{"cell": "basic_rnn"}, {"cell": "gru"}]
    assert rows[0]["test_error_percent"] == pytest.approx(error)


@pytest.mark.parametrize("change", ["--num_units=5", "--cores=1", "--analyses=forgetting"])
def test_a_record_of_another_run_is_not_taken(knock, base, tmp_path, change):
    """Another configuration, other cores or a measurement more: the point is run, and replaces."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    before = read(results / "cells" / "cell=basic_rnn,seed=0.json")
    assert knock(*flags, change, f"--workdir={tmp_path / 'two'}").code == 0
    assert knock.programs[0] == "train"
    after = read(results / "cells" / "cell=basic_rnn,seed=0.json")
    assert any(before[key] != after[key] for key in ("config", "cores", "analyses"))


def test_a_record_with_other_data_is_not_taken(knock, base, tmp_path, other_digits):
    """The configuration does not say which digits lie where it points to."""
    flags = [*base, "--grid=cell:basic_rnn", f"--results={tmp_path / 'results'}", "--name=cells"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    assert knock(*flags, other_digits, f"--workdir={tmp_path / 'two'}").code == 0
    assert knock.programs == ["train"]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"config": {"cell": "gpu"}}'])
def test_a_damaged_record_among_the_results(knock, base, tmp_path, text):
    """One line that names the file; nothing is run."""
    path = tmp_path / "results" / "cells" / "cell=gru,seed=0.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    flags = ["--grid=cell:gru", f"--results={tmp_path / 'results'}", "--name=cells"]
    answer = knock(*base, *flags, f"--workdir={tmp_path / 'study'}")
    assert_refused(answer, 1, "compare: error: ", str(path))
    assert knock.programs == []


def test_a_damaged_copy_of_a_record(knock, base, tmp_path):
    """The run's own is there, and the copy is written anew."""
    flags = [*base, "--grid=cell:basic_rnn", f"--workdir={tmp_path / 'study'}", "--noprogress"]
    assert knock(*flags, f"--results={tmp_path / 'results'}").code == 0
    path = tmp_path / "results" / "study" / "cell=basic_rnn,seed=0.json"
    before = path.read_text()
    path.write_text("{")
    assert knock(*flags, f"--results={tmp_path / 'results'}").code == 0
    assert (knock.programs, path.read_text()) == ([], before)


def test_a_record_of_an_earlier_day(knock, base, tmp_path):
    """A field that its configuration does not have yet has its default there."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    path = results / "cells" / "cell=basic_rnn,seed=0.json"
    record = read(path)
    del record["config"]["ema_momentum"]
    path.write_text(json.dumps(record))
    assert knock(*flags, f"--workdir={tmp_path / 'two'}").code == 0
    assert knock.programs == []


def test_other_cores_are_another_run(knock, base, tmp_path):
    """Its time would be another one; what is among the results stays as it is."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, "--cores=2", f"--workdir={tmp_path / 'two'}").code == 0
    before = contents(results)
    one = f"--workdir={tmp_path / 'one'}"
    assert knock(*base, "--grid=cell:basic_rnn", "--noprogress", "--cores=1", one).code == 0
    answer = knock(*flags, "--cores=2", one)
    assert_refused(answer, 1, "compare: error: ", "cores: 2, not 1", "--overwrite")
    assert contents(results) == before
    assert knock(*base, "--grid=cell:basic_rnn", "--cores=2", one, "--overwrite").code == 0
    assert knock.programs == ["train"]
    assert read(tmp_path / "one" / "points" / "cell=basic_rnn,seed=0" / "point.json")["cores"] == 2


def test_more_is_measured_where_the_data_has_moved(knock, base, tmp_path, idx_files):
    """The run's own configuration still says where it was."""
    place = shutil.copytree(idx_files[1].partition("=")[2], tmp_path / "before")
    command = [*base, "--grid=cell:basic_rnn", f"--workdir={tmp_path / 'study'}", "--noprogress"]
    assert knock(*command, f"--data_dir={place}").code == 0
    place = place.rename(tmp_path / "after")
    assert knock(*command, f"--data_dir={place}", "--analyses=speed").code == 0
    assert knock.programs == ["analyze"]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ([], 2, "--grid="),
        (["--grid=colour:red"], 2, "colour"),
        (["--grid=cell:gpu"], 2, "gpu"),
        (["--grid=num_units:many"], 2, "many"),
        (["--grid=num_units:0"], 2, "at least 1"),
        (["--grid=cell"], 2, "malformed"),
        (["--grid=cell:lstm+num_units=1;num_units:2"], 2, "twice"),
        (["--grid=cell:gru", "--seeds=0"], 2, "seeds"),
        (["--grid=cell:gru", "--analyses=taste"], 2, "forgetting"),
        (["--grid=cell:gru", "--cell=gpu"], 2, "gpu"),
        (["--grid=cell:gru", "--name=a/b"], 1, "a/b"),
        (["--grid=cell:gru", "--data_dir="], 1, "--data_dir"),
        (["--grid=cell:gru", "--data_dir=/none"], 1, "/none"),
        (["--grid=dataset:idx,no_such_set"], 1, "no_such_set"),
        (["--grid=cell:lstm,gru+use_peepholes=true"], 1, "cell=gru,use_peepholes=true,seed=0"),
        (["--grid=scan:rows,patches+patch_size=5"], 1, "4 and 7"),
        (["--grid=validation_fraction:0.1,1"], 1, "validation_fraction=1"),
        (["--grid=train_examples:50,5000"], 1, "train_examples=5000"),
        (["--grid=cell:gru", "--name=.."], 1, "'..'"),
        (["--grid=cell:gru", "--results=/proc/none"], 1, "/proc/none"),
        (["--grid=model:renet;patch_size:2", "--analyses=forgetting"], 1, "of its layer"),
    ],
)
def test_wrong_input(knock, base, tmp_path, arguments, code, word):
    """One line that names the mistake, before anything runs or is on disk."""
    workdir = tmp_path / "study"
    answer = knock(*base, f"--workdir={workdir}", *arguments)
    assert_refused(answer, code, "compare: error: ", word)
    assert not workdir.exists()


def test_no_workdir(knock, base):
    """There is nowhere to write to without one."""
    assert_refused(knock(*base, "--grid=cell:gru"), 1, "compare: error: ", "--workdir")


def test_a_workdir_that_cannot_be_written(knock, base):
    """One line that names it."""
    answer = knock(*base, "--grid=cell:gru", "--workdir=/proc/study")
    assert_refused(answer, 1, "compare: error: ", "/proc/study")


def test_two_at_a_time(knock, base, tmp_path):
    """The second is refused, and leaves the first alone."""
    with lock(tmp_path, "compare"):
        answer = knock(*base, "--grid=cell:gru", f"--workdir={tmp_path}")
    assert_refused(answer, 1, "compare: error: ", str(tmp_path), "another compare")
    assert knock.programs == []
    assert knock(*base, "--grid=cell:gru", f"--workdir={tmp_path}", "--noprogress").code == 0


def test_a_stop_between_points(knock, base, tmp_path):
    """No further child begins; one line, exit code 130."""
    answer = knock(*base, "--grid=cell:gru", f"--workdir={tmp_path}", stopped=True)
    assert_refused(answer, 130, "compare: stopped", str(tmp_path), "same command")
    assert knock.programs == []


def wait_for(condition, program):
    """Waits until something is so while a program runs."""
    while not condition():
        assert program.poll() is None, finish(program)
        time.sleep(0.02)


def children_of(program):
    """The numbers of the processes that a program started."""
    path = pathlib.Path(f"/proc/{program.pid}/task/{program.pid}/children")
    return [int(number) for number in path.read_text().split()]


def is_running(number):
    """Whether a process is there, and no zombie."""
    try:
        return pathlib.Path(f"/proc/{number}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="asks Linux for children")
def test_a_killed_study_goes_on(start, tmp_path, idx_files):
    """After a KILL nothing runs on; the same command does what is left, and only that."""
    workdir, points = tmp_path / "smoke", tmp_path / "smoke" / "points"
    command = [f"--flagfile={SMOKE}", f"--workdir={workdir}", *idx_files]
    names = ["cell=basic_rnn,seed=0", "cell=gru,seed=0", "scan=columns,cell=gru,seed=0"]
    program = start("compare", *command)
    wait_for((points / names[0] / "point.json").exists, program)
    wait_for((points / names[1] / "config.json").exists, program)
    (child,) = children_of(program)
    program.send_signal(signal.SIGKILL)
    assert finish(program).code == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)
    assert not (points / names[1] / "point.json").exists()
    before = contents(points / names[0])
    answer = finish(start("compare", *command))
    assert answer.code == 0, answer.err
    assert contents(points / names[0]) == before
    assert all((points / name / "point.json").is_file() for name in names)
    assert sorted(os.listdir(points)) == sorted(names)
    lines = answer.err.splitlines()
    assert lines[0] == "1/3 points are done"
    assert [line.split(":")[0] for line in lines[1:]] == [f"2/3 {names[1]}", f"3/3 {names[2]}"]
    assert answer.out == (workdir / "table.md").read_text()
    assert len(answer.out.splitlines()) == 5


def test_ctrl_c_reaches_the_point(start, tmp_path, base):
    """The point is saved where it stands; one line, exit code 130."""
    run = tmp_path / "points" / "cell=gru,seed=0"
    options = ["--epochs=5000", "--grid=cell:gru", "--steps_per_call=5"]
    program = start("compare", *base, *options, f"--workdir={tmp_path}")
    wait_for((run / "metrics.jsonl").exists, program)
    program.send_signal(signal.SIGINT)
    assert_refused(finish(program), 130, "compare: stopped", str(tmp_path), "same command")
    done = len((run / "metrics.jsonl").read_text().splitlines())
    newest = checkpoint.list_checkpoints(run / "checkpoints")[0]
    # 540 of 600 images are trained on, 32 a step.
    assert 17 * done <= int(newest.stem.removeprefix("step-")) < 17 * 5000
    assert not (run / "result.json").exists()
    assert not (tmp_path / "failed").exists()
