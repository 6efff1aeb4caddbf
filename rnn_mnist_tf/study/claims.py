"""What the studies say about the article's claims, in sentences whose numbers are computed."""

import math
import typing

import numpy as np

from rnn_mnist_tf.study.claims_of_analyses import answer_memory, answer_size
from rnn_mnist_tf.study.claims_of_taps import answer_taps
from rnn_mnist_tf.study.sentences import (
    count_of,
    describe_failure,
    describe_spread,
    format_digits,
    format_error,
    format_seconds,
    group_rows,
    has_learned,
    name_row,
    spread_of,
    value_of,
)
from rnn_mnist_tf.study.spread import NOT_TOLD_APART, compare_errors, compare_times

_PUBLISHED = 98.07  # the article's test accuracy, in percent, of one run


class Section(typing.NamedTuple):
    """What stands in the report for one study.

    Attributes:
        title: its heading.
        claim: what the article says, and the question that follows from it.
        answer: a function of `(rows, records)`, from `merge_seeds` and `{point name: record}`,
            that returns a list of sentences. A study may be in part only.
    """

    title: str
    claim: str
    answer: typing.Callable


def answer_cells(rows, records):
    """Says by how much more layers change the error and the time, cell by cell."""
    spread = spread_of(rows, records)
    sentences, verdicts = [describe_spread(spread, rows, records)], {}
    for cell, layers in group_rows(rows, records, "num_layers").items():
        one, parts = layers.get(1), []
        if one is not None and not has_learned(one, records):
            sentences.append(f"{cell}: 1 layer {describe_failure(one, records)}.")
            one = None
        for count in sorted(set(layers) - {1} if one is not None else ()):
            failure = describe_failure(layers[count], records)
            if failure:
                parts.append(f"{count} layers {failure}")
                continue
            difference, verdict = compare_errors(layers[count], one, spread)
            verdicts.setdefault(count, []).append(verdict)
            parts.append(
                f"{count} layers {difference:+.2f} points of error ({verdict}) "
                f"for {compare_times(layers[count], one, records)}"
            )
        if parts:
            sentences.append(f"{cell}: against 1 layer, {'; '.join(parts)}.")
    if spread is not None:
        sentences += _count_verdicts(verdicts)
    return [*sentences, _choose(rows, records, spread)]


def _count_verdicts(verdicts):
    """Of how many cells more layers are better, and how often chance would say so."""
    sentences = [
        f"{count} layers are better than 1 for {found.count('lower')} of "
        f"{count_of(len(found), 'configuration')}, worse for {found.count('higher')}."
        for count, found in sorted(verdicts.items())
    ]
    total = sum(map(len, verdicts.values()))
    if total > 1:
        sentences.append(
            f"Each of these verdicts is one at 5 %: of {total} comparisons of equals, "
            f"{format_digits(0.05 * total)} would be called different."
        )
    return sentences


def _choose(rows, records, spread):
    """Names the configuration that the validation part chooses, and what it cannot be told from."""
    chosen = [row for row in rows if row["validation_error_percent"] is not None]
    if not chosen:
        return "Without a validation part none is chosen."
    lowest = min(row["validation_error_percent"] for row in chosen)
    best = [row for row in chosen if math.isclose(row["validation_error_percent"], lowest)]
    named = [f"{name_row(row, records)} (test error {format_error(row)})" for row in best]
    text = f"The lowest validation error has {', and as low '.join(named)}"
    if len(best) > 1:
        return text + "."
    verdicts = {NOT_TOLD_APART: [], "lower": []}
    for row in rows:
        if row is not best[0] and has_learned(row, records):
            found = verdicts.get(compare_errors(row, best[0], spread)[1])
            if found is not None:
                found.append(f"{name_row(row, records)} ({row['test_error_percent']:.2f} %)")
    if verdicts[NOT_TOLD_APART]:
        text += f"; not told apart from it: {', '.join(verdicts[NOT_TOLD_APART])}"
    if verdicts["lower"]:
        text += f"; a lower test error: {', '.join(verdicts['lower'])}"
    return text + "."


