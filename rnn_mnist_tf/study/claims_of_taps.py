"""What the study of features says of orders and depth."""

from rnn_mnist_tf.study.sentences import (
    describe_spread,
    group_rows,
    has_learned,
    spread_of,
    value_of,
)
from rnn_mnist_tf.study.spread import compare_errors, describe_trend, divide_errors

_ORDERS = {
    "none": "in order",
    "fixed": "in one fixed shuffle",
    "fresh": "in a fresh shuffle for each image",
}
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
        taps = ", ".join(f"{ratio.text} x after block {tap}" for tap, ratio in ratios.items())
        sentences.append(
            f"By {serialize}, what {worth} is worth (the error {_ORDERS[lost]} over that "
            f"{_ORDERS[kept]}) {_describe_trends(ratios)}: {taps}."
        )
        if worth == "order altogether":
            sentences.append(f"By {serialize}, {_judge_claim(ratios)}.")
    return sentences


def _equally_long(ratios):
    """The ratios where depth alone differs; empty where one is missing, or where they are all."""
    alike = [ratios[tap] for tap in _EQUALLY_LONG if tap in ratios]
    return alike if len(alike) == len(_EQUALLY_LONG) < len(ratios) else []


def _describe_trends(ratios):
    text = f"{describe_trend([*ratios.values()])} with depth"
    if alike := _equally_long(ratios):
        text += (
            f" over all blocks, and from block 2 to 3, judged as a pair, {describe_trend(alike)}"
        )
    return text


def _judge_claim(ratios):
    """What becomes of the claim where depth alone differs, and over all depths."""
    claim = _CLAIM_OF_TREND.get(describe_trend([*ratios.values()]), "is not decided")
    alike = _equally_long(ratios)
    if not alike:
        return f"the claim {claim}"
    of_depth = _CLAIM_OF_TREND.get(describe_trend(alike), "is not decided")
    return (
        f"from block 2 to 3, where depth alone differs, the claim {of_depth}; over all blocks, "
        f"where the steps become fewer too, it {claim}"
    )
