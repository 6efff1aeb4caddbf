"""What the studies say about the article's claims, in sentences whose numbers are computed."""

import math
import typing

import numpy as np

from rnn_mnist_tf.study.grid import settings_text
from rnn_mnist_tf.study.machine import count_cores
from rnn_mnist_tf.study.spread import (
    compare_errors,
    compare_times,
    describe_trend,
    divide_errors,
    pool_spread,
)

_PUBLISHED = 98.07  # the article's test accuracy, in percent, of one run
_GUESS = 0.95  # a loss above this part of a guess's is no better: nothing was learned
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
    spread = _spread(rows, records)
    sentences, verdicts = [_spread_sentence(spread)], {}
    for cell, layers in _group(rows, records, "num_layers").items():
        parts = []
        for count in sorted(set(layers) - {1} if 1 in layers else ()):
            difference, verdict = compare_errors(layers[count], layers[1], spread)
            verdicts.setdefault(count, []).append(verdict)
            parts.append(
                f"{count} layers {difference:+.2f} points of error ({verdict}) "
                f"for {compare_times(layers[count], layers[1], records)}"
            )
        if parts:
            sentences.append(f"{cell}: against 1 layer, {'; '.join(parts)}.")
    if spread is not None:
        sentences += [
            f"{count} layers are better than 1 for {found.count('lower')} of {len(found)} "
            f"cells, worse for {found.count('higher')}."
            for count, found in sorted(verdicts.items())
        ]
        total = sum(map(len, verdicts.values()))
        if total:
            sentences.append(
                f"Each verdict is one at 5 %: of {total} comparisons of equals, "
                f"{0.05 * total:.1f} would be called different."
            )
    return [*sentences, _choose(rows, records, spread)]


def _choose(rows, records, spread):
    """Names the configuration that the validation part chooses, and what it cannot be told from."""
    chosen = [row for row in rows if row["validation_error_percent"] is not None]
    if not chosen:
        return "Without a validation part none is chosen."
    best = min(chosen, key=lambda row: row["validation_error_percent"])
    text = f"The lowest validation error has {_name(best, records)}: test error {_error(best)}"
    alike = [
        f"{_name(row, records)} ({row['test_error_percent']:.2f} %)"
        for row in rows
        if row is not best and compare_errors(row, best, spread)[1] == "the same within the spread"
    ]
    return text + (f"; the same within the spread: {', '.join(alike)}." if alike else ".")


