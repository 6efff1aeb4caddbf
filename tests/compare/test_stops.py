"""A study that is stopped or killed, and goes on."""

import os
import pathlib
import signal
import time

import pytest

from rnn_mnist_tf.training import checkpoint
from rnn_mnist_tf.training.files import lock
from tests.doors import assert_refused, finish
from tests.files import contents_and_times

SMOKE = pathlib.Path(__file__).parents[2] / "flags" / "studies" / "smoke.flags"


def test_two_at_a_time(knock, base, tmp_path):
    """The second is refused, and leaves the first alone."""
    with lock(tmp_path, "compare"):
        answer = knock(*base, "--grid=cell:gru", f"--workdir={tmp_path}")
    assert_refused(answer, 1, "compare: error: ", str(tmp_path), "another compare")
    assert knock.programs == []
    assert knock(*base, "--grid=cell:gru", f"--workdir={tmp_path}", "--noprogress").code == 0


def test_a_run_that_another_program_writes_is_not_deleted(knock, base, tmp_path):
    """`--overwrite` replaces what is done, and leaves alone what is trained by someone else."""
    command = [*base, "--grid=cell:gru", f"--workdir={tmp_path}", "--noprogress"]
    assert knock(*command).code == 0
    point = tmp_path / "points" / "cell=gru,seed=0"
    before = {path: path.read_bytes() for path in point.rglob("*") if path.is_file()}
    with lock(point, "train"):
        assert knock(*command, "--num_units=5", "--overwrite").code == 1
    assert {path: path.read_bytes() for path in point.rglob("*") if path.is_file()} == before
    assert "another train is running" in (tmp_path / "failed" / f"{point.name}.json").read_text()


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
    before = contents_and_times(points / names[0])
    answer = finish(start("compare", *command))
    assert answer.code == 0, answer.err
    assert contents_and_times(points / names[0]) == before
    assert all((points / name / "point.json").is_file() for name in names)
    assert sorted(os.listdir(points)) == sorted(names)
    lines = answer.err.splitlines()
    assert lines[0] == "1/3 points are done"
    assert [line.split(":")[0] for line in lines[1:]] == [f"2/3 {names[1]}", f"3/3 {names[2]}"]
    assert answer.out == (workdir / "table.md").read_text()
    assert len(answer.out.splitlines()) == 5


def test_ctrl_c_reaches_the_point(start, tmp_path, base):
    """The point is saved where it stands; a line at once, another at the end, exit code 130."""
    run = tmp_path / "points" / "cell=gru,seed=0"
    options = ["--epochs=5000", "--grid=cell:gru", "--steps_per_call=5"]
    program = start("compare", *base, *options, f"--workdir={tmp_path}")
    wait_for((run / "metrics.jsonl").exists, program)
    program.send_signal(signal.SIGINT)
    answer = finish(program)
    first, _, rest = answer.err.partition("\n")
    assert first.startswith("compare: stopping the point")
    answer = answer._replace(err=rest)
    assert_refused(answer, 130, "compare: stopped", str(tmp_path), "same command")
    done = len((run / "metrics.jsonl").read_text().splitlines())
    newest = checkpoint.list_checkpoints(run / "checkpoints")[0]
    # 540 of 600 images are trained on, 32 a step.
    assert 17 * done <= int(newest.stem.removeprefix("step-")) < 17 * 5000
    assert not (run / "result.json").exists()
    assert not (tmp_path / "failed").exists()
