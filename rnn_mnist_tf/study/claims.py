"""What the studies say about the article's claims, in sentences whose numbers are computed."""

import math
import typing

import numpy as np

from rnn_mnist_tf.study.machine import count_cores
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
from rnn_mnist_tf.study.spread import (
    compare_errors,
    compare_times,
    describe_trend,
    divide_errors,
)

_PUBLISHED = 98.07  # the article's test accuracy, in percent, of one run
_SAME = "the same within the spread"
_ORDERS = {
    "none": "in order",
    "fixed": "in one fixed shuffle",
    "fresh": "in a fresh shuffle for each image",
}


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
    verdicts = {_SAME: [], "lower": []}
    for row in rows:
        if row is not best[0] and has_learned(row, records):
            found = verdicts.get(compare_errors(row, best[0], spread)[1])
            if found is not None:
                found.append(f"{name_row(row, records)} ({row['test_error_percent']:.2f} %)")
    if verdicts[_SAME]:
        text += f"; the same test error within the spread: {', '.join(verdicts[_SAME])}"
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


# What an order is worth: the error in the second way over that in the first.
_WORTHS = {
    "order altogether": ("none", "fresh"),
    "the image's own order": ("none", "fixed"),
    "any one order for all images": ("fixed", "fresh"),
}
_CLAIM_OF_TREND = {
    "grows": "holds",
    "falls": "does not hold: it is the other way round",
}
_EQUALLY_LONG = (2, 3)  # blocks whose maps have equally many steps


def answer_taps(rows, records):
    """Says what an order that is lost costs, by the depth of the features."""
    # Ways to serialize are apart: a way that hardly learns says nothing of how another one spreads.
    sentences, trends = [], []
    for serialize in dict.fromkeys(value_of(row, records, "serialize") for row in rows):
        members = [row for row in rows if value_of(row, records, "serialize") == serialize]
        spread = spread_of(members, records)
        groups = group_rows(members, records, "shuffle_steps")
        sentences.append(f"{serialize}: {describe_spread(spread, members, records)}")
        sentences += [
            f"{place}: {_describe_orders(orders, records, spread)}."
            for place, orders in groups.items()
        ]
        trends += _describe_worths(serialize, groups.values(), records, spread)
    return sentences + trends


def _describe_orders(orders, records, spread):
    """The errors of one tap, each judged against that in order."""
    texts = []
    for order in (order for order in _ORDERS if order in orders):
        text = f"{orders[order]['test_error_percent']:.2f} % {_ORDERS[order]}"
        pair = [orders[order], orders.get("none")]
        if order != "none" and pair[1] and all(has_learned(row, records) for row in pair):
            text += f" ({compare_errors(*pair, spread)[1]})"
        texts.append(text)
    learned = all(has_learned(row, records) for row in orders.values())
    return ", ".join(texts) + ("" if learned else "; one at least did not learn")


def _describe_worths(serialize, groups, records, spread):
    """By how much each kind of order lowers the error, by depth, and what becomes of the claim."""
    sentences = []
    for worth, (kept, lost) in _WORTHS.items():
        ratios = {}
        for orders in groups:
            pair = [orders[order] for order in (lost, kept) if order in orders]
            if len(pair) < 2 or not all(has_learned(row, records) for row in pair):
                continue
            if pair[1]["test_error_percent"] > 0:
                ratios[value_of(pair[0], records, "tap")] = divide_errors(*pair, spread)
        if len(ratios) < 2:
            continue
        ratios = dict(sorted(ratios.items()))
        trend = describe_trend([*ratios.values()])
        taps = ", ".join(f"{ratio.text} x after block {tap}" for tap, ratio in ratios.items())
        sentences.append(
            f"By {serialize}, what {worth} is worth (the error {_ORDERS[lost]} over that "
            f"{_ORDERS[kept]}) {trend} with depth: {taps}."
        )
        if worth == "order altogether":
            sentences.append(f"By {serialize}, {_judge_claim(ratios, trend)}.")
    return sentences


def _judge_claim(ratios, trend):
    """What becomes of the claim over all depths, and where depth alone differs."""
    text = f"the claim {_CLAIM_OF_TREND.get(trend, 'is not decided')}"
    alike = [ratios[tap] for tap in _EQUALLY_LONG if tap in ratios]
    if len(alike) == len(_EQUALLY_LONG) < len(ratios):
        claim = _CLAIM_OF_TREND.get(describe_trend(alike), "is not decided")
        text += f"; of blocks 2 and 3 alone, with equally many steps, it {claim}"
    return text


def answer_memory(rows, records):
    """Says what blank steps after the image cost each cell, and how much of a gradient is left."""
    spread = spread_of(rows, records)
    sentences = [describe_spread(spread, rows, records)]
    for cell, steps in group_rows(rows, records, "blank_steps").items():
        errors = []
        for count, row in sorted(steps.items()):
            remark = describe_failure(row, records)
            if not remark and count != min(steps) and has_learned(steps[min(steps)], records):
                remark = compare_errors(row, steps[min(steps)], spread)[1]
            errors.append(f"{format_error(row)} after {count}" + (f" ({remark})" if remark else ""))
        sentences.append(f"{cell}, error by blank steps: {', '.join(errors)}.")
        for count in sorted({min(steps), max(steps)}):
            shares = _middle_shares(steps[count], records)
            if shares and has_learned(steps[count], records):
                each = f" ({', '.join(map(format_digits, shares))} by seed)"
                sentences.append(
                    f"{cell}, {count_of(count, 'blank step')}: the logits depend on the middle of "
                    f"the image {format_digits(np.mean(shares))} x"
                    f"{each if len(shares) > 1 else ''} as much as on the last step."
                )
    return sentences


