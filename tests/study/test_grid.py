"""Grids: how many points, what they are called, and what is no grid."""

import dataclasses
import math
import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies as st

from rnn_mnist_tf import compare
from rnn_mnist_tf.study import GridError, parse_grids
from rnn_mnist_tf.training import TrainConfig
from tests.flag_files import FLAGS, read_flags, study_points

STUDIES = sorted(FLAGS.glob("studies/*.flags"))

# Of each flag some values, as people write them.
VALUES = {
    "data_dir": ["a/b", "../c d", "e=f&g", "é"],
    "scan": ["rows", "columns", "pixels"],
    "cell": ["gru", "lstm", "lstm+use_peepholes=true", "lstm+use_peepholes=true+cell_clip=0.5"],
    "num_units": ["1", "20", "300"],
    "bidirectional": ["true", "false"],
    "learning_rate": ["0.001", "1e-07", "1e+30", "3"],
    "seed": ["0", "1", "17"],
    "cores": ["1", "2"],
}
GRIDS = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), min_size=1).flatmap(
    lambda axes: st.fixed_dictionaries(
        {
            axis: st.lists(st.sampled_from(VALUES[axis]), min_size=1, unique=True)
            for axis in sorted(axes)
        }
    )
)


def text_of(grid):
    """The grid as it is written."""
    return ";".join(f"{axis}:{','.join(values)}" for axis, values in grid.items())


def settings_of(axis, value):
    """What a value sets, as texts."""
    first, *further = value.replace("1e+30", "1e30").split("+")
    return {axis: first, **dict(setting.split("=") for setting in further)}


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(GRIDS, st.integers(1, 3))
def test_a_grid_is_a_product(grid, seeds):
    """As many points as combinations, times the seeds if no axis sets them; all names differ."""
    points = parse_grids([text_of(grid)], seeds=seeds)
    combinations = math.prod(map(len, grid.values())) * (1 if "seed" in grid else seeds)
    assert len(points) == combinations
    assert len({point.name for point in points}) == combinations
    assert len({point.identity for point in points}) == combinations


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(GRIDS, st.integers(1, 3))
def test_a_name_says_what_the_grid_set(grid, seeds):
    """Read back, the names are the combinations; all that they leave out is the base's."""
    base = TrainConfig(num_layers=3, seed=5 if seeds == 1 else 0)
    points = parse_grids([text_of(grid)], base, cores=7, seeds=seeds)
    found = []
    for point in points:
        assert "/" not in point.name
        texts = dict(part.split("=") for part in point.name.split(","))
        texts = {name: urllib.parse.unquote(text) for name, text in texts.items()}
        found.append({name: text.replace("1e+30", "1e30") for name, text in texts.items()})
        assert set(texts) == set(point.settings)
        for name in {*dataclasses.asdict(base), "cores"} - set(texts):
            assert point.value(name) == (7 if name == "cores" else getattr(base, name))
    expected = [{"seed": str(seed)} for seed in (range(seeds) if seeds > 1 else [5])]
    for axis, values in grid.items():
        expected = [{**e, **settings_of(axis, value)} for e in expected for value in values]
    unique = {tuple(sorted(settings.items())) for settings in expected}
    assert {tuple(sorted(settings.items())) for settings in found} == unique


def test_values_have_their_flags_types():
    """What reaches the configuration is no text."""
    text = "cell:lstm+use_peepholes=True+cell_clip=1;num_units:7;learning_rate:1e+1;cores:2"
    (point,) = parse_grids([text])
    c = point.config
    assert (c.cell, c.use_peepholes, c.cell_clip) == ("lstm", True, 1.0)
    assert (c.num_units, c.learning_rate, point.cores) == (7, 10.0, 2)


def test_grids_are_a_union():
    """A point of two grids runs once, in whatever order its axes are written."""
    first = parse_grids(["cell:gru,lstm;num_layers:1,2"])
    both = parse_grids(["cell:gru,lstm;num_layers:1,2", "num_layers:2,3;cell:lstm"])
    assert [point.name for point in both[:4]] == [point.name for point in first]
    assert [point.name for point in both[4:]] == ["cell=lstm,num_layers=3,seed=0"]
    # The base has two layers, so this point is there, under another name.
    assert len(parse_grids(["cell:gru,lstm;num_layers:1,2", "cell:gru"])) == 4


