"""The records of a study as pictures."""

import pathlib
import statistics

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from rnn_mnist_tf.study.table import error_percents, images_per_second
from rnn_mnist_tf.training.files import replacing

_LABEL_INCHES = 0.17  # from one label to the next
_WIDE = 10  # values further apart than this, as a ratio, stand on a logarithmic axis


def save_pictures(directory, points, records, rows):
    """Draws all pictures of a study in place of those before.

    `error_by_seconds.png` of what was measured undisturbed, `learning_curves.png`,
    `error_by_AXIS.png` for each axis with more than one value but the cores, which change the time
    alone; `time_by_AXIS.png`, of training, where every record has the analysis `speed` and none is
    disturbed; `forgetting.png` where a record has that analysis.

    Args:
        directory: where.
        points: all points of the study.
        records: `{point name: record}` of those that are done; nothing is drawn of none.
        rows: from `merge_seeds`.
    """
    directory = pathlib.Path(directory)
    if not rows:
        return
    figures = {"learning_curves": draw_learning_curves(rows, records)}
    timed = [row for row in rows if not row["disturbed"]]
    if timed:
        figures["error_by_seconds"] = draw_error_by_seconds(timed)
    of_speed = all("speed" in r["analyses"] and not r.get("disturbed") for r in records.values())
    for axis in dict.fromkeys(axis for point in points for axis in point.choices):
        errors = _group_by_value(axis, points, records, _error_percent)
        if axis == "seed" or len({value for group in errors.values() for value in group}) < 2:
            continue
        if axis != "cores":
            figures[f"error_by_{axis}"] = draw_by_value(axis, errors, "test error, %")
        if of_speed:
            times = _group_by_value(axis, points, records, _training_milliseconds)
            figures[f"time_by_{axis}"] = draw_by_value(axis, times, "training, ms an image")
    if any("forgetting" in record["analyses"] for record in records.values()):
        figures["forgetting"] = draw_forgetting(rows, records)
    for name, figure in figures.items():
        with replacing(directory / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=120)
    drawn = [path for name in ("error", "time") for path in directory.glob(f"{name}_by_*.png")]
    for path in [*drawn, directory / "forgetting.png"]:
        if path.stem not in figures:  # of an axis, or a measurement, that the study had
            path.unlink(missing_ok=True)


def draw_error_by_seconds(rows):
    """Returns a figure: the test error of each configuration against its seconds of training."""
    figure, axes = _figure(len(rows))
    seconds = [row["train_seconds"] for row in rows]
    errors = [row["test_error_percent"] for row in rows]
    colors = _colors(len(rows))
    axes.scatter(seconds, errors, s=18, c=colors, zorder=2)
    _stretch(axes.xaxis, seconds)
    _stretch(axes.yaxis, errors)
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
    figure.axes[0].set(xlabel="epoch", ylabel=label)
    _stretch(figure.axes[0].yaxis, np.concatenate(curves))
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
    figure.axes[0].set(xlabel="step t", ylabel=label)
    _stretch(figure.axes[0].yaxis, np.concatenate(curves))
    return figure


def draw_by_value(axis, groups, label):
    """Returns a figure: every run's figure by an axis's value, and the means, as lines.

    Runs that differ in another axis too have means of their own: one over all of them would be one
    over whatever the study happens to have at a value. Between names there is no line.

    Args:
        axis: its name.
        groups: `{name of the other choices: {value: [figure of a run, ...]}}`.
        label: what the figures are.
    """
    values = list(dict.fromkeys(value for runs in groups.values() for value in runs))
    ordered = all(value.replace(".", "", 1).isdecimal() for value in values)
    if ordered:
        values.sort(key=float)
    longest = max(map(len, values))
    wide = max(4.0, 1.5 + 0.5 * len(values)) + (3.5 if len(groups) > 1 else 0)
    tall = max(4.0 + 0.06 * longest, 1 + _LABEL_INCHES * len(groups))
    figure = Figure(figsize=(wide, tall), layout="constrained")
    axes = figure.subplots()
    for color, (name, runs) in zip(_colors(len(groups)), groups.items()):
        places = sorted(map(values.index, runs))
        for place in places:
            dots = runs[values[place]]
            axes.scatter([place] * len(dots), dots, s=18, color=color, alpha=0.6, linewidths=0)
        means = [statistics.fmean(runs[values[place]]) for place in places]
        line = {"linestyle": "-" if ordered else "none", "linewidth": 1.0}
        axes.plot(places, means, color=color, marker="_", markersize=14, label=name, **line)
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 5 else {}
    axes.set_xticks(range(len(values)), values, **turned)
    axes.set(xlabel=axis, ylabel=label, xlim=(-0.6, len(values) - 0.4))
    every = [runs[value] for runs in groups.values() for value in runs]
    _stretch(axes.yaxis, np.concatenate(every))
    _bare(axes)
    if len(groups) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False)
    return figure


def _error_percent(record):
    (percent,) = error_percents([record], "test")
    return percent


def _training_milliseconds(record):
    return 1000 / images_per_second(record["result"])


def _group_by_value(axis, points, records, measure):
    groups = {}
    for point in points:
        if axis in point.choices and point.name in records:
            others = {n: text for n, text in point.choices.items() if n not in (axis, "seed")}
            name = " ".join(f"{n}={text}" for n, text in others.items())
            runs = groups.setdefault(name, {}).setdefault(point.choices[axis], [])
            runs.append(measure(records[point.name]))
    return groups


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


def _stretch(axis, values):
    """Makes an axis logarithmic, with plain numbers, where its values are far apart."""
    if min(values) > 0 and max(values) > _WIDE * min(values):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_formatter(LogFormatter())
        axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))


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
