"""What the studies of memory and size say, with their measurements beside the errors."""

import itertools

import numpy as np

from rnn_mnist_tf.study.machine import count_cores
from rnn_mnist_tf.study.sentences import (
    count_of,
    describe_failure,
    describe_spread,
    format_digits,
    format_error,
    group_rows,
    has_learned,
    spread_of,
    value_of,
)
from rnn_mnist_tf.study.spread import compare_errors


def answer_memory(rows, records):
    """Says what blank steps after the image cost each cell, and how much of a gradient is left."""
    spread = spread_of(rows, records)
    groups = group_rows(rows, records, "blank_steps")
    sentences = [describe_spread(spread, rows, records)]
    for cell, steps in groups.items():
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
                    f"{each if len(shares) > 1 else ''} as much as on its last row."
                )
    return sentences + _compare_cells(groups, records, spread)


def _compare_cells(groups, records, spread):
    """Each two cells after equally many blank steps, where both learned."""
    sentences = []
    for count in sorted({count for steps in groups.values() for count in steps}):
        learned = {
            cell: steps[count]
            for cell, steps in groups.items()
            if count in steps and has_learned(steps[count], records)
        }
        parts = []
        for (other, base), (cell, row) in itertools.combinations(learned.items(), 2):
            difference, verdict = compare_errors(row, base, spread)
            parts.append(f"{cell} {difference:+.2f} points of error against {other} ({verdict})")
        if parts:
            sentences.append(f"After {count_of(count, 'blank step')}: {', '.join(parts)}.")
    return sentences


def _middle_shares(row, records):
    """Of each seed, the norm at the middle row of the image over that at its last row."""
    shares = []
    for name in row["points"]:
        norms = records[name]["analyses"].get("forgetting")
        if not norms:
            return []
        image = norms[: len(norms) - records[name]["config"]["blank_steps"]]
        if not image[-1]:
            return []
        shares.append(image[len(image) // 2] / image[-1])
    return shares


def answer_size(rows, records):
    """Says how time grows with the side, what a second core gives, and which model is faster."""
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
        sentences.append(f"The times of {disturbed} of them do not compare: none are compared.")
        return sentences
    if len(machines) > 1:
        return [*sentences, f"Measured on {len(machines)} machines: no times are compared."]
    for model in dict.fromkeys(model for model, _ in series):
        ones, twos = series.get((model, 1), {}), series.get((model, 2), {})
        side = max(ones.keys() & twos.keys(), default=None)
        if side is None:
            continue
        one, two = ones[side], twos[side]
        gain = f"{two['images_per_second'] / one['images_per_second']:.2f} x as fast in training"
        if one["batch_100_ms"] and two["batch_100_ms"]:
            gain += f", {one['batch_100_ms'] / two['batch_100_ms']:.2f} x in inference"
        sentences.append(f"At side {side} a second core makes {model} {gain}.")
    return sentences + _compare_models(series)


def _compare_models(series):
    """How much faster the RNN is than the CNN: at the largest side, then over all of them."""
    sentences, training, inference = [], [], []
    for cores in dict.fromkeys(cores for _, cores in series):
        rnns, cnns = series.get(("rnn", cores), {}), series.get(("cnn", cores), {})
        sides = sorted(rnns.keys() & cnns.keys())
        for side in sides:
            rnn, cnn = rnns[side], cnns[side]
            training.append(rnn["images_per_second"] / cnn["images_per_second"])
            if rnn["batch_100_ms"] and cnn["batch_100_ms"]:
                inference.append(cnn["batch_100_ms"] / rnn["batch_100_ms"])
        if sides:
            rnn, cnn = rnns[sides[-1]], cnns[sides[-1]]
            sentences.append(
                f"At side {sides[-1]} on {count_cores(cores)} the RNN ({rnn['parameters']:,} "
                f"parameters) trains on {format_digits(training[-1])} x as many images a second as "
                f"the CNN ({cnn['parameters']:,})."
            )
    if training:
        text = f"Over all sides and cores the RNN is {_range(training)} x as fast in training"
        text += f", {_range(inference)} x in inference" if inference else ""
        claim = _judge_claim(training + inference)
        sentences.append(f"{text}: of these models, on these cores, the claim {claim}.")
    return sentences


def _judge_claim(ratios):
    """What becomes of the claim that the RNN is the slower one, by how much faster it is."""
    if min(ratios) > 1:
        return "does not hold"
    return "holds" if max(ratios) < 1 else "is not decided"


def _range(values):
    low, high = format_digits(min(values)), format_digits(max(values))
    return low if low == high else f"{low} to {high}"


def _times(sides, compared):
    """One model's milliseconds by side, and by how much they grow if they can be compared."""
    sides = dict(sorted(sides.items()))
    training = [1000 / row["images_per_second"] for row in sides.values()]
    inference = [row["batch_100_ms"] for row in sides.values()]
    text = f"{_list_sides(sides)}: {_join_times(training)} ms an image in training"
    if compared and len(sides) > 1:
        text += f" (from the first to the last {format_digits(training[-1] / training[0])} x)"
    if None not in inference:
        text += f", {_join_times(inference)} ms in inference (batches of 100)"
    return text


def _list_sides(sides):
    return f"side{'s' if len(sides) > 1 else ''} {', '.join(map(str, sides))}"


def _join_times(values):
    texts = (f"{value:.0f}" if value >= 100 else f"{value:#.3g}" for value in values)
    return ", ".join(text.removesuffix(".") for text in texts)