def test_a_grid_with_seeds_of_its_own_keeps_them():
    """--seeds is for the others."""
    points = parse_grids(["scan:rows", "scan:pixels;seed:4", "scan:columns+seed=3"], seeds=2)
    found = [(point.config.scan, point.config.seed) for point in points]
    assert found == [("rows", 0), ("rows", 1), ("pixels", 4), ("columns", 3)]


def test_long_values_are_file_names():
    """Names stay short enough for file systems, and different."""
    values = [f"{'x' * 300}{end}" for end in "ab"]
    names = [point.name for point in parse_grids([f"data_dir:{','.join(values)}"])]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 240 for name in names)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("colour:red", ["'colour'", "no flag", "'cell'"]),
        ("workdir:a,b", ["'workdir'"]),
        ("cell:gpu", ["cell='gpu'", "basic_lstm"]),
        ("num_layers:two", ["num_layers='two'", "whole number"]),
        ("num_layers:1.5", ["num_layers='1.5'", "whole number"]),
        ("learning_rate:fast", ["learning_rate='fast'", "a number"]),
        ("learning_rate:nan", ["learning_rate=nan", "finite"]),
        ("residual:maybe", ["residual='maybe'", "true or false"]),
        ("num_units:0", ["num_units=0", "at least 1"]),
        ("ema_momentum:2", ["ema_momentum=2", "at most"]),
        ("cores:-1", ["cores=-1", "at least 0"]),
        ("cell", ["'cell'", "malformed"]),
        ("cell:", ["'cell:'", "malformed"]),
        ("cell:gru,", ["malformed"]),
        (":gru", ["malformed"]),
        ("", ["malformed"]),
        ("cell:gru;;num_layers:1", ["malformed"]),
        ("cell:lstm+use_peepholes", ["lstm+use_peepholes"]),
        ("cell:lstm+peepholes=true", ["'peepholes'", "no flag"]),
        ("cell:lstm+cell_clip=1;cell_clip:2", ["cell_clip", "twice", "1", "2"]),
        ("cell:gru;cell:lstm", ["cell", "twice"]),
    ],
)
def test_what_is_no_grid(grid, words):
    """An error that shows the grid and says what is wrong with it."""
    with pytest.raises(GridError) as error:
        parse_grids(["num_layers:1", grid])
    assert [word for word in [f"--grid={grid}", *words] if word not in str(error.value)] == []


def test_filters_have_slashes():
    """Commas stand between the networks of an axis."""
    points = parse_grids(["filters:16/24,32/48/64;tap:2;model:cnn_rnn"])
    assert [point.config.filters for point in points] == ["16,24", "32,48,64"]
    with pytest.raises(GridError, match="filters:16/24/32"):
        parse_grids(["filters:16,24,32;model:cnn_rnn"])


def test_seeds_beside_a_seed():
    """Several seeds start at 0, so one of the run's own would be lost."""
    base = dataclasses.replace(TrainConfig(), seed=5)
    with pytest.raises(GridError, match="Received seeds=3 and seed=5, expected one of them"):
        parse_grids(["cell:gru"], base, seeds=3)
    assert [point.config.seed for point in parse_grids(["cell:gru"], base)] == [5]
    assert [point.config.seed for point in parse_grids(["seed:5,6"], seeds=1)] == [5, 6]


def test_no_grid():
    """There is nothing to compare without one."""
    with pytest.raises(GridError, match="--grid="):
        parse_grids([])


# How many points the question of each study has.
SIZES = {"article": 6, "cells": 42, "memory": 24, "scans": 15, "size": 20, "smoke": 3, "taps": 42}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies(path):
    """Every flag file is one of compare, in a workdir of its name."""
    assert read_flags(compare, path).workdir == f"runs/studies/{path.stem}"
    assert len(study_points(path.stem)) == SIZES[path.stem]
