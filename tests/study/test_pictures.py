"""Which pictures there are, and that they can be opened."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rnn_mnist_tf.study import merge_seeds, parse_grids, pictures, save_pictures
from rnn_mnist_tf.study.pictures import draw_by_value, draw_learning_curves
from tests.study.records import make_record, speed


def save(directory, grids, seeds=1, **options):
    """Draws the pictures of a study. Returns their names."""
    random = np.random.default_rng(0)
    points = parse_grids(grids, seeds=seeds)
    records = {point.name: make_record(random, **options) for point in points}
    save_pictures(directory, points, records, merge_seeds(points, records))
    for path in directory.iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_picture_an_axis(tmp_path, seeds):
    """Of each axis with more than one value, but the seeds; two of all points."""
    grids = ["cell:gru,lstm+cell_clip=1;num_layers:1,2,3;scan:rows", "scan:columns;seed:0,1"]
    expected = {"error_by_seconds", "learning_curves", "error_by_cell", "error_by_num_layers"}
    expected |= {"error_by_scan"}
    assert save(tmp_path, grids, seeds) == {f"{name}.png" for name in expected}


@pytest.mark.parametrize(
    "grids", [["cell:gru"], ["num_units:1,2,3,4,5,6,7,8;num_layers:1,2,3,4,5"]]
)
def test_few_points_and_many(tmp_path, grids):
    """One point has a picture, and so have forty, of one epoch as of two."""
    assert "error_by_seconds.png" in save(tmp_path, grids)
    assert "learning_curves.png" in save(tmp_path, grids, epochs=1)


def test_forgetting(tmp_path):
    """A curve over steps where it was measured."""
    names = save(tmp_path, ["cell:gru,lstm"], analyses={"forgetting": [1e-5, 1e-3, 1.0]})
    assert "forgetting.png" in names


def test_times_by_axis(tmp_path):
    """Where speed was measured, and nothing disturbed it; cores have no errors of their own."""
    grids = ["image_size:14,28;cores:1,2;cell:gru"]
    always = {"error_by_image_size.png", "error_by_seconds.png", "learning_curves.png"}
    times = {"time_by_image_size.png", "time_by_cores.png"}
    assert save(tmp_path, grids, analyses=speed(1.0)) == always | times
    points = parse_grids(grids)
    records = {point.name: make_record(analyses=speed(1.0)) for point in points}
    records[points[0].name]["disturbed"] = True
    save_pictures(tmp_path, points, records, merge_seeds(points, records))
    assert {path.name for path in tmp_path.iterdir()} == always


def test_milliseconds_an_image(tmp_path, monkeypatch):
    """Those of training: two epochs of 1,875 images in 2.5 seconds are 0.667 each."""
    drawn = {}
    monkeypatch.setattr(
        pictures,
        "draw_by_value",
        lambda axis, groups, label: drawn.update({(axis, label): groups}) or Figure(),
    )
    points = parse_grids(["image_size:14,28"])
    records = {point.name: make_record(analyses=speed(1.0)) for point in points}
    save_pictures(tmp_path, points, records, merge_seeds(points, records))
    (runs,) = drawn["image_size", "training, ms an image"].values()
    assert runs == {"14": [pytest.approx(2 / 3)], "28": [pytest.approx(2 / 3)]}


def test_nothing_is_drawn_of_nothing(tmp_path):
    """Before the first point is done there are no pictures."""
    save_pictures(tmp_path, parse_grids(["cell:gru"]), {}, [])
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_an_earlier_study_are_gone(tmp_path):
    """Of an axis that it has no more, of what is not measured, of times that other work disturbed.

    Other files stay.
    """
    analyses = {"forgetting": [1.0, 2.0]}
    before = save(tmp_path, ["cell:gru,lstm;num_layers:1,2"], analyses=analyses)
    assert {"error_by_cell.png", "error_by_num_layers.png", "forgetting.png"} < before
    Image.new("L", (1, 1)).save(tmp_path / "mine.png")
    points = parse_grids(["cell:gru,lstm"])
    records = {point.name: {**make_record(), "disturbed": True} for point in points}
    records[points[1].name]["result"]["test_accuracy"] = 0.5
    save_pictures(tmp_path, points, records, merge_seeds(points, records))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"error_by_cell.png", "learning_curves.png", "mine.png"}


def test_dots_are_the_errors():
    """Every run is a dot above its value; means are those of equal other choices."""
    groups = {"tap=1": {"rows": [1.0, 3.0], "both": [5.0]}, "tap=2": {"positions": [4.0]}}
    (axes,) = draw_by_value("serialize", groups, "test error, %").axes
    dots = [found.get_offsets().tolist() for found in axes.collections]
    assert dots == [[[0, 1], [0, 3]], [[1, 5]], [[2, 4]]]
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[0, 2], [1, 5]], [[2, 4]]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rows", "both", "positions"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["tap=1", "tap=2"]
    assert axes.get_yscale() == "linear"
    assert {line.get_linestyle() for line in axes.lines} == {"None"}
    # Numbers stand by size, whichever point was done first.
    groups = {"": {"2": [2.0], "10": [1.0]}, "x": {"1": [3.0]}}
    (axes,) = draw_by_value("tap", groups, "test error, %").axes
    assert {line.get_linestyle() for line in axes.lines} == {"-"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "10"]


def test_one_line_needs_no_legend():
    """And errors far apart stand on a logarithmic axis."""
    (axes,) = draw_by_value("scan", {"": {"rows": [1.0], "pixels": [88.0]}}, "test error, %").axes
    assert axes.get_legend() is None
    assert axes.get_yscale() == "log"


def test_lines_of_a_study(tmp_path, monkeypatch):
    """Seeds are merged, other choices are not."""
    drawn = {}
    figure = Figure()
    monkeypatch.setattr(
        pictures,
        "draw_by_value",
        lambda axis, groups, label: drawn.update({axis: groups}) or figure,
    )
    save(tmp_path, ["num_layers:1,2;cell:gru", "num_layers:2;cell:lstm"], seeds=2)
    assert {name: list(errors) for name, errors in drawn["num_layers"].items()} == {
        "cell=gru": ["1", "2"],
        "cell=lstm": ["2"],
    }
    assert {len(found) for errors in drawn["num_layers"].values() for found in errors.values()} == {
        2
    }


def test_learning_curves_are_means_over_seeds():
    """The validation error by epoch; the loss where one run has no validation part."""
    points = parse_grids(["cell:gru"], seeds=2)
    records = {point.name: make_record() for point in points}
    records[points[1].name]["curve"][0]["val_accuracy"] = 0.125
    rows = merge_seeds(points, records)
    (axes,) = draw_learning_curves(rows, records).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 75], [2, 25]])
    del records[points[0].name]["curve"][0]["val_accuracy"]
    (axes,) = draw_learning_curves(rows, records).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 1], [2, 0.5]])
