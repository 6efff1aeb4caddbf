"""The report: every number in it is in the records, every link leads somewhere."""

import json
import pathlib
import re
import statistics
import urllib.parse

import numpy as np
import pytest

from rnn_mnist_tf import results
from rnn_mnist_tf.study.claims import SECTIONS
from tests.doors import Answer, assert_refused
from tests.files import contents_and_times
from tests.study.records import change, damage, write_study

CELLS = "cell:basic_rnn,gru,lstm,lstm+use_peepholes=true,lstm+use_peepholes=true+cell_clip=1"
GRIDS = {
    "cells": [f"{CELLS};num_layers:1,2,10"],
    "memory": ["blank_steps:0,28,112;cell:gru,basic_lstm"],
    "quickstart": ["seed:0,1,2"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A directory with the records of two studies and a recipe, and the report of them."""
    here = tmp_path_factory.mktemp("report")
    random = np.random.default_rng(0)
    write_study(here / "results", "cells", GRIDS["cells"], random, seeds=2)
    write_study(here / "results", "memory", GRIDS["memory"], random)
    alike = {"test_examples": 1000, "parameters": 163_338}
    write_study(here / "results", "quickstart", GRIDS["quickstart"], random, **alike)
    assert results.run(here / "results", here / "RESULTS.md") == ["quickstart", "cells", "memory"]
    return here


@pytest.fixture
def small(tmp_path):
    """A directory of results with one study, to be changed at will."""
    write_study(tmp_path / "results", "memory", GRIDS["memory"], np.random.default_rng(0))
    return tmp_path / "results"


@pytest.fixture
def call_results(capsys):
    """Returns a function that runs the program in this process."""

    def call(directory, output):
        capsys.readouterr()
        code = results.cli(["results", f"--results={directory}", f"--output={output}"])
        return Answer(code, *capsys.readouterr())

    return call


def section(text, title):
    """The part of a report under a heading."""
    (part,) = [part for part in text.split("\n## ") if part.startswith(f"{title}\n")]
    return part


def tables(text):
    """The rows of a text's tables: dicts of cells by heading."""
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table_lines(text)]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def table_lines(text):
    """Lines of tables, with a blank in empty cells so that they can be told apart."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line.replace("|  |", "| - |").replace("|  |", "| - |") for line in lines]


def read_records(directory, **settings):
    """The records in a directory whose configuration has these fields, by seed."""
    records = [json.loads(path.read_text()) for path in directory.glob("*.json")]
    found = [record for record in records if settings.items() <= record["config"].items()]
    return sorted(found, key=lambda record: record["seed"])


def test_the_recipe(made):
    """Errors by seed and their mean, over how many images, parameters, seconds."""
    (line,) = tables(section((made / "RESULTS.md").read_text(), "Recipes"))
    records = read_records(made / "results" / "quickstart")
    assert [record["seed"] for record in records] == [0, 1, 2]
    found = [100 - 100 * record["result"]["test_accuracy"] for record in records]
    seconds = [record["result"]["train_seconds"] for record in records]
    assert line["recipe"] == "[`quickstart.flags`](results/quickstart)"
    assert line["test images"] == "1,000"
    assert line["test error %, by seed"] == ", ".join(f"{error:.2f}" for error in found)
    assert line["mean"] == f"{statistics.mean(found):.2f}"
    assert line["parameters"] == "163,338"
    assert line["seconds of training, fastest undisturbed seed"] == f"{min(seconds):.1f}"


def test_times_that_other_work_disturbed(tmp_path, call_results):
    """The fastest of the others is shown; where there is none it is said."""
    write_study(tmp_path / "results", "fast", ["seed:0,1"], np.random.default_rng(0))
    paths = sorted((tmp_path / "results" / "fast").glob("*.json"))
    seconds = [json.loads(path.read_text())["result"]["train_seconds"] for path in paths]
    for path, shown in ((paths[np.argmin(seconds)], f"{max(seconds):.1f}"), (None, None)):
        for disturbed in paths if path is None else [path]:
            change(disturbed, disturbed=True)
        assert call_results(tmp_path / "results", tmp_path / "RESULTS.md").code == 0
        (line,) = tables(section((tmp_path / "RESULTS.md").read_text(), "Recipes"))
        expected = shown or f"{min(seconds):.1f} (disturbed)"
        assert line["seconds of training, fastest undisturbed seed"] == expected


def test_the_table_of_a_study(made):
    """A row a configuration, each number recomputed from the files of its seeds."""
    lines = tables(section((made / "RESULTS.md").read_text(), SECTIONS["cells"].title))
    assert len(lines) == 15
    for line in lines:
        records = read_records(
            made / "results" / "cells",
            cell=line["cell"],
            num_layers=int(line["num_layers"]),
            use_peepholes=line["use_peepholes"] == "true",
            cell_clip=float(line["cell_clip"]),
        )
        found = [100 - 100 * record["result"]["test_accuracy"] for record in records]
        assert len(found) == int(line["seeds"]) == 2
        assert float(line["test error %"]) == pytest.approx(statistics.mean(found), abs=0.0051)
        assert float(line["spread"]) == pytest.approx(statistics.stdev(found), abs=0.0051)
        assert line["parameters"] == f"{20_000 + int(line['num_layers']):,}"
        seconds = min(record["result"]["train_seconds"] for record in records)
        assert float(line["seconds of training, fastest undisturbed seed"]) == pytest.approx(
            seconds, abs=0.051
        )


def test_the_order_of_rows(made):
    """That of the grid: cells as the flag has them, their options after them, 2 before 10."""
    text = (made / "RESULTS.md").read_text()
    rows = tables(section(text, SECTIONS["cells"].title))
    names = ("cell", "use_peepholes", "cell_clip", "num_layers")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (*cell, layers)
        for cell in (
            ("basic_rnn", "false", "0"),
            ("gru", "false", "0"),
            ("lstm", "false", "0"),
            ("lstm", "true", "0"),
            ("lstm", "true", "1"),
        )
        for layers in ("1", "2", "10")
    ]
    rows = tables(section(text, SECTIONS["memory"].title))
    assert [(row["blank_steps"], row["cell"]) for row in rows] == [
        (steps, cell) for steps in ("0", "28", "112") for cell in ("gru", "basic_lstm")
    ]


ORDERS = {
    "text": ["scan:rows,columns,permuted_rows,patches", "scan:pixels;seed:0"],
    "numbers": ["learning_rate:1e-05,0.002,0.01,3;batch_size:8,64,512"],
    "options": ["cell:lstm,lstm+cell_clip=2,lstm+cell_clip=10;cores:1,2,10"],
    "truth": ["bidirectional:false,true;num_units:5,10,100"],
    "axes": ["num_units:5,20,100;cell:gru,basic_lstm;image_size:14,56,112"],
    "union": ["model:rnn,cnn+head=mean;cell:gru", "model:cnn+head=mean;cell:basic_lstm"],
}


@pytest.mark.parametrize("grids", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("seeds", [1, 11])
def test_records_have_an_order(tmp_path, grids, seeds):
    """Whatever their files are called, points come in the order of the grid, seeds by number."""
    points = write_study(tmp_path, "scans", grids, np.random.default_rng(0), seeds)
    study = results.read_study(tmp_path / "scans")
    assert [point.name for point in study.points] == [point.name for point in points]
    assert study.points == points


def test_links_lead_somewhere(made):
    """Pictures, records and studies are there, seen from the report."""
    text = (made / "RESULTS.md").read_text()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert all((made / urllib.parse.unquote(link)).exists() for link in links)
    pictures = {link for link in links if link.endswith(".png")}
    assert pictures == {
        f"results/{path.parent.name}/{path.name}"
        for name in ("cells", "memory")
        for path in (made / "results" / name).glob("*.png")
    }
    assert "results/cells/error_by_cell.png" in pictures
    assert "results/memory/forgetting.png" in pictures
    home = pathlib.Path(results.__file__).parents[1]
    commands = re.findall(r"--flagfile=(\S+)", text)
    assert len(commands) == 2
    assert all((home / path).is_file() for path in commands)


def test_links_from_elsewhere(small, tmp_path, call_results):
    """A report that lies beside or below the records, in places with blanks, leads there too."""
    for output in (tmp_path / "a b" / "RESULTS.md", small / "RESULTS.md"):
        output.parent.mkdir(exist_ok=True)
        assert call_results(small, output).code == 0
        links = re.findall(r"\]\(([^)]*)\)", output.read_text())
        assert "error_by_cell.png" in " ".join(links)
        for link in links:
            assert (output.parent / urllib.parse.unquote(link)).exists()
        assert str(tmp_path) not in output.read_text()
    renamed = small.rename(tmp_path / "my results")
    assert call_results(renamed, tmp_path / "RESULTS.md").code == 0
    assert "](my%20results/memory)" in (tmp_path / "RESULTS.md").read_text()


def test_sentences_and_head(made):
    """What the sections say of these rows is there, and when and where it was measured."""
    text = (made / "RESULTS.md").read_text()
    assert "Measured: 2026-11-25, on 2 cores of a machine." in text
    for name in ("cells", "memory"):
        study = results.read_study(made / "results" / name)
        part = section(text, SECTIONS[name].title)
        for sentence in SECTIONS[name].answer(study.rows, study.records):
            assert f"\n- {sentence}\n" in part
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Recipes",
        "## Published figures",
        "## Cells and layers",
        "## What cells forget",
    ]


def test_what_was_tried_and_not_taken(small, tmp_path, call_results):
    """Its test error stands beside the recipes', with its file; a file that is none is refused."""
    tried = tmp_path / "results" / "tried"
    tried.mkdir()
    path = tried / "best_rnn_first.json"
    path.write_text(json.dumps({"result": {"test_accuracy": 0.9948}}))
    output = tmp_path / "RESULTS.md"
    assert call_results(tmp_path / "results", output).code == 0
    sentence = (
        "not taken, or replaced since: [best rnn first](results/tried/best_rnn_first.json) 0.52 %."
    )
    assert sentence in output.read_text()
    (tried / "NOTE.txt").write_text("It was too slow.\n")
    assert call_results(tmp_path / "results", output).code == 0
    assert "\nIt was too slow.\n" in output.read_text()
    path.write_text("[]")
    pictures = contents_and_times(tmp_path / "results")
    answer = call_results(tmp_path / "results", output)
    assert_refused(answer, 1, "results: error: ", str(path), "the record of a run")
    assert contents_and_times(tmp_path / "results") == pictures


def test_twice(small, tmp_path, call_results):
    """The same records give the same text and pictures; nothing else is left."""
    output = tmp_path / "RESULTS.md"
    answer = call_results(small, output)
    assert answer == (0, f"wrote {output} from memory\n", "")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert call_results(small, output) == answer
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert "## Recipes" not in output.read_text()
    assert "| 0.09 |" in output.read_text()


def test_dates_and_machines(small, tmp_path, call_results):
    """First and last day, every machine."""
    first, *_, last = sorted(small.rglob("*.json"))
    change(
        first,
        date="2025-01-02T00:00:00+00:00",
        machine="4 cores of a CPU, Linux-6.1-x86_64-with-glibc2.36, Python 3.11.7, Keras 3.15.1",
    )
    change(last, date="2025-03-04T00:00:00+00:00")
    call_results(small, tmp_path / "RESULTS.md")
    text = (tmp_path / "RESULTS.md").read_text()
    machines = "2 cores of a machine; 4 cores of a CPU, Python 3.11.7, Keras 3.15.1."
    assert f"Measured: 2025-01-02 to 2026-11-25, on {machines}" in text


def test_a_note(small, tmp_path, call_results):
    """What its records do not say of a study stands below its table."""
    (small / "memory" / "NOTE.txt").write_text("Measured by candle light.\n")
    assert call_results(small, tmp_path / "RESULTS.md").code == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "\n\nMeasured by candle light.\n\n- " in section(text, SECTIONS["memory"].title)


def test_a_recipe_s_note(tmp_path):
    """Recipes share a table, so it says whose it is."""
    for name in ("fast", "quickstart"):
        write_study(tmp_path, name, ["seed:0"], np.random.default_rng(0))
    (tmp_path / "fast" / "NOTE.txt").write_text("Measured by candle light.\n")
    results.run(tmp_path, tmp_path / "RESULTS.md")
    part = section((tmp_path / "RESULTS.md").read_text(), "Recipes")
    assert "|\n\n`fast`: Measured by candle light.\n\n## " in f"{part}\n## "


def test_what_is_not_read(small, tmp_path, call_results):
    """Hidden files, other files and studies that the report has no place for."""
    call_results(small, tmp_path / "RESULTS.md")
    before = (tmp_path / "RESULTS.md").read_text()
    (small / "memory" / ".half-written.json").write_text("{")
    (small / "memory" / "notes.txt").write_text("mine")
    write_study(small, "mine", ["cell:gru"], np.random.default_rng(0))
    (small / "README.md").write_text("mine")
    assert call_results(small, tmp_path / "RESULTS.md").code == 0
    assert (tmp_path / "RESULTS.md").read_text() == before


def test_fields_of_later_days(small, tmp_path, call_results):
    """A record from before a flag was there has its default."""
    call_results(small, tmp_path / "RESULTS.md")
    before = (tmp_path / "RESULTS.md").read_text()
    for path in small.rglob("*.json"):
        config = json.loads(path.read_text())["config"]
        del config["ema_momentum"]
        change(path, config=config)
    assert call_results(small, tmp_path / "RESULTS.md").code == 0
    assert (tmp_path / "RESULTS.md").read_text() == before


DAMAGES = {
    "no JSON": (lambda path: path.write_text("{"), "record"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "record"),
    "a list": (lambda path: path.write_text("[]"), "record"),
    "a number": (lambda path: path.write_text("1"), "record"),
    "other JSON": (lambda path: path.write_text("{}"), "'config'"),
    "an unknown field": (damage("config", color="red"), "color"),
    "a wrong value": (damage("config", cell="gpu"), "gpu"),
    "an unknown setting": (damage("settings", color="red"), "color"),
    "an unknown axis": (damage("choices", color="red"), "color"),
    "another point": (damage("settings", num_units=7), "num_units=7"),
    "no accuracy": (damage("result", test_accuracy=None), "accuracy"),
    "no test images": (damage("result", test_examples=None), "test_examples"),
    "an accuracy in words": (damage("result", test_accuracy="good"), "accuracy"),
    "an accuracy that is no number": (damage("result", test_accuracy=float("nan")), "accuracy"),
    "no time": (damage("result", train_seconds=0), "train_seconds"),
    "no norms": (damage("analyses", forgetting=[]), "forgetting"),
    "norms in words": (damage("analyses", forgetting=["large"]), "forgetting"),
    "a speed in words": (damage("analyses", speed={"batch_1": "high"}), "speed"),
    "no seconds": (damage("result", train_seconds=None), "train_seconds"),
    "no curve": (lambda path: change(path, curve=[]), "curve"),
    "another seed": (lambda path: change(path, seed=1), "seed"),
    "no seed": (lambda path: change(path, seed=None), "seed"),
    "a loss in words": (
        lambda path: change(path, curve=[{"loss": 1.0, "val_loss": "small"}]),
        "curve",
    ),
    "no date": (lambda path: change(path, date=None), "date"),
    "no machine": (lambda path: change(path, machine=7), "machine"),
    "no analyses": (lambda path: change(path, analyses=None), "analyses"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_no_record(small, tmp_path, call_results, name):
    """One line with the file; nothing is written."""
    do, word = DAMAGES[name]
    path = small / "memory" / "blank_steps=28,cell=gru,seed=0.json"
    do(path)
    answer = call_results(small, tmp_path / "RESULTS.md")
    assert_refused(answer, 1, "results: error: ", str(path), word)
    assert not (tmp_path / "RESULTS.md").exists()
    assert list(small.rglob("*.png")) == []


def test_a_record_in_another_s_place(small, tmp_path, call_results):
    """A copy under another name would count twice."""
    path = small / "memory" / "blank_steps=28,cell=gru,seed=0.json"
    copy = path.with_name("blank_steps=28,cell=gru,seed=1.json")
    copy.write_text(path.read_text())
    assert_refused(call_results(small, tmp_path / "RESULTS.md"), 1, str(copy), path.stem)


def test_records_of_two_studies(small, tmp_path, call_results):
    """Rows that the table could not tell apart are one line that names a point of each."""
    path = small / "memory" / "blank_steps=28,cell=gru,seed=0.json"
    record = json.loads(path.read_text())
    record["config"].update(num_units=7, seed=1)
    record["settings"]["seed"] = record["seed"] = 1
    path.with_name("blank_steps=28,cell=gru,seed=1.json").write_text(json.dumps(record))
    answer = call_results(small, tmp_path / "RESULTS.md")
    first = "blank_steps=0,cell=gru,seed=0"
    assert_refused(answer, 1, str(small / "memory"), first, "seed=1", "num_units", "Delete")


@pytest.mark.parametrize("what", ["config", "cores", "data_digest"])
def test_records_that_differ_in_more_than_the_grid(small, tmp_path, call_results, what):
    """What a study that was changed and begun again has left is not compared with what is new."""
    path = small / "memory" / "blank_steps=28,cell=gru,seed=0.json"
    if what == "config":
        damage("config", num_units=7)(path)
    else:
        change(path, **{what: {"cores": 1, "data_digest": "4567"}[what]})
    answer = call_results(small, tmp_path / "RESULTS.md")
    word = {"config": "num_units", "cores": "cores", "data_digest": "data"}[what]
    assert_refused(answer, 1, str(small / "memory"), path.stem, f"in {word}.")
    assert list(small.rglob("*.png")) == []


def test_how_a_study_was_trained(made, tmp_path, call_results):
    """What all runs have, or a list of what they differ in."""
    (line,) = [
        line
        for line in section((made / "RESULTS.md").read_text(), "Cells and layers").splitlines()
        if line.startswith("Training: ")
    ]
    assert line == (
        "Training: epochs 2; images 1,875 in batches of 64; optimizer adam, schedule constant, "
        "learning rate 0.001."
    )
    grid = ["learning_rate:0.25,0.5;cell:gru"]
    write_study(tmp_path / "results", "cells", grid, np.random.default_rng(0))
    assert call_results(tmp_path / "results", tmp_path / "RESULTS.md").code == 0
    assert "learning rate 0.25, 0.5.\n" in (tmp_path / "RESULTS.md").read_text()


def test_a_recipe_is_one_configuration(tmp_path, call_results):
    """Two of them are no recipe."""
    write_study(tmp_path, "fast", ["cell:gru,lstm"], np.random.default_rng(0))
    answer = call_results(tmp_path, tmp_path / "RESULTS.md")
    assert_refused(answer, 1, "fast", "cell=gru", "cell=lstm", "one")


def test_no_results(tmp_path, call_results):
    """No directory, a file, nothing in it, a study without records: one line each."""
    output = tmp_path / "RESULTS.md"
    assert_refused(call_results(tmp_path / "none", output), 1, str(tmp_path / "none"), "compare")
    (tmp_path / "file").touch()
    assert_refused(call_results(tmp_path / "file", output), 1, str(tmp_path / "file"))
    assert_refused(call_results(tmp_path, output), 1, str(tmp_path))
    (tmp_path / "cells").mkdir()
    assert_refused(call_results(tmp_path, output), 1, str(tmp_path / "cells"))
    assert not output.exists()


@pytest.mark.parametrize("output", ["/proc/RESULTS.md", "none/RESULTS.md", ""])
def test_an_output_that_cannot_be_written(small, tmp_path, call_results, output):
    """One line that names it; a report that is there stays whole."""
    output = str(tmp_path / output) if output else str(tmp_path)
    assert_refused(call_results(small, output), 1, "results: error: ", output)
