"""What the benchmarks share: names, medians, the record."""

import argparse
import contextlib
import doctest
import fcntl
import json
import math
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import processes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import Parser, Record, median, names_in, positive_integers, require


@pytest.mark.parametrize(
    "module", ["processes", "peers", "throughput", "time_to_accuracy", "inference", "scaling"]
)
def test_examples(module):
    """The docstrings' examples run."""
    assert doctest.testmod(__import__(module)).failed == 0


@pytest.mark.parametrize("text", ["torch", "", "ours,", "ours,ours", "torch_tuned,ours "])
def test_peers_are_exact_names_each_once(text, capsys):
    """A part of a name, or a name twice, is one line and exit code 2."""
    parser = Parser(prog="bench")
    parser.add_argument("--peers", type=names_in(["ours", "torch_tuned"]))
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args([f"--peers={text}"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("bench: error: argument --peers: Received ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["0", "-1", "1,x", "", "2,2"])
def test_integers_are_positive(text):
    """Zero layers are a mistake."""
    with pytest.raises(argparse.ArgumentTypeError, match="positive"):
        positive_integers(text)


@given(st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=1, max_size=9))
def test_what_never_arrived_is_infinite_in_the_median(values):
    """As NumPy has it for infinities."""
    expected = np.median([math.inf if value is None else value for value in values])
    assert median(values) == (expected if np.isfinite(expected) else None)


def test_the_record_measures_once(tmp_path):
    """What a file has is not measured again, and more can be added."""
    path = tmp_path / "results.json"
    Record(path, {"seconds": 1}).measure("one", lambda: {"rate": 1.5})
    again = Record(path, {"seconds": 1})
    assert again.measure("one", lambda: pytest.fail("measured twice")) == {"rate": 1.5}
    again.measure("two", lambda: 2)
    assert json.loads(path.read_text())["results"] == {"one": {"rate": 1.5}, "two": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_an_interrupted_measurement_keeps_what_was_done(tmp_path):
    """The results before Ctrl-C are in the file."""
    path = tmp_path / "results.json"
    record = Record(path, {})
    record.measure("one", lambda: 1)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record.measure("two", interrupted)
    assert json.loads(path.read_text())["results"] == {"one": 1}


PEER = """
import fcntl, time
file = open({path!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)  # until the process ends, however that is
print("begun", file=file, flush=True)
time.sleep(600)
"""
BENCHMARK = "from processes import *; run_main(lambda: run_process({peer!r}, []))"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_benchmark_stops_its_peer(tmp_path, number):
    """One line, and nobody computes on: in a shell's background too, where Ctrl-C is ignored."""
    peer, path = tmp_path / "peer.py", tmp_path / "lock"
    peer.write_text(PEER.format(path=str(path)))
    program = subprocess.Popen(
        [sys.executable, "-c", BENCHMARK.format(peer=str(peer))],
        cwd=pathlib.Path(processes.__file__).parent,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    while not path.exists() or not path.read_text():
        assert program.poll() is None
        time.sleep(0.01)
    program.send_signal(number)
    assert program.communicate()[1].count("\n") == 1
    assert program.returncode == 130
    with open(path) as file:
        for _ in range(1000):  # a killed process takes a moment to end
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.01)
    pytest.fail("the peer goes on")


def test_results_of_other_settings_are_not_mixed(tmp_path):
    """A file of other settings is refused and left alone."""
    path = tmp_path / "results.json"
    Record(path, {"seconds": 1}).measure("one", lambda: 1)
    before = path.read_text()
    with pytest.raises(ValueError, match="another seconds, expected"):
        Record(path, {"seconds": 2})
    assert path.read_text() == before


@pytest.mark.parametrize("content", ["", "{", "[1]", "5", "{}", '{"settings": 1, "results": {}}'])
def test_a_file_that_is_no_record(tmp_path, content):
    """The error names it, and it stays."""
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"--output={path}, expected a record"):
        Record(path, {})
    assert path.read_text() == content


def test_a_missing_peer_is_one_line():
    """Its message says what to run."""
    require("json")
    with pytest.raises(ValueError, match=r"nothing_like_it is not .* pip install -e '\.\[torch\]'"):
        require("json", "nothing_like_it")
