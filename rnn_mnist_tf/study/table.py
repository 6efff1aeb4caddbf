"""The records of a study as a table: one row a configuration, its seeds merged."""

import csv
import io
import json
import math

import numpy as np

from rnn_mnist_tf.study.grid import FLAG_NAMES, settings_text, value_text

# Of each figure: its name for machines, its heading for people, its format.
_FIGURES = (
    ("test_error_percent", "test error %", "{:.2f}"),
    ("test_error_spread", "spread", "{:.2f}"),
    ("validation_error_percent", "validation error %", "{:.2f}"),
    ("parameters", "parameters", "{:,}"),
    ("train_seconds", "seconds of training, fastest undisturbed seed", "{:.1f}"),
    ("images_per_second", "images/s", "{:,.0f}"),
    ("batch_1_ms", "ms an image, batch 1", "{:.3f}"),
    ("batch_100_ms", "ms an image, batch 100", "{:.3f}"),
)
_OPTIONAL = ("batch_1_ms", "batch_100_ms")
_TIMES = ("train_seconds", "images_per_second", *_OPTIONAL)


def varying_flags(points):
    """Returns the names of the flags, but for the seed, that differ between points.

    Where none does, those that the grid set.

    >>> from rnn_mnist_tf.study.grid import parse_grids
    >>> varying_flags(parse_grids(["cell:gru,lstm+cell_clip=1;num_layers:1"]))
    ['cell', 'cell_clip']
    """
    named = {name for point in points for name in point.settings} - {"seed"}
    named = sorted(named, key=FLAG_NAMES.index)
    varying = [name for name in named if len({point.value(name) for point in points}) > 1]
    return varying or named


def merge_seeds(points, records):
    """Returns one row a configuration, in the order of the grid.

        test_error_percent = mean over seeds of 100 (1 - test accuracy)
        test_error_spread = their standard deviation, with n - 1

    Args:
        points: all points of the study.
        records: `{point name: record}` of those that are done.

    Returns:
        A list of dicts: `flags` (`{name: value}` of `varying_flags`), `label` (those that the grid
        set, in a line), `points` (whose numbers these are), `seeds` (how many), `disturbed`
        (whether no seed's time compares), and the figures; None where there is none. Times
        are those of the fastest seed that was not disturbed, if there is one.
    """
    groups = {}
    for point in points:
        if point.name in records:
            groups.setdefault(point.configuration, []).append(point)
    names = varying_flags(points)
    return [
        {
            "flags": {name: members[0].value(name) for name in names},
            "label": settings_text({n: v for n, v in members[0].settings.items() if n in names}),
            "points": [point.name for point in members],
            "seeds": len(members),
            **_figures([records[point.name] for point in members]),
        }
        for members in groups.values()
    ]


def error_percents(records, part):
    """Returns the error of each record that has one, in percent.

    Args:
        records: a list.
        part: `test` or `val`.

    >>> error_percents([{"result": {"test_accuracy": 0.75}}], "test")
    [25.0]
    """
    results = [record["result"] for record in records]
    name = f"{part}_accuracy"
    return [100 * (1 - result[name]) for result in results if name in result]


def _figures(records):
    errors = error_percents(records, "test")
    quiet = [record for record in records if not record.get("disturbed")]
    timed = quiet or records
    speeds = [record["analyses"]["speed"] for record in timed if "speed" in record["analyses"]]
    return {
        "disturbed": not quiet,
        "test_error_percent": _mean(errors),
        "test_error_spread": float(np.std(errors, ddof=1)) if len(errors) > 1 else None,
        "validation_error_percent": _mean(error_percents(records, "val")),
        "parameters": records[0]["result"]["parameters"],
        # All seeds compute as much; what one takes longer, the machine did elsewhere.
        "train_seconds": min(record["result"]["train_seconds"] for record in timed),
        "images_per_second": max(images_per_second(record["result"]) for record in timed),
        "batch_1_ms": min((speed["batch_1"] for speed in speeds), default=None),
        "batch_100_ms": min((speed["batch_100"] for speed in speeds), default=None),
    }


def images_per_second(result):
    """Returns how many images a run trained on each second.

    From what was counted and measured: the result's own figure is rounded to a tenth, which is much
    of the 3 a second that large images reach.

    >>> images_per_second({"epochs": 2, "train_examples": 100, "train_seconds": 4.0})
    50.0
    """
    return result["epochs"] * result["train_examples"] / result["train_seconds"]


def _mean(values):
    return math.fsum(values) / len(values) if values else None


def format_markdown(rows):
    """Returns the rows as a Markdown table, numbers rounded; empty for no rows."""
    if not rows:
        return ""
    figures = _shown(rows)
    header = [*rows[0]["flags"], "seeds", *(heading for _, heading, _ in figures)]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        cells = [_cell(row, name, form) for name, _, form in figures]
        lines.append([*map(value_text, row["flags"].values()), str(row["seeds"]), *cells])
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _cell(row, name, form):
    if row[name] is None:
        return ""
    mark = " (disturbed)" if name in _TIMES and row["disturbed"] else ""
    return form.format(row[name]) + mark


def format_csv(rows):
    """Returns the rows as CSV, numbers as they are; empty for no rows."""
    if not rows:
        return ""
    names = [name for name, _, _ in _shown(rows)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names.append("disturbed")
    writer.writerow([*rows[0]["flags"], "seeds", *names])
    for row in rows:
        flags = map(value_text, row["flags"].values())
        writer.writerow([*flags, row["seeds"], *(row[name] for name in names)])
    return text.getvalue()


def format_json(rows):
    """Returns the rows as JSON, with the points that each is made of."""
    return json.dumps(rows, indent=2) + "\n"


def _shown(rows):
    """The figures that have a column: all but the optional ones that no row has."""
    return [
        figure
        for figure in _FIGURES
        if figure[0] not in _OPTIONAL or any(row[figure[0]] is not None for row in rows)
    ]
