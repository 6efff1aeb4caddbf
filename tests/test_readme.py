"""README.md against the records, the flags and the files that it speaks of."""

import json
import pathlib
import re
import statistics

import pytest
from absl import flags

from rnn_mnist_tf import analyze, compare, evaluate, export, predict, results, semantics, train

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RECORDS = {
    "article": "article/scan=columns,seed=*.json",
    **{name: f"{name}/seed=*.json" for name in ("fast", "best_rnn", "best_hybrid", "quickstart")},
}
PROGRAMS = (analyze, compare, evaluate, export, predict, results, semantics, train)
OF_OTHERS = {"help", "flagfile"}  # absl's own


def results_of(name):
    """The results of a recipe's records, by seed."""
    paths = sorted((ROOT / "results").glob(RECORDS[name]))
    return [json.loads(path.read_text())["result"] for path in paths]


@pytest.mark.parametrize("name", RECORDS)
def test_recipes(name):
    """Accuracies by seed, their mean and the parameters are those of the records."""
    (row,) = re.findall(rf"^\| `{name}.flags` .*$", README, re.MULTILINE)
    _, _, what, by_seed, mean, *_ = (cell.strip() for cell in row.split("|"))
    accuracies = [100 * result["test_accuracy"] for result in results_of(name)]
    places = 1 if name == "quickstart" else 2
    assert by_seed == ", ".join(f"{one:.{places}f}" for one in accuracies) + " %"
    assert mean == f"**{statistics.fmean(accuracies):.{places}f} %**"
    for parameters in re.findall(r"([\d,]+) parameters", what):
        assert parameters == f"{results_of(name)[0]['parameters']:,}"


def test_shipped_models():
    """Their accuracies are those of seed 0, which is the one that is shipped."""
    (text,) = re.findall(r"Four models come with the package.*?last three commands", README, re.S)
    stated = re.findall(r"`(?:--pretrained=)?(\w+)`\s\((\d\d\.\d\d) %", text)
    assert len(stated) == 4
    for name, accuracy in stated:
        assert accuracy == f"{100 * results_of(name)[0]['test_accuracy']:.2f}"


def test_flags():
    """Every flag in the text is one of some program's."""
    known = set(OF_OTHERS)
    for program in PROGRAMS:
        values = flags.FlagValues()
        program.define_flags(values)
        known |= set(values)
    known |= {f"no{name}" for name in known}
    stated = set(re.findall(r"--([a-z_]+)", README)) - {"traceback"}
    assert len(stated) > 50
    assert stated <= known, stated - known


def test_links_and_flag_files():
    """Files that it names are there."""
    names = re.findall(r"\]\((\w[^):]*)\)", README) + re.findall(r"flags/[\w/]+\.flags", README)
    assert len(names) > 5
    for name in names:
        assert (ROOT / name).exists(), name
