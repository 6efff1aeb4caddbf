"""Which differences between configurations are more than chance between seeds."""

import functools
import itertools
import math
import typing

import scipy.stats

# Above this many percent errors are no counts of rare mistakes: a seed learns early, late or never.
LARGEST_POOLED = 10.0


class Spread(typing.NamedTuple):
    """How test errors differ between seeds.

    Attributes:
        dispersion: the variance of an error of 1 %, in points squared.
        freedom: the degrees of freedom that it was estimated with.
    """

    dispersion: float
    freedom: int

    def variance(self, row):
        """Returns that of a row's mean over seeds, in points squared.

        Above `LARGEST_POOLED` the variance between its own seeds, if that is larger.
        """
        variance = self.dispersion * row["test_error_percent"]
        if row["test_error_percent"] > LARGEST_POOLED:
            variance = max(variance, (row["test_error_spread"] or 0) ** 2)
        return variance / row["seeds"]

    @property
    def quantile(self):
        """How many standard deviations 95 % of chance differences stay within: Student's t.

        >>> round(Spread(0.01, 1).quantile, 2), round(Spread(0.01, 20).quantile, 2)
        (12.71, 2.09)
        """
        return float(scipy.stats.t.ppf(0.975, self.freedom))


def pool_spread(rows):
    """Returns the `Spread` between seeds, pooled over configurations; None where none is seen.

    Mistakes are counted, and a count's variance grows with it, so configurations that make few and
    many can be pooled in proportion to their errors only:

        dispersion = sum of (n - 1) spread^2 / error / sum of (n - 1)

    over the configurations with n >= 2 seeds and an error above 0, both in percent, and of at most
    `LARGEST_POOLED`.

    Args:
        rows: from `merge_seeds`, of configurations that learned: a guess errs alike each time.

    >>> rows = [{"test_error_percent": 4.0, "test_error_spread": 0.2, "seeds": 2}]
    >>> pool_spread(rows)
    Spread(dispersion=0.010000000000000002, freedom=1)
    """
    parts = [
        (row["seeds"] - 1, row["test_error_spread"] ** 2 / row["test_error_percent"])
        for row in rows
        if row["test_error_spread"] is not None and 0 < row["test_error_percent"] <= LARGEST_POOLED
    ]
    freedom = sum(degrees for degrees, _ in parts)
    total = math.fsum(degrees * part for degrees, part in parts)
    return Spread(total / freedom, freedom) if total else None


def compare_errors(row, other, spread):
    """Returns `(difference, verdict)`: the first's test error minus the second's.

    The verdict is `lower` or `higher` where chance makes a difference as large in less than 5 % of
    comparisons of equals, else `the same within the spread`.

    Args:
        row, other: from `merge_seeds`.
        spread: from `pool_spread`.

    >>> rows = [{"test_error_percent": error, "seeds": 2} for error in (2.0, 3.0)]
    >>> compare_errors(*rows, Spread(0.01, 20))
    (-1.0, 'lower')
    """
    difference = row["test_error_percent"] - other["test_error_percent"]
    if spread is None:
        return difference, "not judged"
    deviation = math.sqrt(spread.variance(row) + spread.variance(other))
    if abs(difference) <= spread.quantile * deviation:
        return difference, "the same within the spread"
    return difference, "lower" if difference < 0 else "higher"


def compare_times(row, other, records):
    """Returns how many times as long as the other's the first's training took, as text.

    Each seed is compared with the same seed, measured in the same round of the study, and only
    where one machine measured both, and neither record is marked as `disturbed` by other work. The
    text is a range where two rounds differ.

    Args:
        row, other: from `merge_seeds`.
        records: `{point name: record}`.

    Returns:
        For example `2.0 x the time`, or words where no seed of both can be compared.
    """
    ours, theirs = (
        {records[name]["seed"]: records[name] for name in r["points"]} for r in (row, other)
    )
    ratios = [
        ours[seed]["result"]["train_seconds"] / theirs[seed]["result"]["train_seconds"]
        for seed in ours
        if seed in theirs
        and ours[seed]["machine"] == theirs[seed]["machine"]
        and not (ours[seed].get("disturbed") or theirs[seed].get("disturbed"))
    ]
    if not ratios:
        return "a time that is not compared"
    low, high = f"{min(ratios):.1f}", f"{max(ratios):.1f}"
    return f"{low} x the time" if low == high else f"{low} to {high} x the time"


class Ratio(typing.NamedTuple):
    """One error over another.

    Attributes:
        value: it.
        deviation: its standard deviation; None where there is no spread.
    """

    value: float
    deviation: float | None

    @property
    def text(self):
        """Returns both as people read them.

        >>> Ratio(2.0, None).text, Ratio(2.0, 0.25).text
        ('2.0', '2.0 ± 0.2')
        """
        tail = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        return f"{self.value:.1f}{tail}"


def divide_errors(row, other, spread):
    """Returns the `Ratio` of the first's test error to the second's.

    Relative variances add up, which is right to first order.

    Args:
        row, other: from `merge_seeds`.
        spread: from `pool_spread`.

    >>> rows = [{"test_error_percent": error, "seeds": 2} for error in (4.0, 2.0)]
    >>> divide_errors(*rows, Spread(0.01, 5)).text
    '2.0 ± 0.1'
    """
    errors = [r["test_error_percent"] for r in (row, other)]
    if not errors[1]:
        return Ratio(math.inf, None)
    value = errors[0] / errors[1]
    if spread is None or not errors[0]:
        return Ratio(value, None)
    relative = sum(spread.variance(r) / e**2 for r, e in zip((row, other), errors))
    return Ratio(value, value * math.sqrt(relative))


def describe_trend(ratios, spread):
    """Returns what ratios do from the first to the last.

    Two of them differ where chance parts the largest and the smallest of as many equal ones as far
    in less than 5 % of cases: Tukey's range. Ratios grow where the last is larger than the first
    and none is smaller than the one before. Without a spread every difference is one.

    Args:
        ratios: at least two `Ratio`.
        spread: the `Spread` that they were computed with, or None.

    >>> describe_trend([Ratio(1.0, None), Ratio(2.0, None)], None)
    'grows'
    """
    quantile = _range_quantile(len(ratios), spread.freedom) if spread is not None else 0.0

    def compare(ratio, other):
        """-1, 0 or 1: the first is smaller, the same or larger."""
        limit = quantile * math.hypot(ratio.deviation or 0, other.deviation or 0)
        return (ratio.value > other.value + limit) - (ratio.value < other.value - limit)

    signs = {compare(later, earlier) for earlier, later in itertools.combinations(ratios, 2)}
    if signs == {0}:
        return "does not change" + ("" if spread is None else " beyond the spread")
    ends = compare(ratios[-1], ratios[0])
    steps = {compare(later, earlier) for earlier, later in itertools.pairwise(ratios)}
    if ends > 0 and -1 not in steps:
        return "grows"
    if ends < 0 and 1 not in steps:
        return "falls"
    return "neither only grows nor only falls"


@functools.cache
def _range_quantile(count, freedom):
    """How many deviations of a difference the range of `count` equals stays within."""
    return float(scipy.stats.studentized_range.ppf(0.95, count, freedom)) / math.sqrt(2)
