"""The records that are shipped: of the flag files, and what the report says of them."""

import pathlib

import pytest

from rnn_mnist_tf import results
from rnn_mnist_tf.study.claims import SECTIONS
from tests.flag_files import recipe_points, study_points

HOME = pathlib.Path(results.__file__).parents[1]


@pytest.mark.parametrize("name", [*results.RECIPES, *SECTIONS])
def test_records_are_of_the_flag_files(name):
    """Whoever changes a recipe or a study measures it anew."""
    study = results.read_study(HOME / "results" / name)
    points = study_points(name) if name in SECTIONS else recipe_points(name)
    measured = {point.name: point.config for point in study.points}
    assert measured.keys() == {point.name for point in points}
    for point in points:
        dataset = measured[point.name].dataset
        of_files = point.config.dataset == "mnist" and dataset == "idx"  # MNIST's own files
        assert of_files or dataset == point.config.dataset
        expected = {**point.config.without_places(), "dataset": dataset}
        assert measured[point.name].without_places() == expected


def test_the_report_that_is_shipped_is_of_the_records():
    """Whoever changes a record or a sentence writes it anew."""
    studies, tried = results.read_studies(HOME / "results"), results.read_tried(HOME / "results")
    text = results.format_report(studies, tried, HOME / "results")
    assert text == (HOME / "RESULTS.md").read_text()
