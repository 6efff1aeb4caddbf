"""Writes RESULTS.md from the studies' own files: `python -m rnn_mnist_tf.results`."""

import dataclasses
import json
import os
import pathlib
import re
import sys
import typing
import urllib.parse

from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.study import format_markdown, merge_seeds, read_record, save_pictures
from rnn_mnist_tf.study.claims import SECTIONS
from rnn_mnist_tf.study.grid import value_text
from rnn_mnist_tf.study.published import PUBLISHED
from rnn_mnist_tf.study.table import error_percents
from rnn_mnist_tf.training import TrainConfig
from rnn_mnist_tf.training.files import write_text

NOTE = "NOTE.txt"
TRIED = "tried"  # a directory of records: other recipes whose test error was read too
# Of each recipe: what it is. Its points differ in the seed alone.
RECIPES = {
    "quickstart": (
        "two directions of LSTM 128, on the 4,000 embedded digits; tested on the other 1,000, all "
        "of them training images of MNIST"
    ),
    "fast": "LSTM 160, rows, one epoch",
    "best_rnn": "no convolution anywhere",
    "best_hybrid": "features of a CNN, read by an RNN; answers are means over 5 shifted views",
}
_HEAD = """\
# Results

Written by `python -m rnn_mnist_tf.results` from the records under `{place}/`, one JSON file for
each training run, with its configuration, seed, curve, seconds and machine. Choices are made on a
validation part of the training images, unless it says otherwise. The test images are read once
for each run, at its end, unless a note says otherwise, and all of them count. A mean is over the
seeds; `e % ± s` and the column spread have their standard deviation, `r ± d x` has that of a
ratio of means.

An error is called lower or higher where chance between seeds makes such a difference in less than
5 % of comparisons of equals, by Student's t with the spread of all configurations that learned
and err at most 10 %, in `taps` of each way to serialize; with depth a ratio grows or falls by
Tukey's range over the blocks compared, at the same 5 %. So of 20 comparisons of equals one is
called different. `not told apart` is all else: two or three seeds cannot show that errors are the
same. Configurations with errors above 10 %, and those whose seeds differ far more than the
others' (an F test at 1 % for all together), have one spread in common, where that is larger than
the others' would be. `lower`, `higher` and `did not learn` are said of the study's epochs and its
one learning rate; others were not tried.

Times are those of the fastest seed beside which no other work ran on the same cores;
`(disturbed)` marks those where it always did, or whose time does not compare, for the reason in
the note. Times have no spread; what is said of them is said where all that was measured agrees.

Measured: {when}, on {machines}.
Seconds compare within a table better than between tables.
"""
_CHOICES = {field.name: field.metadata["choices"] for field in dataclasses.fields(TrainConfig)}


class Study(typing.NamedTuple):
    """The records of one study.

    Attributes:
        points: a `Point` for each record.
        records: `{point name: record}`.
        rows: from `merge_seeds`.
        note: what a reader has to know of how they were measured; empty without `NOTE.txt`.
    """

    points: list
    records: dict
    rows: list
    note: str = ""


class Tried(typing.NamedTuple):
    """Readings of the test images beside those of the recipes.

    Attributes:
        errors: `{file name: test error in percent}`.
        note: what a reader has to know of them; empty without `NOTE.txt`.
    """

    errors: dict
    note: str = ""


def define_flags(flag_values):
    """Defines the program's flags."""
    flags.DEFINE_string(
        "results", "results", "The directory of the records.", flag_values=flag_values
    )
    flags.DEFINE_string("output", "RESULTS.md", "The file to write.", flag_values=flag_values)


def read_studies(directory):
    """Returns `{name: Study}` of the records under a directory: of recipes and known studies.

    Raises:
        InputError: none of them there, no records in one, or a file that is none.
    """
    directory = pathlib.Path(directory)
    names = [name for name in (*RECIPES, *SECTIONS) if (directory / name).is_dir()]
    if not names:
        raise InputError(
            f"Received results={str(directory)!r}, expected a directory with one for each study, "
            f"some of {', '.join((*RECIPES, *SECTIONS))}: "
            "python -m rnn_mnist_tf.compare --results=DIR writes them."
        )
    studies = {name: read_study(directory / name) for name in names}
    for name in RECIPES.keys() & studies.keys():
        rows = studies[name].rows
        if len(rows) > 1:
            raise InputError(
                f"Received {len(rows)} configurations of {name} "
                f"({', '.join(row['points'][0] for row in rows)}), expected one: a recipe's points "
                "differ in the seed alone."
            )
    return studies


