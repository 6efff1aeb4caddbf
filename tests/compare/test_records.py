"""Records among the results, of points that need not be run again."""

import json
import shutil
import time

import pytest

from rnn_mnist_tf import train
from rnn_mnist_tf.study.points import config_flags
from rnn_mnist_tf.training import TrainConfig
from tests.data.test_idx import NAMES, write
from tests.doors import assert_refused
from tests.files import contents_and_times, read


def test_a_record_among_the_results_is_a_point_that_is_done(knock, base, tmp_path):
    """On another machine, which has the records and not the runs, only what is new is run."""
    results = tmp_path / "results"
    flags = [*base, f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, "--grid=cell:basic_rnn", f"--workdir={tmp_path / 'one'}").code == 0
    before = contents_and_times(results)
    answer = knock(*flags, "--grid=cell:basic_rnn,gru", f"--workdir={tmp_path / 'two'}")
    assert (answer.code, knock.programs) == (0, ["train"])
    name = "cells/cell=basic_rnn,seed=0.json"
    assert contents_and_times(results)[name] == before[name]
    rows = read(tmp_path / "two" / "table.json")
    error = read(results / name)["result"]["test_errors"] / 2  # of 200 digits
    assert [row["flags"] for row in rows] == [{"cell": "basic_rnn"}, {"cell": "gru"}]
    assert rows[0]["test_error_percent"] == pytest.approx(error)


@pytest.mark.parametrize("change", ["--num_units=5", "--cores=1"])
def test_a_record_of_another_run_is_not_replaced(knock, base, tmp_path, change):
    """Another configuration or other cores: one line before anything runs, or `--overwrite`."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    before = contents_and_times(results)
    answer = knock(*flags, change, f"--workdir={tmp_path / 'two'}")
    assert_refused(answer, 1, "compare: error: ", "cells/cell=basic_rnn,seed=0", "--overwrite")
    assert knock.programs == []
    assert contents_and_times(results) == before
    # Nor is it where the other run is done, and had no place among the results.
    two = [*base, "--grid=cell:basic_rnn", "--noprogress", f"--workdir={tmp_path / 'two'}"]
    assert knock(*two, change).code == 0
    assert knock(*flags, change, f"--workdir={tmp_path / 'two'}").code == 1
    assert contents_and_times(results) == before
    assert knock(*flags, change, "--overwrite", f"--workdir={tmp_path / 'two'}").code == 0
    assert knock.programs == []
    assert contents_and_times(results) != before


def test_a_mark_in_a_record_stays(knock, base, tmp_path):
    """What was written by hand into the record of a run is there after the same command."""
    flags = [*base, "--grid=cell:gru", f"--results={tmp_path / 'results'}", "--name=cells"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    path = tmp_path / "results" / "cells" / "cell=gru,seed=0.json"
    path.write_text(json.dumps({**read(path), "disturbed": True}))
    for workdir in ("one", "two"):
        assert knock(*flags, f"--workdir={tmp_path / workdir}").code == 0
        assert knock.programs == []
        assert read(path)["disturbed"] is True


def test_a_record_that_lacks_a_measurement(knock, base, tmp_path):
    """Where its run is not, the point would have to be run anew: only with `--overwrite`."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    before = contents_and_times(results)
    more = [*flags, "--analyses=forgetting", f"--workdir={tmp_path / 'two'}"]
    answer = knock(*more)
    assert_refused(answer, 1, "compare: error: ", "without forgetting", "--overwrite")
    assert (knock.programs, contents_and_times(results)) == ([], before)
    assert knock(*more, "--overwrite").code == 0
    assert knock.programs == ["train", "analyze"]
    after = read(results / "cells" / "cell=basic_rnn,seed=0.json")
    assert list(after["analyses"]) == ["forgetting"]


def test_a_measurement_more(knock, base, tmp_path):
    """Of the same run it is added, and marks by hand stay; of another it is that one's."""
    results = tmp_path / "results"
    flags = [*base, "--grid=cell:basic_rnn", f"--results={results}", "--name=cells", "--noprogress"]
    one, two = f"--workdir={tmp_path / 'one'}", f"--workdir={tmp_path / 'two'}"
    assert knock(*flags, one).code == 0
    path = results / "cells" / "cell=basic_rnn,seed=0.json"
    marked = {**read(path), "disturbed": True, "remark": "by candle light"}
    path.write_text(json.dumps(marked))
    assert knock(*flags, "--analyses=forgetting", one).code == 0
    assert knock.programs == ["analyze"]
    after = read(path)
    assert len(after["analyses"].pop("forgetting")) > 0
    assert after == marked
    assert read(tmp_path / "one" / "table.json")[0]["disturbed"] is True
    # A run of its own that is not analysed leaves what is there alone.
    assert knock(*base, "--grid=cell:basic_rnn", "--noprogress", two).code == 0
    before = contents_and_times(results)
    assert knock(*flags, two).code == 0
    assert (knock.programs, contents_and_times(results)) == ([], before)
    # Measured anew, it is another run's record.
    path.write_text(json.dumps({**marked, "analyses": {}}))
    assert knock(*flags, "--analyses=forgetting", two).code == 1
    assert knock(*flags, "--analyses=forgetting", two, "--overwrite").code == 0
    assert knock.programs == ["analyze"]
    assert "disturbed" not in read(path)
    assert (
        read(path)["date"] == read(tmp_path / "two/points/cell=basic_rnn,seed=0/point.json")["date"]
    )