def answer_scans(rows, records):
    """Says by how much each scan differs from rows."""
    spread = _spread(rows, records)
    by_scan = {_value(row, records, "scan"): row for row in rows}
    sentences = [_spread_sentence(spread)]
    base = by_scan.pop("rows", None)
    if base is not None:
        sentences.append(f"rows: {_error(base)}{_seconds(base)}.")
    for scan, row in by_scan.items():
        failure = _describe_failure(row, records)
        if failure:
            sentences.append(f"{scan}: {_error(row)}, {failure}.")
            continue
        if base is None:
            sentences.append(f"{scan}: {_error(row)}{_seconds(row)}.")
            continue
        difference, verdict = compare_errors(row, base, spread)
        sentences.append(
            f"{scan}: {_error(row)}, {difference:+.2f} points against rows ({verdict}), "
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


def answer_taps(rows, records):
    """Says what an order that is lost costs, by the depth of the features."""
    # Ways to serialize are apart: a way that hardly learns says nothing of how another one spreads.
    sentences, trends = [], []
    for serialize in dict.fromkeys(_value(row, records, "serialize") for row in rows):
        members = [row for row in rows if _value(row, records, "serialize") == serialize]
        spread = _spread(members, records)
        groups = _group(members, records, "shuffle_steps")
        sentences.append(f"{serialize}: {_spread_sentence(spread)}")
        sentences += [
            f"{place}: {_describe_orders(orders, records, spread)}."
            for place, orders in groups.items()
        ]
        trends += _describe_worths(serialize, groups.values(), records, spread)
    return sentences + trends


def _describe_orders(orders, records, spread):
    """The errors of one tap, each judged against the one before it."""
    texts = []
    for order, before in (("none", None), ("fixed", "none"), ("fresh", "fixed")):
        if order not in orders:
            continue
        text = f"{orders[order]['test_error_percent']:.2f} % {_ORDERS[order]}"
        if before in orders and all(_has_learned(orders[o], records) for o in (order, before)):
            text += f" ({compare_errors(orders[order], orders[before], spread)[1]})"
        texts.append(text)
    learned = all(_has_learned(row, records) for row in orders.values())
    return ", ".join(texts) + ("" if learned else "; one at least did not learn")


def _describe_worths(serialize, groups, records, spread):
    """By how much each kind of order lowers the error, by depth, and what becomes of the claim."""
    sentences = []
    for worth, (kept, lost) in _WORTHS.items():
        ratios = []
        for orders in groups:
            pair = [orders[order] for order in (lost, kept) if order in orders]
            if len(pair) == 2 and all(_has_learned(row, records) for row in pair):
                ratios.append((_value(pair[0], records, "tap"), divide_errors(*pair, spread)))
        if len(ratios) < 2:
            continue
        ratios.sort()
        trend = describe_trend([ratio for _, ratio in ratios], spread)
        taps = ", ".join(f"{ratio.text} x after block {tap}" for tap, ratio in ratios)
        sentences.append(
            f"By {serialize}, what {worth} is worth (the error {_ORDERS[lost]} over that "
            f"{_ORDERS[kept]}) {trend} with depth: {taps}."
        )
        if worth == "order altogether":
            claim = _CLAIM_OF_TREND.get(trend, "is not decided")
            sentences.append(f"By {serialize}, the claim {claim}.")
    return sentences


def answer_memory(rows, records):
    """Says what blank steps after the image cost each cell, and how much of a gradient is left."""
    spread = _spread(rows, records)
    sentences = [_spread_sentence(spread)]
    for cell, steps in _group(rows, records, "blank_steps").items():
        errors = []
        for count, row in sorted(steps.items()):
            remark = _describe_failure(row, records)
            if not remark and count != min(steps) and _has_learned(steps[min(steps)], records):
                remark = compare_errors(row, steps[min(steps)], spread)[1]
            errors.append(f"{_error(row)} after {count}" + (f" ({remark})" if remark else ""))
        sentences.append(f"{cell}, error by blank steps: {', '.join(errors)}.")
        for count in sorted({min(steps), max(steps)}):
            shares = _middle_shares(steps[count], records)
            if shares and _has_learned(steps[count], records):
                each = f" ({', '.join(f'{share:.2g}' for share in shares)} by seed)"
                sentences.append(
                    f"{cell}, {count} blank steps: the logits depend on the middle of the image "
                    f"{np.mean(shares):.2g} x{each if len(shares) > 1 else ''} as much as on the "
                    "last step."
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
    for row in rows:
        model, cores, side = (_value(row, records, n) for n in ("model", "cores", "image_size"))
        series.setdefault((model, cores), {})[side] = row
    for (model, cores), sides in series.items():
        failed = [side for side, row in sides.items() if not _has_learned(row, records)]
        if failed:
            sentences.append(
                f"{model}, {count_cores(cores)}: after so few steps the loss is within 5 % of a "
                f"guess's at sides {', '.join(map(str, sorted(failed)))}: the time alone counts."
            )
    for (model, cores), sides in series.items():
        sentences.append(f"{model}, {count_cores(cores)}: {_times(sides, len(machines) == 1)}.")
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
    text = f"sides {', '.join(map(str, sides))}: {_join_times(training)} ms an image in training"
    if compared and len(sides) > 1:
        text += f" (from the first to the last {training[-1] / training[0]:.1f} x)"
    if None not in inference:
        text += f", {_join_times(inference)} ms in inference (batches of 100)"
    return text


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
    spread = _spread(rows, records)
    published = {"test_error_percent": 100 - _PUBLISHED, "test_error_spread": None, "seeds": 1}
    sentences = [_spread_sentence(spread)]
    by_scan = {_value(row, records, "scan"): row for row in rows}
    for scan, row in by_scan.items():
        accuracies = [100 * records[name]["result"]["test_accuracy"] for name in row["points"]]
        mean = float(np.mean(accuracies))
        sentences.append(
            f"{scan}: {_join(accuracies)} %, mean {mean:.2f} %, {mean - _PUBLISHED:+.2f} points "
            f"against the published {_PUBLISHED:.2f} % (an error that is "
            f"{compare_errors(row, published, spread)[1]})."
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
        "order away should cost more, the deeper they are. But every second block halves the map, "
        "and with it the steps that have an order: only blocks 2 and 3 have equally many.",
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


def _group(rows, records, flag):
    """Returns `{name: {value of the flag: row}}`, rows of one name differing in the flag alone."""
    groups = {}
    for row in rows:
        name = _name(row, records, without=flag)
        groups.setdefault(name, {})[_value(row, records, flag)] = row
    return groups


def _name(row, records, without=""):
    """Names a row by all that the grid set but one flag."""
    settings = records[row["points"][0]]["settings"]
    return settings_text({n: v for n, v in settings.items() if n not in (without, "seed")})


def _value(row, records, flag):
    """A flag's value, which a row does not have where no row of the study differs in it."""
    record = records[row["points"][0]]
    return record["cores"] if flag == "cores" else record["config"][flag]


def _has_learned(row, records):
    """Whether all of a row's seeds learned."""
    return _describe_failure(row, records) == ""


def _describe_failure(row, records):
    """Says which seeds did not learn; empty if all did.

    One has learned whose loss in the last epoch is below 95 % of that of a guess among the classes,
    on the validation part if there is one: that is what its errors are of.
    """
    failed = 0
    for record in (records[name] for name in row["points"]):
        last = record["curve"][-1]
        # Records of earlier days do not say how many classes their data had.
        classes = record.get("classes", record["config"]["num_classes"])
        failed += last.get("val_loss", last["loss"]) >= _GUESS * math.log(classes)
    if failed == 0:
        return ""
    seeds = f"{failed} of {len(row['points'])} seeds " if failed < len(row["points"]) else ""
    return (
        f"{seeds}did not learn: {'their' if failed > 1 else 'its'} loss is within 5 % of a guess's"
    )


def _spread(rows, records):
    """The spread of what learned: a guess errs alike with every seed."""
    return pool_spread([row for row in rows if _has_learned(row, records)])


def _error(row):
    spread = row["test_error_spread"]
    return f"{row['test_error_percent']:.2f} %" + ("" if spread is None else f" ± {spread:.2f}")


def _seconds(row):
    """The time of training, unless other work always ran beside it."""
    return "" if row["disturbed"] else f" in {row['train_seconds']:.0f} s"


def _spread_sentence(spread):
    if spread is None:
        return "No spread between seeds is known: differences of a few tenths may be chance."
    return (
        f"Between seeds a test error of 1 % has a standard deviation of "
        f"{math.sqrt(spread.dispersion):.2f} points, one of e % sqrt(e) times that."
    )