def read_tried(directory):
    """Returns the `Tried` under a directory, which need not have any.

    Raises:
        InputError: a file that is no record of a run.
    """
    directory, errors = pathlib.Path(directory, TRIED), {}
    for path in sorted(directory.glob("[!.]*.json")):
        try:
            (errors[path.name],) = error_percents([json.loads(path.read_text())], "test")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"Received {path}, expected the record of a run: {error}") from error
    return Tried(errors, _read_note(directory))


def read_study(directory):
    """Returns the `Study` whose records are in a directory, in the order of its grid.

    Raises:
        InputError: no records in it, a file that is none, or records of different grids.
    """
    points, records = [], {}
    for path in sorted(pathlib.Path(directory).glob("[!.]*.json")):
        point, record = read_record(path)
        points.append(point)
        records[point.name] = record
    if not records:
        raise InputError(f"Received {directory}, expected the records of a study, in JSON.")
    points.sort(key=lambda point: len(point.choices), reverse=True)
    axes = dict.fromkeys(axis for point in points for axis in point.choices if axis != "seed")
    points.sort(key=lambda point: _place(point, axes))
    _check_same_study(directory, points, records)
    rows = merge_seeds(points, records)
    return Study(points, records, rows, _read_note(directory))


def _read_note(directory):
    path = pathlib.Path(directory) / NOTE
    return path.read_text().strip() if path.is_file() else ""


def _check_same_study(directory, points, records):
    """Raises `InputError` for records that differ where the grid says nothing, or in their data."""
    first = {}
    for point in points:
        fields = {"cores": point.cores, **point.config.without_places()}
        held = {(name,): v for name, v in fields.items() if name not in ("seed", *point.settings)}
        record = records[point.name]
        held["data", point.config.source] = record["data_digest"]
        if "test_digest" in record["result"]:  # records of earlier days do not say
            held["test data", point.config.source] = record["result"]["test_digest"]
        for key, value in held.items():
            other, expected = first.setdefault(key, (point.name, value))
            if value != expected:
                raise InputError(
                    f"Received {directory}, where {other} and {point.name} differ in more than the "
                    f"grid: in {key[0]}. Delete the records of the study that is not to be shown."
                )


def _place(point, axes):
    """What points are sorted by: axis by axis, choices as their flag has them, numbers by size."""
    key = []
    for axis in axes:
        order, value = _CHOICES.get(axis), point.value(axis)
        parts = re.split(r"(\d+)", point.choices.get(axis, value_text(value)))
        key.append(order.index(value) if order else value)
        key.append([int(part) if part.isdecimal() else part for part in parts])
    return [*key, point.config.seed]


def run(results, output):
    """Writes the report and, beside the records, the pictures.

    Args:
        results: the directory of the records, one directory a study.
        output: the file to write.

    Returns:
        The names of the studies.

    Raises:
        InputError: no records; an output that cannot be written.
    """
    studies, tried = read_studies(results), read_tried(results)
    try:
        for name, study in studies.items():
            save_pictures(pathlib.Path(results) / name, study.points, study.records, study.rows)
        place = pathlib.Path(os.path.relpath(results, pathlib.Path(output).parent)).as_posix()
        write_text(pathlib.Path(output), format_report(studies, tried, results, place))
    except OSError as error:
        raise InputError(
            f"Received results={str(results)!r} and output={str(output)!r}, expected places that "
            f"can be written: {error}"
        ) from error
    return list(studies)


def format_report(studies, tried, results="results", place="results"):
    """Returns the report as Markdown.

    Args:
        studies: from `read_studies`.
        tried: from `read_tried`.
        results: the directory of the records, where the pictures are too.
        place: how the report names that directory.
    """
    place = urllib.parse.quote(place)
    parts = [_format_head(studies, place), _format_recipes(studies, place)]
    parts += [_format_tried(tried, place), _format_published()]
    for name, section in SECTIONS.items():
        if name in studies:
            pictures = sorted(path.name for path in pathlib.Path(results, name).glob("[!.]*.png"))
            parts.append(_format_section(section, studies[name], pictures, name, place))
    return "\n".join(part for part in parts if part)