def _middle_shares(row, records):
    """Of each seed, the norm at the middle row of the image over that at the last step."""
    shares = []
    for name in row["points"]:
        norms = records[name]["analyses"].get("forgetting")
        if not norms or not norms[-1]:
            return []
        image_steps = len(norms) - records[name]["config"]["blank_steps"]
        shares.append(norms[image_steps // 2] / norms[-1])
    return shares


def answer_size(rows, records):
    """Says how time grows with the image's side, and what a second core gives."""
    sentences, series = [], {}
    machines = {record["machine"] for record in records.values()}
    machines |= {record.get("analyses_machine", record["machine"]) for record in records.values()}
    disturbed = sum(row["disturbed"] for row in rows)
    compared = len(machines) == 1 and not disturbed
    for row in rows:
        model, cores, side = (value_of(row, records, n) for n in ("model", "cores", "image_size"))
        series.setdefault((model, cores), {})[side] = row
    for (model, cores), sides in series.items():
        failed = [side for side, row in sides.items() if not has_learned(row, records)]
        if failed:
            sentences.append(
                f"{model}, {count_cores(cores)}: after so few steps the loss is not 5 % below a "
                f"guess's at {_list_sides(sorted(failed))}: the time alone counts."
            )
    for (model, cores), sides in series.items():
        sentences.append(f"{model}, {count_cores(cores)}: {_times(sides, compared)}.")
    if disturbed:
        sentences.append(f"Other work ran beside {disturbed} of them: no times are compared.")
        return sentences
    if len(machines) > 1:
        return [*sentences, f"Measured on {len(machines)} machines: no times are compared."]
    for model in dict.fromkeys(model for model, _ in series):
        side, one, two = _largest_pair(series, (model, 1), (model, 2))
        if side is None:
            continue
        gain = f"{two['images_per_second'] / one['images_per_second']:.2f} x as fast in training"
        if one["batch_100_ms"] and two["batch_100_ms"]:
            gain += f", {one['batch_100_ms'] / two['batch_100_ms']:.2f} x in inference"
        sentences.append(f"At side {side} a second core makes {model} {gain}.")
    ratios = []
    for cores in dict.fromkeys(cores for _, cores in series):
        side, rnn, cnn = _largest_pair(series, ("rnn", cores), ("cnn", cores))
        if side is None:
            continue
        ratio = rnn["images_per_second"] / cnn["images_per_second"]
        ratios.append(ratio)
        sentences.append(
            f"At side {side} on {count_cores(cores)} the RNN ({rnn['parameters']:,} parameters) "
            f"trains on {ratio:.1f} x as many images a second as the CNN ({cnn['parameters']:,})."
        )
    if ratios and (min(ratios) > 1 or max(ratios) < 1):
        holds = "does not hold" if min(ratios) > 1 else "holds"
        sentences.append(f"Of models with equal parameters the claim {holds}.")
    return sentences


def _times(sides, compared):
    """One model's milliseconds by side, and by how much they grow if they can be compared."""
    sides = dict(sorted(sides.items()))
    training = [1000 / row["images_per_second"] for row in sides.values()]
    inference = [row["batch_100_ms"] for row in sides.values()]
    text = f"{_list_sides(sides)}: {_join_times(training)} ms an image in training"
    if compared and len(sides) > 1:
        text += f" (from the first to the last {training[-1] / training[0]:.1f} x)"
    if None not in inference:
        text += f", {_join_times(inference)} ms in inference (batches of 100)"
    return text


def _list_sides(sides):
    return f"side{'s' if len(sides) > 1 else ''} {', '.join(map(str, sides))}"


def _join(values):
    return ", ".join(f"{value:.2f}" for value in values)


def _join_times(values):
    return ", ".join(f"{value:.0f}" if value >= 100 else f"{value:#.3g}" for value in values)


def _largest_pair(series, name, other):
    """Returns the largest side that both series have, and its rows; three times None without."""
    common = set(series.get(name, ())) & set(series.get(other, ()))
    if not common:
        return None, None, None
    return max(common), series[name][max(common)], series[other][max(common)]


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
        sentences.append(
            f"{scan}: {_join(accuracies)} %, mean {mean:.2f} %, {mean - _PUBLISHED:+.2f} points "
            f"against the published {_PUBLISHED:.2f} % (an error that is "
            f"{compare_errors(row, published, spread)[1]})."
        )
    pair = [by_scan[scan] for scan in ("rows", "columns") if scan in by_scan]
    if len(pair) == 2 and all(has_learned(row, records) for row in pair):
        difference, verdict = compare_errors(*pair, spread)
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
        "order away should cost more, the deeper they are. But every second block halves the map, "
        "and with it the steps that have an order: only blocks 2 and 3 have equally many. Errors "
        "are judged against those in order.",
        answer_taps,
    ),
    "memory": Section(
        "What cells forget",
        "The article: the cells differ in how they forget. Blank steps lie between the image and "
        "the answer; errors are judged against those with the fewest.",
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
