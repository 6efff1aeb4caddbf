"""The compare door: what a study leaves, what it refuses, what is done already."""

import csv
import dataclasses
import json
import pathlib
import shutil
import statistics

import pytest
from PIL import Image

from rnn_mnist_tf.study.points import config_flags
from tests.data.test_idx import NAMES, write
from tests.doors import assert_refused
from tests.files import contents_and_times, read


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
    before = contents_and_times(workdir / "points"), contents_and_times(results)
    again = knock(*command)
    assert (again.code, again.out, knock.programs) == (0, answer.out, [])
    assert (contents_and_times(workdir / "points"), contents_and_times(results)) == before


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
    before = contents_and_times(tmp_path)
    grid = "--grid=cell:gru,basic_rnn"
    answer = knock(*base, "--num_units=5", grid, *place)
    words = ["cell=basic_rnn,seed=0", "num_units: 5, not 8", "--overwrite"]
    assert_refused(answer, 1, "compare: error: ", *words)
    assert (contents_and_times(tmp_path), knock.programs) == (before, [])
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


@pytest.mark.parametrize("part", ["train_images", "test_images"])
def test_files_that_changed_where_they_lie(knock, base, tmp_path, digits, part):
    """What is done is of the old ones, and no table has both; `--overwrite` runs it again."""
    arrays = {name: getattr(digits, name) for name in NAMES}
    write(tmp_path, arrays)
    command = [*base, f"--data_dir={tmp_path}", f"--workdir={tmp_path / 'study'}", "--noprogress"]
    assert knock(*command, "--grid=cell:basic_rnn").code == 0
    write(tmp_path, {**arrays, part: 255 - arrays[part]})
    assert knock(*command, "--grid=cell:basic_rnn").code == 0  # which needs no data
    answer = knock(*command, "--grid=cell:basic_rnn,gru")
    assert_refused(answer, 1, "compare: error: ", part.partition("_")[0], "--overwrite")
    assert knock.programs == []
    assert knock(*command, "--grid=cell:basic_rnn,gru", "--overwrite").code == 0
    assert knock.programs == ["train", "train"]
    records = [read(path) for path in (tmp_path / "study" / "points").glob("*/point.json")]
    assert len({record["data_digest"] for record in records}) == 1
    assert len({record["result"]["test_digest"] for record in records}) == 1


def test_what_a_kill_left_is_swept(knock, base, tmp_path):
    """Halves of tables, pictures and records go with the next start."""
    command = [*base, "--grid=cell:basic_rnn", f"--workdir={tmp_path}", "--noprogress"]
    assert knock(*command).code == 0
    run = tmp_path / "points" / "cell=basic_rnn,seed=0"
    (run / "result.json").unlink()
    left = [tmp_path / ".table-a1b2c3d4.md", tmp_path / ".learning_curves-a1b2c3d4.png"]
    left += [run / ".point-a1b2c3d4.json", run / ".cores-a1b2c3d4.txt"]
    for path in left:
        path.write_text("half")
    assert knock(*command).code == 0
    assert not [path for path in left if path.exists()]