def _format_head(studies, place):
    records = [record for study in studies.values() for record in study.records.values()]
    days = sorted({record["date"][:10] for record in records})
    machines = sorted({_name_machine(record["machine"]) for record in records})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return _HEAD.format(place=place, when=when, machines="; ".join(machines))


def _name_machine(machine):
    """A record's line without the system's build, which says nothing to a reader."""
    return re.sub(r", [^,]*(?=, Python \d)", "", machine)


def _format_recipes(studies, place):
    """The table of recipes; empty if there are none."""
    lines = [
        "## Recipes\n",
        "| recipe | what | test images | test error %, by seed | mean | parameters | "
        "seconds of training, fastest undisturbed seed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    recipes = [name for name in RECIPES if name in studies]
    for name in recipes:
        study = studies[name]
        (row,) = study.rows
        records = [study.records[point] for point in row["points"]]
        images = sorted({record["result"]["test_examples"] for record in records})
        errors = [f"{error:.2f}" for error in error_percents(records, "test")]
        lines.append(
            f"| [`{name}.flags`]({place}/{name}) | {RECIPES[name]} | "
            f"{', '.join(f'{count:,}' for count in images)} | {', '.join(errors)} | "
            f"{row['test_error_percent']:.2f} | {row['parameters']:,} | "
            f"{row['train_seconds']:.1f}{' (disturbed)' if row['disturbed'] else ''} |"
        )
    notes = [f"\n`{name}`: {studies[name].note}" for name in recipes if studies[name].note]
    return "\n".join([*lines, *notes]) + "\n" if recipes else ""


def _format_tried(tried, place):
    """The test errors that were read beside those of the recipes; empty if there are none."""
    texts = []
    for file, percent in tried.errors.items():
        name = file.removesuffix(".json").replace("_", " ")
        texts.append(f"[{name}]({place}/{TRIED}/{urllib.parse.quote(file)}) {percent:.2f} %")
    if not texts:
        return ""
    return (
        f"Read on the test images too, and not taken, or replaced since: {', '.join(texts)}.\n"
        "Of several readings of the test images the lowest is likely to be a lucky one.\n"
        + (f"{tried.note}\n" if tried.note else "")
    )


def _format_published():
    lines = ["## Published figures\n", "| test error % | what | source |", "| --- | --- | --- |"]
    lines += [f"| {error} | {what} | {source} |" for error, what, source in PUBLISHED]
    return "\n".join(lines) + "\n"


def _source_flags(study):
    """Where the data of a study was, if flag files cannot say it."""
    of_files = all(record["config"]["dataset"] == "idx" for record in study.records.values())
    return " --dataset=idx --data_dir=DIR" if of_files else ""


def _describe_training(study):
    """How the runs were trained: what is the same for all, or a list where it is not."""
    records = study.records.values()
    runs = [
        {**r["config"], **r["result"], "images": f"{r['result']['train_examples']:,}"}
        for r in records
    ]

    def of_all(name):
        return ", ".join(dict.fromkeys(value_text(run[name]) for run in runs))

    return (
        f"Training: epochs {of_all('epochs')}; images {of_all('images')} in batches of "
        f"{of_all('batch_size')}; optimizer {of_all('optimizer')}, schedule {of_all('schedule')}, "
        f"learning rate {of_all('learning_rate')}.\n"
    )


def _format_section(section, study, pictures, name, place):
    lines = [
        f"## {section.title}\n",
        section.claim,
        f"\n    python -m rnn_mnist_tf.compare --flagfile=flags/studies/{name}.flags"
        f"{_source_flags(study)}\n",
        _describe_training(study),
        format_markdown(study.rows),
        *([f"{study.note}\n"] if study.note else []),
        *[f"- {sentence}" for sentence in section.answer(study.rows, study.records)],
        "",
        *[
            f"![{path.removesuffix('.png').replace('_', ' ')}]({place}/{name}/{path})"
            for path in pictures
        ],
        f"\nRecords: [{place}/{name}]({place}/{name}).\n",
    ]
    return "\n".join(lines)


def main(values):
    """Runs the program for parsed flags. Returns the exit code."""
    names = run(values.results, values.output)
    print(f"wrote {values.output} from {', '.join(names)}")
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.results`."""
    return run_door("results", "writes the report of the studies.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
