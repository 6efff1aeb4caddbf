"""What the studies say about the article's claims, in sentences whose numbers are computed."""

import itertools
import math
import typing

import numpy as np


class Section(typing.NamedTuple):
    """What stands in the report for one study.

    Attributes:
        title: its heading.
        claim: what the article says, and the question that follows from it.
        answer: a function of `(rows, records)` that returns a list of sentences.
    """

    title: str
    claim: str
    answer: typing.Callable


def pooled_spread(rows):
    """Returns the standard deviation between seeds, pooled over configurations; None without one.

        sqrt(mean of the variances of the configurations with two seeds or more)

    >>> pooled_spread([{"test_error_spread": 3.0}, {"test_error_spread": 4.0}])
    3.5355339059327378
    """
    spreads = [row["test_error_spread"] for row in rows if row["test_error_spread"] is not None]
    return math.sqrt(np.mean(np.square(spreads))) if spreads else None


def compare_errors(row, other, spread):
    """Returns `(difference, verdict)`: the first's test error minus the second's.

    The verdict is `lower` or `higher` where the difference is more than twice its own standard
    deviation, `spread sqrt(1 / n_1 + 1 / n_2)`, else `the same within the spread`.

    Args:
        row, other: from `merge_seeds`.
        spread: from `pooled_spread`.

    >>> few = {"test_error_percent": 2.0, "seeds": 2}
    >>> compare_errors(few, {"test_error_percent": 3.0, "seeds": 2}, spread=0.1)
    (-1.0, 'lower')
    """
    difference = row["test_error_percent"] - other["test_error_percent"]
    if spread is None:
        return difference, "measured with one seed each"
    limit = 2 * spread * math.sqrt(1 / row["seeds"] + 1 / other["seeds"])
    if abs(difference) <= limit:
        return difference, "the same within the spread"
    return difference, "lower" if difference < 0 else "higher"


def answer_cells(rows, records):
    """Says by how much more layers change the error and the time, cell by cell."""
    del records
    spread = pooled_spread(rows)
    by_cell = {}
    for row in rows:
        by_cell.setdefault(_without(row, "num_layers"), {})[row["flags"]["num_layers"]] = row
    sentences, verdicts = [_spread_sentence(spread)], {2: [], 3: []}
    for cell, layers in by_cell.items():
        parts = []
        for count in (2, 3):
            if 1 in layers and count in layers:
                difference, verdict = compare_errors(layers[count], layers[1], spread)
                ratio = layers[count]["train_seconds"] / layers[1]["train_seconds"]
                verdicts[count].append(verdict)
                parts.append(
                    f"{count} layers {difference:+.2f} points of error ({verdict}) "
                    f"for {ratio:.1f} x the time"
                )
        if parts:
            sentences.append(f"{cell}: against 1 layer, {'; '.join(parts)}.")
    for count, found in verdicts.items():
        if found:
            sentences.append(
                f"{count} layers are better than 1 for {found.count('lower')} of {len(found)} "
                f"cells, worse for {found.count('higher')}."
            )
    best = min(rows, key=lambda row: row["test_error_percent"])
    sentences.append(f"The lowest error is {_error(best)}, by {best['label']}.")
    return sentences


def answer_scans(rows, records):
    """Says by how much each scan differs from rows."""
    del records
    spread = pooled_spread(rows)
    by_scan = {row["flags"]["scan"]: row for row in rows}
    sentences = [_spread_sentence(spread)]
    rows_scan = by_scan.pop("rows", None)
    if rows_scan is None:
        return sentences
    sentences.append(f"Rows: {_error(rows_scan)} in {rows_scan['train_seconds']:.0f} s.")
    for scan, row in by_scan.items():
        difference, verdict = compare_errors(row, rows_scan, spread)
        ratio = row["train_seconds"] / rows_scan["train_seconds"]
        sentences.append(
            f"{scan}: {_error(row)}, {difference:+.2f} points against rows ({verdict}), "
            f"{ratio:.1f} x the time."
        )
    return sentences


def answer_taps(rows, records):
    """Says what an order that is lost costs, by the depth of the features."""
    del records
    cost = {}
    sentences = []
    by_place = {}
    for row in rows:
        by_place.setdefault(_without(row, "shuffle_steps"), {})[row["flags"]["shuffle_steps"]] = row
    for place, orders in by_place.items():
        if {"none", "fresh"} <= set(orders):
            none, fresh = (orders[name]["test_error_percent"] for name in ("none", "fresh"))
            fixed = orders["fixed"]["test_error_percent"] if "fixed" in orders else None
            middle = "" if fixed is None else f"{fixed:.2f} % in one fixed shuffle, "
            sentences.append(
                f"{place}: {none:.2f} % in order, {middle}{fresh:.2f} % in a fresh shuffle for "
                f"each image, {fresh / none:.1f} x the error in order."
            )
            flags = orders["none"]["flags"]
            cost.setdefault(flags.get("serialize", "rows"), []).append((flags["tap"], fresh / none))
    for serialize, ratios in cost.items():
        taps, values = zip(*sorted(ratios))
        if len(taps) < 2:
            continue
        grows = all(later > earlier for earlier, later in itertools.pairwise(values))
        falls = all(later < earlier for earlier, later in itertools.pairwise(values))
        trend = "grows" if grows else "falls" if falls else "neither only grows nor only falls"
        sentences.append(
            f"By {serialize}, what the order is worth {trend} with depth: "
            f"{', '.join(f'{value:.1f} x after block {tap}' for tap, value in zip(taps, values))}."
        )
    return sentences


