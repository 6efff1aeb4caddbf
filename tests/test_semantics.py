"""The program that answers whether the final state is the last output."""

import json

import numpy as np
import pytest
from PIL import Image

from rnn_mnist_tf import semantics
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell
from tests.doors import Answer, assert_refused


@pytest.fixture(scope="module")
def answers():
    """The answers to all cases."""
    return semantics.run()


def test_every_verdict_holds(answers):
    """All cases come out as they must, for other weights and inputs too."""
    assert [a["name"] for a in answers if not a["ok"]] == []
    assert [a["name"] for a in semantics.run(seed=7) if not a["ok"]] == []


def test_the_article_s_answer(answers):
    """Of {vanilla, GRU, LSTM} x {1, 2, 3}, the state is the last output for two."""
    article = [a for a in answers if a["keras"]]
    assert len(article) == 9
    yes = [a["name"] for a in article if a["state_is_last_output"]]
    assert yes == ["vanilla, 1 layer", "GRU, 1 layer"]
    for a in article:
        same = a["same_parts"][0]
        assert same.endswith(".h") == a["name"].startswith("LSTM")
        assert f"[{a['layers'] - 1}]" in same or a["layers"] == 1


def test_what_the_article_leaves_out(answers):
    """Nothing else but a time-major GRU has a state that is the last output."""
    others = [a for a in answers if not a["keras"]]
    assert len(others) == 11
    yes = [a["name"] for a in others if a["state_is_last_output"]]
    assert yes == ["GRU, time_major (outputs[-1])"]


def test_a_wrong_expectation_is_seen(monkeypatch, capsys):
    """A verdict that fails is a non-zero exit code."""
    wrong = semantics.Case("wrong", lambda: BasicLSTMCell(4), ("state.c",))
    monkeypatch.setattr(semantics, "further_cases", lambda: [wrong])
    monkeypatch.setattr(semantics, "article_cases", lambda: [])
    assert semantics.cli(["semantics"]) == 1
    assert capsys.readouterr().err == "semantics: error: not as expected: wrong\n"


def test_other_weights_on_the_side_of_keras_are_seen(monkeypatch):
    """Keras's layers with other weights do not pass for the same."""

    def shifted(cell, inputs, outputs, state):
        cell.set_weights([w + 0.01 for w in cell.get_weights()])
        return compare(cell, inputs, outputs, state)

    compare = semantics.compare_with_keras
    monkeypatch.setattr(semantics, "compare_with_keras", shifted)
    case = semantics.Case("GRU", lambda: GRUCell(4), ("state",), keras=True)
    assert not semantics.answer(case)["ok"]


@pytest.mark.parametrize("form", semantics.FORMATS)
def test_formats(form, capsys):
    """Every case stands in every format."""
    assert semantics.cli(["semantics", f"--format={form}"]) == 0
    shown = capsys.readouterr().out
    names = [case.name for case in (*semantics.article_cases(), *semantics.further_cases())]
    assert all(name in shown for name in names)
    if form == "json":
        assert [a["name"] for a in json.loads(shown)] == names
    if form == "markdown":
        lines = shown.strip().splitlines()
        assert len(lines) == len(names) + 2
        assert {line.count("|") for line in lines} == {6}


def test_picture(tmp_path, capsys):
    """The diagrams are a picture with both colours of the verdicts in it."""
    path = tmp_path / "diagrams.png"
    assert semantics.cli(["semantics", f"--picture={path}"]) == 0
    capsys.readouterr()
    with Image.open(path) as image:
        colors = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0).tolist()
    assert [144, 238, 144] in colors  # lightgreen
    assert [255, 160, 122] in colors  # lightsalmon


@pytest.mark.parametrize("picture", ["diagrams.jpg", "diagrams", "none/x.png", "folder.png"])
def test_a_wrong_picture(picture, tmp_path, capsys, monkeypatch):
    """One line that names it, before any case is run."""
    monkeypatch.setattr(semantics, "run", lambda _: pytest.fail("run"))
    (tmp_path / "none").touch()
    (tmp_path / "folder.png").mkdir()
    code = semantics.cli(["semantics", f"--picture={tmp_path / picture}"])
    assert_refused(Answer(code, *capsys.readouterr()), 1, "semantics: error: ", picture)
