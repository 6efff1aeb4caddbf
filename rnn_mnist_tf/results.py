"""Writes RESULTS.md from the studies' own files: `python -m rnn_mnist_tf.results`."""

import json
import pathlib
import sys
import typing

from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.study import Point, format_markdown, merge_seeds, save_pictures
from rnn_mnist_tf.study.claims import SECTIONS
from rnn_mnist_tf.training import TrainConfig
from rnn_mnist_tf.training.files import write_text

# Of each recipe: what it is. Its points differ in the seed alone.
RECIPES = {
    "quickstart": "two directions of LSTM 128, on the 4,000 embedded digits",
    "fast": "LSTM 160, rows, one epoch",
    "best_rnn": "no convolution anywhere",
    "best_hybrid": "features of a CNN, read by an RNN",
}
# Test error on MNIST, in percent, as published.
PUBLISHED = (
    (
        "0.09",
        "an ensemble of ensembles of CNNs",
        "An, Lee, Park, Yang and So 2020, An Ensemble of Simple Convolutional Neural Network "
        "Models for MNIST Digit Recognition",
    ),
    (
        "0.21",
        "five CNNs with DropConnect that vote",
        "Wan, Zeiler, Zhang, LeCun and Fergus 2013, Regularization of Neural Networks using "
        "DropConnect",
    ),
    (
        "0.23",
        "a committee of 35 CNNs",
        "Ciresan, Meier and Schmidhuber 2012, Multi-column Deep Neural Networks for Image "
        "Classification",
    ),
    (
        "0.32",
        "3-D Grid LSTM",
        "Kalchbrenner, Danihelka and Graves 2015, Grid Long Short-Term Memory",
    ),
    (
        "0.45",
        "ReNet",
        "Visin, Kastner, Cho, Matteucci, Courville and Bengio 2015, ReNet: A Recurrent Neural "
        "Network Based Alternative to Convolutional Networks",
    ),
    ("1.93", "2 x LSTM 100, columns, 10 epochs (98.07 %)", "the article"),
)


class Study(typing.NamedTuple):
    """The records of one study.

    Attributes:
        points: a `Point` for each record.
        records: `{point name: record}`.
        rows: from `merge_seeds`.
    """

    points: list
    records: dict
    rows: list


def define_flags(flag_values):
    """Defines the program's flags."""
    flags.DEFINE_string(
        "results", "results", "The directory of the records.", flag_values=flag_values
    )
    flags.DEFINE_string("output", "RESULTS.md", "The file to write.", flag_values=flag_values)


def read_studies(directory):
    """Returns `{name: Study}` of all records under a directory, names in alphabetical order.

    Raises:
        InputError: no directory, no records in it, or a file that is none.
    """
    directory = pathlib.Path(directory)
    studies = {path.name: read_study(path) for path in sorted(directory.glob("*")) if path.is_dir()}
    if not studies:
        raise InputError(
            f"Received results={str(directory)!r}, expected a directory with one for each study: "
            "python -m rnn_mnist_tf.compare --results=DIR writes them."
        )
    return studies


def read_study(directory):
    """Returns the `Study` whose records are in a directory.

    Raises:
        InputError: no records in it, or a file that is none.
    """
    records = {}
    for path in sorted(pathlib.Path(directory).glob("*.json")):
        try:
            record = json.loads(path.read_text())
            records[record["point"]] = record
            record["config"] = TrainConfig(**record["config"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"Received {path}, expected the record of a point: {error}") from error
    if not records:
        raise InputError(f"Received {directory}, expected the records of a study, in JSON.")
    points = [
        Point(record["config"], record["cores"], record["settings"], record["choices"])
        for record in records.values()
    ]
    points.sort(key=lambda point: tuple(str(value).zfill(8) for value in point.settings.values()))
    return Study(points, records, merge_seeds(points, records))


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
    studies = read_studies(results)
    for name, study in studies.items():
        save_pictures(pathlib.Path(results) / name, study.points, study.records, study.rows)
    try:
        write_text(pathlib.Path(output), format_report(studies, results))
    except OSError as error:
        raise InputError(f"Received output={output!r}, expected a writable file: {error}") from None
    return list(studies)


def format_report(studies, results="results"):
    """Returns the report as Markdown.

    Args:
        studies: from `read_studies`.
        results: how the report names the directory of the records.
    """
    parts = [_format_head(studies), _format_recipes(studies, results)]
    for name, section in SECTIONS.items():
        if name in studies:
            parts.append(_format_section(name, section, studies[name], results))
    return "\n".join(parts)


def _format_head(studies):
    records = [record for study in studies.values() for record in study.records.values()]
    days = sorted({record["date"][:10] for record in records})
    machines = sorted({record["machine"] for record in records})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        "# Results\n\n"
        "Written by `python -m rnn_mnist_tf.results` from the records under `results/`, one JSON "
        "file for each\ntraining run, with its configuration, seed, curve, seconds and machine. "
        "Choices are made on a validation\npart of the training images. The test images are read "
        "once for each run, at its end, and all 10,000\ncount. A mean is over the seeds 0 to n - "
        "1; spread is their standard deviation.\n\n"
        f"Measured: {when}, on {'; '.join(machines)}.\nOthers share the machine, so seconds "
        "compare within a table better than between tables.\n"
    )


def _format_recipes(studies, results):
    lines = [
        "## Recipes and published figures\n",
        "| recipe | what | test error %, by seed | mean | parameters | seconds of training |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, what in RECIPES.items():
        if name not in studies:
            continue
        study = studies[name]
        (row,) = study.rows
        errors = [
            f"{100 * (1 - study.records[point]['result']['test_accuracy']):.2f}"
            for point in row["points"]
        ]
        lines.append(
            f"| [`{name}.flags`]({results}/{name}) | {what} | {', '.join(errors)} | "
            f"{row['test_error_percent']:.2f} | {row['parameters']:,} | "
            f"{row['train_seconds']:.0f} |"
        )
    lines.append("\n| published test error % | what | source |\n| --- | --- | --- |")
    lines += [f"| {error} | {what} | {source} |" for error, what, source in PUBLISHED]
    return "\n".join(lines) + "\n"


def _format_section(name, section, study, results):
    pictures = sorted(pathlib.Path(results, name).glob("*.png"))
    lines = [
        f"## {section.title}\n",
        section.claim,
        f"\n    python -m rnn_mnist_tf.compare --flagfile=flags/studies/{name}.flags\n",
        format_markdown(study.rows),
        *[f"- {sentence}" for sentence in section.answer(study.rows, study.records)],
        "",
        *[f"![{path.stem.replace('_', ' ')}]({results}/{name}/{path.name})" for path in pictures],
        f"\nRecords: [{results}/{name}]({results}/{name}).\n",
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
