"""Rows against a recount with NumPy, and what is written of them."""

import csv
import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from rnn_mnist_tf.study import (
    format_csv,
    format_json,
    format_markdown,
    merge_seeds,
    parse_grids,
)
from rnn_mnist_tf.study.table import varying_flags
from tests.study.records import make_record


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_seeds_are_merged(seeds, seed):
    """Means, and a spread with n - 1 where there are two; only of points that are done."""
    random = np.random.default_rng(seed)
    points = parse_grids(["cell:gru,lstm;num_layers:1,2"], seeds=seeds)
    done = [point for point in points if random.random() < 0.7]
    records = {point.name: make_record(random) for point in done}
    rows = merge_seeds(points, records)
    assert [name for row in rows for name in row["points"]] == [point.name for point in done]
    for row in rows:
        cell, layers = row["flags"]["cell"], row["flags"]["num_layers"]
        members = [p for p in done if (p.config.cell, p.config.num_layers) == (cell, layers)]
        assert row["points"] == [point.name for point in members]
        results = [records[point.name]["result"] for point in members]
        errors = 100 - 100 * np.array([result["test_accuracy"] for result in results])
        assert row["seeds"] == len(members)
        assert row["test_error_percent"] == pytest.approx(errors.mean())
        if len(members) == 1:
            assert row["test_error_spread"] is None
        else:
            spread = np.sqrt(np.sum((errors - errors.mean()) ** 2) / (len(errors) - 1))
            assert row["test_error_spread"] == pytest.approx(spread, abs=1e-9)
        validation = 100 - 100 * np.mean([result["val_accuracy"] for result in results])
        assert row["validation_error_percent"] == pytest.approx(validation)
        fastest = min(results, key=lambda result: result["train_seconds"])
        assert row["train_seconds"] == fastest["train_seconds"]
        rates = [2 * result["train_examples"] / result["train_seconds"] for result in results]
        assert row["images_per_second"] == pytest.approx(max(rates))
        assert row["parameters"] == results[0]["parameters"]


def test_cores_are_a_configuration():
    """The same model on other cores is another row."""
    points = parse_grids(["cores:1,2"], seeds=2)
    records = {point.name: make_record() for point in points}
    assert [row["flags"] for row in merge_seeds(points, records)] == [{"cores": 1}, {"cores": 2}]


@pytest.mark.parametrize(
    ("grids", "names"),
    [
        (["cell:gru,lstm+cell_clip=1;num_units:5"], ["cell", "cell_clip"]),
        (["num_layers:1,2;cell:gru,lstm"], ["cell", "num_layers"]),
        (["cell:gru", "scan:columns"], ["scan", "cell"]),
        (["num_units:5"], ["num_units"]),
        (["seed:1,2"], []),
    ],
)
def test_columns(grids, names):
    """What differs, in the order of the flags; what the grid set, if nothing does."""
    assert varying_flags(parse_grids(grids)) == names


def rows_of(seeds=1, **options):
    """Two rows, the second without a validation part."""
    points = parse_grids(["cell:gru,lstm+cell_clip=1.5"], seeds=seeds)
    records = {point.name: make_record(**options) for point in points}
    del records[points[-1].name]["result"]["val_accuracy"]
    return merge_seeds(points, records)


def test_markdown():
    """Figures for people: rounded, blank where there are none."""
    lines = format_markdown(rows_of()).splitlines()
    assert lines[0].startswith("| cell | cell_clip | seeds | test error % | spread |")
    assert "batch" not in lines[0]
    assert {line.count("|") for line in lines} == {10}
    cells = [cell.strip() for cell in lines[3].split("|")[1:-1]]
    assert cells == ["lstm", "1.5", "1", "12.50", "", "", "12,345", "2.5", "1,500"]


def test_csv():
    """Figures for machines, as they are."""
    first, second = csv.DictReader(format_csv(rows_of(seeds=1)).splitlines())
    assert (first["cell"], first["cell_clip"], first["seeds"]) == ("gru", "0", "1")
    assert float(first["test_error_percent"]) == 12.5
    assert float(first["validation_error_percent"]) == 25
    assert second["validation_error_percent"] == second["test_error_spread"] == ""


def test_json():
    """All of the rows, and whose they are."""
    rows = rows_of(seeds=2)
    assert json.loads(format_json(rows)) == rows
    assert rows[0]["points"] == ["cell=gru,seed=0", "cell=gru,seed=1"]
    assert [row["label"] for row in rows] == ["gru", "lstm cell_clip=1.5"]


def test_the_speed_has_columns_where_it_was_measured():
    """Two more figures, means over the seeds."""
    rows = rows_of(analyses={"speed": {"batch_1": 0.5, "batch_100": 0.25}})
    assert "| 0.500 | 0.250 |" in format_markdown(rows)
    assert [row["batch_100_ms"] for row in rows] == [0.25, 0.25]
    assert "batch_1_ms,batch_100_ms,disturbed" in format_csv(rows)


def test_all_times_of_disturbed_rows_are_marked():
    """Those that were measured while other work ran beside; errors are what they are."""
    rows = rows_of(analyses={"speed": {"batch_1": 0.5, "batch_100": 0.25}})
    rows[1]["disturbed"] = True
    header, _, quiet, disturbed = (line.split("|") for line in format_markdown(rows).splitlines())
    assert not any("disturbed" in cell for cell in quiet)
    marked = [name.strip() for name, cell in zip(header, disturbed) if "(disturbed)" in cell]
    assert marked == [
        "seconds of training, fastest undisturbed seed",
        "images/s",
        "ms an image, batch 1",
        "ms an image, batch 100",
    ]
    lines = csv.DictReader(format_csv(rows).splitlines())
    assert [line["disturbed"] for line in lines] == ["False", "True"]


def test_no_rows():
    """Before the first point is done there is nothing to show."""
    assert (format_markdown([]), format_csv([]), json.loads(format_json([]))) == ("", "", [])
