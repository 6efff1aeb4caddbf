"""The analyze door: what it measures, and where it writes."""

import json

import numpy as np
import pytest

from rnn_mnist_tf import analyze
from rnn_mnist_tf.report.analyses import forgetting
from rnn_mnist_tf.training.workdir import load_model
from tests.doors import Answer, assert_refused


@pytest.fixture
def knock(capsys):
    """Returns a function that runs the door in this process."""

    def run(*arguments):
        return Answer(analyze.cli(["analyze", *map(str, arguments)]), *capsys.readouterr())

    return run


def test_the_door(knock, trained, tmp_path, mnist5k):
    """The figures of the first 500 training images are printed and written; others stay."""
    path = tmp_path / "analyses.json"
    path.write_text('{"other": 1, "forgetting": 2}')
    arguments = [f"--workdir={trained}", f"--output={path}", "--analyses=forgetting"]
    answer = knock(*arguments)
    figures = json.loads(answer.out)
    assert (answer.code, answer.err, list(figures)) == (0, "", ["forgetting"])
    assert json.loads(path.read_text()) == {"other": 1, **figures}
    expected = forgetting(load_model(trained)[0], mnist5k.train_images[:500])
    np.testing.assert_allclose(figures["forgetting"], expected, rtol=1e-5)


def test_all_analyses_are_the_default(trained, digits):
    """Both are there, of any data set."""
    figures = analyze.run(trained, dataset=digits)
    assert set(figures) == {"forgetting", "speed"}
    assert len(figures["forgetting"]) == 28
    assert all(milliseconds > 0 for milliseconds in figures["speed"].values())


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--analyses=taste"], 2, "forgetting, speed"),
        (["--cores=-1"], 2, "cores"),
        ([], 1, "--workdir"),
        (["--workdir=/none"], 1, "/none"),
    ],
)
def test_wrong_input(knock, arguments, code, word):
    """One line that names the mistake."""
    assert_refused(knock(*arguments), code, "analyze: error: ", word)


@pytest.mark.parametrize("content", ["", "[1]", "5", "null", "{", None])
def test_a_wrong_output(trained, digits, tmp_path, content, monkeypatch):
    """An error that names it, before anything is measured; what is there stays."""
    monkeypatch.setitem(analyze.ANALYSES, "speed", lambda *_: pytest.fail("measured"))
    path = tmp_path / "mine.json"
    path.mkdir() if content is None else path.write_text(content)
    with pytest.raises(ValueError, match=f"output='{path}'"):
        analyze.run(trained, ["speed"], digits, str(path))
    assert content is None or path.read_text() == content


def test_an_output_that_cannot_be_written(trained, digits, tmp_path):
    """So is a place where no file can be."""
    (tmp_path / "file").touch()
    for output in ("/proc/none/x.json", tmp_path / "file" / "x.json"):
        with pytest.raises(ValueError, match=str(output)):
            analyze.run(trained, ["speed"], digits, str(output))
