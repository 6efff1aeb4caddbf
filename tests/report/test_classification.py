"""Scores against a recount by hand, the table, the picture."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from rnn_mnist_tf.report import classification_scores, format_scores, save_confusion_matrix

NAMES = ["zero", "one", "two", "three"]


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=30))
def test_scores_are_counts(pairs):
    """Precision and recall are shares of what was counted; of nothing, they are 0."""
    labels, predicted = np.array(pairs).T
    scores = classification_scores(labels, predicted, NAMES)
    hits = [label for label, guess in pairs if label == guess]
    assert scores["examples"] == len(pairs)
    assert scores["errors"] == len(pairs) - len(hits)
    assert scores["accuracy"] == pytest.approx(len(hits) / len(pairs))
    assert [c["name"] for c in scores["classes"]] == NAMES
    for index, c in enumerate(scores["classes"]):
        right = hits.count(index)
        guessed = sum(guess == index for _, guess in pairs)
        there = sum(label == index for label, _ in pairs)
        assert c["examples"] == there
        assert c["precision"] == pytest.approx(right / guessed if guessed else 0)
        assert c["recall"] == pytest.approx(right / there if there else 0)


def test_the_table_has_every_class():
    """A heading, a line a class, and the accuracy over all."""
    scores = classification_scores(np.array([0, 0, 0, 2]), np.array([0, 0, 1, 2]), NAMES)
    lines = [line.split() for line in format_scores(scores).splitlines()]
    assert lines == [
        ["accuracy", "0.7500", "over", "4", "examples,", "1", "errors"],
        ["class", "precision", "recall", "examples"],
        ["zero", "1.0000", "0.6667", "3"],
        ["one", "0.0000", "0.0000", "0"],
        ["two", "1.0000", "1.0000", "1"],
        ["three", "0.0000", "0.0000", "0"],
    ]


def test_long_names_keep_their_columns():
    """Names longer than most end before their figures begin, and the columns stay columns."""
    names = ["a", "a class with a long name"]
    scores = classification_scores(np.array([0, 1]), np.array([0, 1]), names)
    lines = format_scores(scores).splitlines()[1:]
    assert len({len(line) for line in lines}) == 1
    assert "a class with a long name " in lines[-1]


@pytest.mark.parametrize("classes", [2, 40, 60, 150])
def test_the_picture(tmp_path, classes):
    """A PNG that shows more than one colour, in place of the one before."""
    path = tmp_path / "confusion_matrix.png"
    path.write_text("old")
    labels = np.arange(200) % classes
    predicted = np.where(labels == 1, 0, labels)
    save_confusion_matrix(path, labels, predicted, [str(label) for label in range(classes)])
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 400 <= min(image.size) <= max(image.size) <= 3000
        assert len(image.convert("RGB").getcolors(2**24)) > 10
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
