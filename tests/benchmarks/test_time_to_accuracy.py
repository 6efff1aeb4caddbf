"""A run that never arrives is no number, and counts as infinity."""

import processes
import time_to_accuracy
from time_to_accuracy import OURS, make_table


def run_of(seconds, epochs=1, accuracy=0.98):
    """What a run leaves."""
    return {"seconds": seconds, "epochs": epochs, "accuracy": accuracy}


def row_of(runs, who, max_epochs=20):
    """The cells of a row of the table, by column."""
    lines = [line[2:-2].split(" | ") for line in make_table(runs, max_epochs).splitlines()]
    return next(dict(zip(lines[0], line)) for line in lines if line[0] == who)


def test_a_minority_that_never_arrives_counts_as_slowest():
    """The median of 10, 30 and infinity is 30."""
    runs = {OURS: [run_of(5)] * 3, "torch": [run_of(30), run_of(None, 20, 0.97), run_of(10)]}
    row = row_of(runs, "torch")
    assert row["median s"] == "30.0"
    assert row["seconds / ours"] == "6.0"
    assert row["reached"] == "2 of 3"


def test_a_majority_that_never_arrives_is_said():
    """And there is no ratio."""
    runs = {OURS: [run_of(5)] * 3, "torch": [run_of(None, 20, 0.97)] * 2 + [run_of(10)]}
    row = row_of(runs, "torch")
    assert row["median s"] == "not within 20 epochs"
    assert row["seconds / ours"] == "-"
    assert row["epochs: accuracy"].startswith("20: 97.00 %, ")


def test_ours_may_fail_too():
    """Its epochs are the recipe's, not PyTorch's limit."""
    runs = {OURS: [run_of(None, 1, 0.979)], "torch": [run_of(10)]}
    assert row_of(runs, OURS)["median s"] == "not within 1 epoch"
    assert row_of(runs, "torch")["seconds / ours"] == "-"


def test_all_seeds_run_the_optimizer_that_seed_0_chose(monkeypatch):
    """The other one runs once."""

    def run_process(program, command, tuned=False):
        if program == "peers.py":
            return {"basic_lstm:2:64": 2 if "--mode=1" in command else 1}
        assert "--peer=ours" in command or "--threads=1" in command
        return run_of(7 if "--optimizer=sgd" in command else None)

    monkeypatch.setattr(time_to_accuracy, "run_process", run_process)
    monkeypatch.setattr(time_to_accuracy, "thread_counts", lambda: [1, 2])
    runs = time_to_accuracy.run(processes.Record(None, {}), [], 3)
    assert {who: len(results) for who, results in runs.items()} == {
        time_to_accuracy.OURS: 3,
        "torch adadelta, allocator tuned": 1,
        "torch sgd, allocator tuned": 3,
        "torch sgd, as installed": 3,
    }