def answer_scans(rows, records):
    """Says by how much each scan differs from rows."""
    spread = spread_of(rows, records)
    by_scan = {value_of(row, records, "scan"): row for row in rows}
    base = by_scan.get("rows")
    if base is not None and not has_learned(base, records):
        base = None
    sentences = [describe_spread(spread, rows, records)]
    for scan, row in by_scan.items():
        failure = describe_failure(row, records)
        if failure:
            sentences.append(f"{scan}: {format_error(row)}, {failure}.")
        elif base is None or row is base:
            sentences.append(f"{scan}: {format_error(row)}{format_seconds(row)}.")
        else:
            difference, verdict = compare_errors(row, base, spread)
            sentences.append(
                f"{scan}: {format_error(row)}, {difference:+.2f} points against rows ({verdict}), "
                f"{compare_times(row, base, records)}."
            )
    return sentences


def answer_article(rows, records):
    """Says whether rows or columns matter in the article's recipe, and how near it comes."""
    spread = spread_of(rows, records)
    published = {"test_error_percent": 100 - _PUBLISHED, "test_error_spread": None, "seeds": 1}
    sentences = [describe_spread(spread, rows, records)]
    by_scan = {value_of(row, records, "scan"): row for row in rows}
    for scan, row in by_scan.items():
        accuracies = [100 * records[name]["result"]["test_accuracy"] for name in row["points"]]
        mean, failure = float(np.mean(accuracies)), describe_failure(row, records)
        if failure:
            sentences.append(f"{scan}: {_join(accuracies)} %, {failure}.")
            continue
        difference, verdict = compare_errors(row, published, spread)
        sentences.append(
            f"{scan}: {_join(accuracies)} %, mean {mean:.2f} %: {difference:+.2f} points of "
            f"error against the published {_PUBLISHED:.2f} % ({verdict})."
        )
    pair = [by_scan[scan] for scan in ("rows", "columns") if scan in by_scan]
    if len(pair) == 2 and all(has_learned(row, records) for row in pair):
        difference, verdict = compare_errors(*pair, spread)
        sentences.append(f"Rows against columns: {difference:+.2f} points of error ({verdict}).")
    return sentences


def _join(percents):
    return ", ".join(f"{percent:.2f}" for percent in percents)


SECTIONS = {
    "article": Section(
        "The article's recipe",
        "The article publishes 98.07 %, a mean over batches of 64 of which the last has 16 images. "
        "Its text scans rows, its code columns. Does the recipe give that, and does it matter? "
        "What was published counts as one run, with the spread of these seeds.",
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
        "each; `patches` and `pixels` also change how many steps there are and how large each is.",
        answer_scans,
    ),
    "taps": Section(
        "Features of a CNN as the sequence",
        'The article: deeper features have "a stronger sequence relation". If so, taking their '
        "order away should cost more, the deeper they are. But every second block halves the map, "
        "and with it the steps that have an order: only blocks 2 and 3 have equally many. Errors "
        "are judged against those in order. What an order is worth is a ratio of errors; below 1 "
        "it does harm.",
        answer_taps,
    ),
    "memory": Section(
        "What cells forget",
        "The article: the cells differ in how they forget. Blank steps lie between the image and "
        "the answer; errors are judged against those with the fewest, and between cells after "
        "equally many. A cell that did not learn in these epochs does not say what it would "
        "remember. How much logits depend on a step is the norm of d logits / d x[t]; the last row "
        "of a digit is nearly always black.",
        answer_memory,
    ),
    "size": Section(
        "Large images",
        "The article: an RNN is very slow for large images, while convolutions run in parallel. "
        "The question is time; the errors are of few images to train on and 1,000 to test. Equal "
        "parameters are not equal work: a convolution uses each of its weights at every pixel.",
        answer_size,
    ),
}