def test_a_record_with_other_data_is_not_taken(knock, base, tmp_path, other_digits):
    """The configuration does not say which digits lie where it points to."""
    flags = [*base, "--grid=cell:basic_rnn", f"--results={tmp_path / 'results'}", "--name=cells"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    workdir = f"--workdir={tmp_path / 'two'}"
    answer = knock(*flags, other_digits, workdir)
    assert_refused(answer, 1, "compare: error: ", "other data", "--overwrite")
    assert knock(*flags, other_digits, "--overwrite", workdir).code == 0
    assert knock.programs == ["train"]


def test_a_record_of_other_test_images_is_not_taken(knock, base, tmp_path, digits):
    """Trained on the same ones, another test part is another result; runs know it as well."""
    for name, images in (("one", digits.test_images), ("two", 255 - digits.test_images)):
        arrays = {part: getattr(digits, part) for part in NAMES}
        (tmp_path / name).mkdir()
        write(tmp_path / name, {**arrays, "test_images": images})
    one, two = (f"--data_dir={tmp_path / name}" for name in ("one", "two"))
    flags = [*base, "--grid=cell:basic_rnn", "--noprogress", f"--workdir={tmp_path / 'study'}"]
    results = [f"--results={tmp_path / 'results'}", "--name=cells"]
    assert knock(*flags, one, *results).code == 0
    assert knock(*flags, one, *results).code == 0
    assert knock.programs == []
    assert_refused(knock(*flags, two), 1, "compare: error: ", "other test images or labels")
    answer = knock(*flags, two, *results, f"--workdir={tmp_path / 'another'}")
    assert_refused(answer, 1, "compare: error: ", "other data", "--overwrite")
    # Records of earlier days do not say.
    path = tmp_path / "results" / "cells" / "cell=basic_rnn,seed=0.json"
    record = read(path)
    assert len(record["result"].pop("test_digest")) == 64
    path.write_text(json.dumps(record))
    assert knock(*flags, two, *results, f"--workdir={tmp_path / 'another'}").code == 0
    assert knock.programs == []


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
    for damaged in (b"{", b"\xff\xfe\x00", b"[]"):
        path.write_bytes(damaged)
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
    before = contents_and_times(results)
    one = f"--workdir={tmp_path / 'one'}"
    assert knock(*base, "--grid=cell:basic_rnn", "--noprogress", "--cores=1", one).code == 0
    answer = knock(*flags, "--cores=2", one)
    assert_refused(answer, 1, "compare: error: ", "cores: 2, not 1", "--overwrite")
    assert contents_and_times(results) == before
    assert knock(*base, "--grid=cell:basic_rnn", "--cores=2", one, "--overwrite").code == 0
    assert knock.programs == ["train"]
    assert read(tmp_path / "one" / "points" / "cell=basic_rnn,seed=0" / "point.json")["cores"] == 2


def test_half_a_run_on_other_cores_is_another_run(knock, base, tmp_path):
    """A study that was killed before a point's record was written does not take it for its own."""
    workdir = f"--workdir={tmp_path / 'one'}"
    assert knock(*base, "--grid=cell:basic_rnn", "--noprogress", "--cores=1", workdir).code == 0
    point = tmp_path / "one" / "points" / "cell=basic_rnn,seed=0"
    (point / "point.json").unlink()
    for complete in (True, False):
        if not complete:
            (point / "result.json").unlink()
        answer = knock(*base, "--grid=cell:basic_rnn", "--noprogress", "--cores=2", workdir)
        assert_refused(answer, 1, "compare: error: ", "cores: 2, not 1", "--overwrite")
    assert knock(*base, "--grid=cell:basic_rnn", "--noprogress", "--cores=1", workdir).code == 0
    assert read(point / "point.json")["cores"] == 1


@pytest.mark.parametrize("anew", ["by compare", "by train, with other data"])
def test_a_record_is_of_the_run_that_is_there(knock, base, tmp_path, anew, other_digits):
    """One that was trained again has its own record and its own analyses."""
    flags = [*base, "--grid=cell:basic_rnn", "--analyses=forgetting", "--noprogress"]
    flags.append(f"--workdir={tmp_path / 'study'}")
    assert knock(*flags).code == 0
    run = tmp_path / "study" / "points" / "cell=basic_rnn,seed=0"
    before = read(run / "point.json")
    if anew == "by compare":
        (run / "result.json").unlink()
        shutil.rmtree(run / "checkpoints")
    else:
        options = [*config_flags(TrainConfig(**read(run / "config.json")["config"])), other_digits]
        train.cli(["train", *options, f"--workdir={run}", "--overwrite", "--noprogress"])
        flags.append(other_digits)
    time.sleep(1)  # dates have seconds
    assert knock(*flags).code == 0
    assert knock.programs == (["train", "analyze"] if anew == "by compare" else ["analyze"])
    after = read(run / "point.json")
    assert after["result"] == read(run / "result.json") != before["result"]
    assert after["date"] != before["date"]


def test_a_failure_is_forgotten_where_a_record_comes_from_elsewhere(knock, base, tmp_path):
    """What is done has not failed."""
    flags = [*base, "--grid=cell:basic_rnn", f"--results={tmp_path / 'results'}", "--name=cells"]
    assert knock(*flags, f"--workdir={tmp_path / 'one'}").code == 0
    failed = tmp_path / "two" / "failed" / "cell=basic_rnn,seed=0.json"
    failed.parent.mkdir(parents=True)
    failed.write_text("{}")
    assert knock(*flags, f"--workdir={tmp_path / 'two'}").code == 0
    assert not failed.exists()
