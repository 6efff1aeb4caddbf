"""The records of a study as pictures."""

import pathlib
import statistics

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from rnn_mnist_tf.study.table import error_percents
from rnn_mnist_tf.training.files import replacing

_LABEL_INCHES = 0.17  # from one label to the next
_WIDE = 10  # values further apart than this, as a ratio, stand on a logarithmic axis


def save_pictures(directory, points, records, rows):
    """Draws all pictures of a study, each in place of the one before.

    `error_by_seconds.png`, `learning_curves.png`, `error_by_AXIS.png` for each axis with more than
    one value, and `forgetting.png` where that was measured.

    Args:
        directory: where.
        points: all points of the study.
        records: `{point name: record}` of those that are done; nothing is drawn of none.
        rows: from `merge_seeds`.
    """
    directory = pathlib.Path(directory)
    if not rows:
        return
    figures = {
        "error_by_seconds": draw_error_by_seconds(rows),
        "learning_curves": draw_learning_curves(rows, records),
    }
    for axis in dict.fromkeys(axis for point in points for axis in point.choices):
        errors = _errors_by_value(axis, points, records)
        if axis != "seed" and len(errors) > 1:
            figures[f"error_by_{axis}"] = draw_error_by_value(axis, errors)
    if any("forgetting" in record["analyses"] for record in records.values()):
        figures["forgetting"] = draw_forgetting(rows, records)
    for name, figure in figures.items():
        with replacing(directory / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=120)


def draw_error_by_seconds(rows):
    """Returns a figure: the test error of each configuration against its seconds of training."""
    figure, axes = _figure(len(rows))
    seconds = [row["train_seconds"] for row in rows]
    errors = [row["test_error_percent"] for row in rows]
    colors = _colors(len(rows))
    axes.scatter(seconds, errors, s=18, c=colors, zorder=2)
    axes.set_xscale(_scale(seconds))
    axes.set_yscale(_scale(errors))
    axes.set(xlabel="seconds of training", ylabel="test error, %")
    _label_right(axes, seconds, errors, rows, colors)
    return figure


def draw_learning_curves(rows, records):
    """Returns a figure: each configuration's validation error by epoch, the mean over its seeds.

    The loss in training, if a record has no validation part.
    """
    everywhere = all("val_accuracy" in line for r in records.values() for line in r["curve"])
    name = "val_accuracy" if everywhere else "loss"
    curves = []
    for row in rows:
        seeds = [[line[name] for line in records[p]["curve"]] for p in row["points"]]
        mean = np.mean(seeds, axis=0)
        curves.append(100 * (1 - mean) if everywhere else mean)
    figure = _draw_curves(rows, curves, first=1)
    label = "validation error, %" if everywhere else "loss in training"
    figure.axes[0].set(xlabel="epoch", ylabel=label, yscale=_scale(np.concatenate(curves)))
    return figure


def draw_forgetting(rows, records):
    """Returns a figure: how much the logits depend on each step, the mean over seeds."""
    measured, curves = [], []
    for row in rows:
        analyses = [records[name]["analyses"] for name in row["points"]]
        seeds = [found["forgetting"] for found in analyses if "forgetting" in found]
        if seeds:
            measured.append(row)
            curves.append(np.mean(seeds, axis=0))
    figure = _draw_curves(measured, curves, first=0)
    label = "norm of d logits / d x[t]"
    figure.axes[0].set(xlabel="step t", ylabel=label, yscale=_scale(np.concatenate(curves)))
    return figure


def draw_error_by_value(axis, errors):
    """Returns a figure: the test error of every run by an axis's value, and the mean of each.

    Args:
        axis: its name.
        errors: `{value: [test error in percent, ...]}`.
    """
    longest = max(map(len, errors))
    size = (max(4.0, 1.5 + 0.5 * len(errors)), 4.0 + 0.06 * longest)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for place, values in enumerate(errors.values()):
        axes.scatter([place] * len(values), values, s=18, color="tab:blue", alpha=0.6, linewidths=0)
        axes.hlines(statistics.fmean(values), place - 0.25, place + 0.25, color="black")
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 5 else {}
    axes.set_xticks(range(len(errors)), list(errors), **turned)
    axes.set(xlabel=axis, ylabel="test error, %", xlim=(-0.6, len(errors) - 0.4))
    _bare(axes)
    return figure


def _errors_by_value(axis, points, records):
    errors = {}
    for point in points:
        if axis in point.choices and point.name in records:
            found = error_percents([records[point.name]], "test")
            errors.setdefault(point.choices[axis], []).extend(found)
    return errors


def _draw_curves(rows, curves, first):
    figure, axes = _figure(len(rows))
    colors = _colors(len(rows))
    for curve, color in zip(curves, colors):
        epochs = range(first, first + len(curve))
        axes.plot(epochs, curve, color=color, linewidth=1.2, marker="." if len(curve) < 3 else "")
    axes.xaxis.get_major_locator().set_params(integer=True)
    ends = [first + len(curve) - 1 for curve in curves]
    _label_right(axes, ends, [curve[-1] for curve in curves], rows, colors)
    return figure


def _scale(values):
    wide = min(values) > 0 and max(values) > _WIDE * min(values)
    return "log" if wide else "linear"


def _figure(labels):
    figure = Figure(figsize=(11, max(4.5, 1 + _LABEL_INCHES * labels)), layout="constrained")
    axes = figure.subplots()
    _bare(axes)
    return figure, axes


def _bare(axes):
    axes.spines[["top", "right"]].set_visible(False)


def _colors(count):
    return [colormaps["viridis"](0.9 * index / max(1, count - 1)) for index in range(count)]


def _label_right(axes, xs, ys, rows, colors):
    """Writes a label for each place, one below the other, in a column that none can hide."""
    order = np.argsort(ys, kind="stable")
    for rank, index in enumerate(order):
        axes.annotate(
            rows[index]["label"],
            (xs[index], ys[index]),
            (1.03, (rank + 0.5) / len(order)),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=colors[index],
            arrowprops={
                "arrowstyle": "-",
                "color": "lightgray",
                "linewidth": 0.6,
                "relpos": (0, 0.5),
            },
            zorder=1,
        )