def answer_memory(rows, records):
    """Says what blank steps after the image cost each cell, and how much of a gradient is left."""
    spread = pooled_spread(rows)
    sentences = [_spread_sentence(spread)]
    by_cell = {}
    for row in rows:
        by_cell.setdefault(row["flags"]["cell"], {})[row["flags"]["blank_steps"]] = row
    for cell, steps in by_cell.items():
        errors = [
            f"{row['test_error_percent']:.2f} % after {k}" for k, row in sorted(steps.items())
        ]
        sentences.append(f"{cell}, error by blank steps: {', '.join(errors)}.")
        for count in (min(steps), max(steps)):
            share = _middle_share(steps[count], records)
            if share is not None:
                sentences.append(
                    f"{cell}, {count} blank steps: the logits depend on the middle of the image "
                    f"{share:.2g} x as much as on the last step."
                )
    return sentences


def _middle_share(row, records, image_steps=28):
    """The norm at the middle row of the image over that at the last step, the mean over seeds."""
    shares = []
    for name in row["points"]:
        norms = records[name]["analyses"].get("forgetting")
        if not norms or not norms[-1]:
            return None
        shares.append(norms[image_steps // 2] / norms[-1])
    return float(np.mean(shares))


def answer_size(rows, records):
    """Says how time grows with the image's side, and what a second core gives."""
    del records
    sentences = []
    by_series = {}
    for row in rows:
        key = (row["flags"]["model"], row["flags"]["cores"])
        by_series.setdefault(key, {})[row["flags"]["image_size"]] = row
    for (model, cores), sides in by_series.items():
        milliseconds = [
            f"{1000 / row['images_per_second']:.2f}" for _, row in sorted(sides.items())
        ]
        answering = [f"{row['batch_100_ms']:.2f}" for _, row in sorted(sides.items())]
        sentences.append(
            f"{model}, {cores} core{'s' if cores > 1 else ''}, sides "
            f"{', '.join(map(str, sorted(sides)))}: {', '.join(milliseconds)} ms an image in "
            f"training, {', '.join(answering)} ms in inference (batches of 100)."
        )
    largest = max(row["flags"]["image_size"] for row in rows)
    for model in dict.fromkeys(model for model, _ in by_series):
        one, two = (by_series.get((model, cores), {}).get(largest) for cores in (1, 2))
        if one and two:
            gain = two["images_per_second"] / one["images_per_second"]
            answers = one["batch_100_ms"] / two["batch_100_ms"]
            sentences.append(
                f"At side {largest} a second core makes {model} {gain:.2f} x as fast in training, "
                f"{answers:.2f} x in inference."
            )
    for cores in (1, 2):
        rnn, cnn = (by_series.get((model, cores), {}).get(largest) for model in ("rnn", "cnn"))
        if rnn and cnn:
            ratio = rnn["images_per_second"] / cnn["images_per_second"]
            sentences.append(
                f"At side {largest} on {cores} core{'s' if cores > 1 else ''} the RNN trains on "
                f"{ratio:.1f} x as many images a second as a CNN of as many parameters."
            )
    return sentences


def answer_article(rows, records):
    """Says whether rows or columns matter in the article's recipe, and how near it comes."""
    spread = pooled_spread(rows)
    sentences = [_spread_sentence(spread)]
    by_scan = {row["flags"]["scan"]: row for row in rows}
    for scan, row in by_scan.items():
        accuracies = [100 * records[name]["result"]["test_accuracy"] for name in row["points"]]
        sentences.append(
            f"{scan}: {', '.join(f'{value:.2f}' for value in accuracies)} %, mean "
            f"{np.mean(accuracies):.2f} %."
        )
    if {"rows", "columns"} <= set(by_scan):
        difference, verdict = compare_errors(by_scan["rows"], by_scan["columns"], spread)
        sentences.append(f"Rows against columns: {difference:+.2f} points of error ({verdict}).")
    return sentences


SECTIONS = {
    "article": Section(
        "The article's recipe",
        "The article publishes 98.07 %, a mean over batches of 64 of which the last has 16 images. "
        "Its text scans rows, its code columns. Does the recipe give that, and does it matter?",
        answer_article,
    ),
    "cells": Section(
        "Cells and layers",
        "The article: more layers classify better and cost more time. By how much?",
        answer_cells,
    ),
    "scans": Section(
        "How an image becomes a sequence",
        'The article: "left to right, right to left, or even jumping at random". What does each '
        "order cost? `permuted_rows` is one order for all images, `shuffled_rows` a fresh one for "
        "each.",
        answer_scans,
    ),
    "taps": Section(
        "Features of a CNN as the sequence",
        'The article: deeper features have "a stronger sequence relation". If so, taking their '
        "order away should cost more, the deeper they are.",
        answer_taps,
    ),
    "memory": Section(
        "What cells forget",
        "The article: the cells differ in how they forget. Blank steps lie between the image and "
        "the answer.",
        answer_memory,
    ),
    "size": Section(
        "Large images",
        "The article: an RNN is very slow for large images, while convolutions run in parallel.",
        answer_size,
    ),
}


def _without(row, flag):
    """Names a row by its other flags."""
    label = " ".join(str(value) for name, value in row["flags"].items() if name != flag)
    return label or "base"


def _error(row):
    spread = row["test_error_spread"]
    return f"{row['test_error_percent']:.2f} %" + ("" if spread is None else f" ± {spread:.2f}")


def _spread_sentence(spread):
    if spread is None:
        return "One seed each: differences of a few tenths may be chance."
    return f"Between seeds the test error has a standard deviation of {spread:.2f} points."
