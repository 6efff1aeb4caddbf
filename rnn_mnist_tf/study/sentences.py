"""The words that figures have in the report: names, errors, failures, the spread between seeds."""

import math

from rnn_mnist_tf.study.grid import settings_text
from rnn_mnist_tf.study.spread import pool_spread

_GUESS = 0.95  # a loss above this part of a guess's is no better: nothing was learned


def group_rows(rows, records, flag):
    """Returns `{name: {value of the flag: row}}`, rows of one name differing in the flag alone."""
    groups = {}
    for row in rows:
        name = name_row(row, records, without=flag)
        groups.setdefault(name, {})[value_of(row, records, flag)] = row
    return groups


def name_row(row, records, without=""):
    """Returns all that the grid set of a row, but the seed and perhaps another flag."""
    settings = records[row["points"][0]]["settings"]
    return settings_text({n: v for n, v in settings.items() if n not in (without, "seed")})


def value_of(row, records, flag):
    """Returns a flag's value, which a row does not have where no row of the study differs in it."""
    record = records[row["points"][0]]
    return record["cores"] if flag == "cores" else record["config"][flag]


def has_learned(row, records):
    """Whether all of a row's seeds learned."""
    return describe_failure(row, records) == ""


def describe_failure(row, records):
    """Says which seeds did not learn; empty if all did.

    One has learned whose loss in the last epoch is below 95 % of that of a guess among the classes,
    on the validation part if there is one: that is what its errors are of.
    """
    failed = 0
    for record in (records[name] for name in row["points"]):
        last = record["curve"][-1]
        # Records of earlier days do not say how many classes their data had.
        classes = record.get("classes", record["config"]["num_classes"])
        failed += not last.get("val_loss", last["loss"]) < _GUESS * math.log(classes)
    if failed == 0:
        return ""
    seeds = f"{failed} of {len(row['points'])} seeds " if failed < len(row["points"]) else ""
    return (
        f"{seeds}did not learn: {'their' if failed > 1 else 'its'} loss is not 5 % below a guess's"
    )


def spread_of(rows, records):
    """Returns the spread of what learned: a guess errs alike with every seed."""
    return pool_spread([row for row in rows if has_learned(row, records)])


def describe_spread(spread, rows, records):
    """Says how test errors differ between seeds, and of which rows they differ more."""
    if spread is None:
        return "No spread between seeds of errors up to 10 % is known: no difference is judged."
    text = (
        f"Between seeds a test error of 1 % has a standard deviation of "
        f"{math.sqrt(spread.dispersion):.2f} points, and one of e % has sqrt(e) times as much."
    )
    learned = [row for row in rows if has_learned(row, records)]
    apart = [name_row(row, records) for row in learned if spread.is_judged_apart(row)]
    if apart:
        text += (
            f" Judged by a standard deviation of {math.sqrt(spread.apart):.2f} points instead, "
            f"whatever the error: {', '.join(apart)}."
        )
    return text


def format_error(row):
    """Returns the mean test error, and its spread if there are several seeds.

    >>> format_error({"test_error_percent": 2.0, "test_error_spread": None})
    '2.00 %'
    """
    spread = row["test_error_spread"]
    return f"{row['test_error_percent']:.2f} %" + ("" if spread is None else f" ± {spread:.2f}")


def format_seconds(row):
    """Returns the time of training, nothing if no seed's compares.

    >>> format_seconds({"disturbed": False, "train_seconds": 4.2})
    ' in 4 s'
    """
    return "" if row["disturbed"] else f" in {row['train_seconds']:.0f} s"


def count_of(number, name):
    """Returns a number of things.

    >>> count_of(1, "side"), count_of(2, "side")
    ('1 side', '2 sides')
    """
    return f"{number} {name}{'' if number == 1 else 's'}"


def format_digits(value):
    """Returns a number with two significant digits, or all that stand before its point.

    >>> [format_digits(value) for value in (0.0123, 0.5, 9.96, 1234.5)]
    ['0.012', '0.50', '10', '1234']
    """
    return (f"{value:#.2g}" if value < 10 else f"{value:.0f}").removesuffix(".")
