"""Which differences between configurations are more than chance between seeds."""

import functools
import itertools
import math
import typing

import scipy.stats

# Above this many percent errors are no counts of rare mistakes: a seed learns early, late or never.
LARGEST_POOLED = 10.0
NOT_TOLD_APART = "not told apart"
_SIGNIFICANCE = 0.01  # of the test whether a configuration's seeds differ more than the others'


class Spread(typing.NamedTuple):
    """How test errors differ between seeds.

    Attributes:
        dispersion: the variance of an error of 1 %, in points squared.
        freedom: the degrees of freedom that it was estimated with.
        limit: the dispersion from which on a configuration is apart: it has no part in the others'.
        apart: the variance of those that are apart, in points squared; None if none is known.
        apart_freedom: the degrees of freedom that it was estimated with.
    """

    dispersion: float
    freedom: int
    limit: float = math.inf
    apart: float | None = None
    apart_freedom: int = 0

    def is_apart(self, row):
        """Whether a row errs more than `LARGEST_POOLED`, or its seeds differ far too much.

        >>> spread = Spread(0.01, 5, limit=1.0)
        >>> spread.is_apart({"test_error_percent": 3.0, "test_error_spread": 2.0})
        True
        """
        error, between = row["test_error_percent"], row["test_error_spread"]
        far = between is not None and error > 0 and between**2 / error >= self.limit
        return error > LARGEST_POOLED or far

    def is_judged_apart(self, row):
        """Whether a row is apart, and the variance of those that are apart is the larger one.

        >>> spread = Spread(0.01, 5, apart=4.0, apart_freedom=2)
        >>> spread.is_judged_apart({"test_error_percent": 20.0, "test_error_spread": 2.0})
        True
        """
        pooled = self.dispersion * row["test_error_percent"]
        return self.is_apart(row) and self.apart is not None and self.apart > pooled

    def add(self, *parts):
        """Returns the variance of a sum of rows' means, and its degrees of freedom.

        Two variances were estimated, that of the rows which are apart and that of the others. Of a
        sum v of both, Satterthwaite 1946 (Biometrics Bulletin 2, 110-114) has

            freedom = (v_1 + v_2)^2 / (v_1^2 / freedom_1 + v_2^2 / freedom_2)

        Args:
            parts: pairs of a row and the factor that its mean has in the sum.

        >>> row = {"test_error_percent": 4.0, "test_error_spread": None, "seeds": 2}
        >>> Spread(0.01, 5).add((row, 1.0), (row, 1.0))
        (0.04, 5.0)
        """
        sums = {False: 0.0, True: 0.0}
        for row, factor in parts:
            apart = self.is_judged_apart(row)
            variance = self.apart if apart else self.dispersion * row["test_error_percent"]
            sums[apart] += factor**2 * variance / row["seeds"]
        total = sums[False] + sums[True]
        estimates = ((sums[False], self.freedom), (sums[True], self.apart_freedom))
        weights = [part**2 / freedom for part, freedom in estimates if part]
        return total, total**2 / sum(weights) if weights else float(self.freedom)


def pool_spread(rows):
    """Returns the `Spread` between seeds, pooled over configurations; None where none is seen.

    Mistakes are counted, and a count's variance grows with it, so configurations that make few and
    many can be pooled in proportion to their errors only:

        dispersion = sum of (n - 1) spread^2 / error / sum of (n - 1)

    over the configurations with n >= 2 seeds and an error above 0, both in percent. Apart are those
    above `LARGEST_POOLED`, and one after the other those whose own dispersion is larger than the
    others' by an F test at 1 %, divided by how many there are. Their variances are pooled as such.

    Args:
        rows: from `merge_seeds`, of configurations that learned: a guess errs alike each time.

    >>> rows = [{"test_error_percent": 4.0, "test_error_spread": 0.2, "seeds": 2}]
    >>> pool_spread(rows)[:2]
    (0.010000000000000002, 1)
    """
    seen = [row for row in rows if row["test_error_spread"] is not None]
    seen = [row for row in seen if row["test_error_percent"] > 0]
    apart = [row for row in seen if row["test_error_percent"] > LARGEST_POOLED]
    pooled = [row for row in seen if row["test_error_percent"] <= LARGEST_POOLED]
    limit = math.inf
    while (odd := _find_odd(pooled)) is not None:
        limit = _dispersion(odd)
        apart.append(odd)
        pooled = [row for row in pooled if row is not odd]
    dispersion, freedom = _pool(pooled, _dispersion)
    if not dispersion:
        return None
    variance, apart_freedom = _pool(apart, lambda row: row["test_error_spread"] ** 2)
    return Spread(dispersion, freedom, limit, variance, apart_freedom)


def _find_odd(rows):
    """The row whose seeds differ most, if that is more than chance makes of the others' spread."""
    if len(rows) < 3:
        return None
    largest = max(rows, key=_dispersion)
    others, freedom = _pool([row for row in rows if row is not largest], _dispersion)
    level = 1 - _SIGNIFICANCE / len(rows)
    bound = others * float(scipy.stats.f.ppf(level, largest["seeds"] - 1, freedom))
    # Seeds that agree by chance say nothing: others without any spread judge no one.
    return largest if others and _dispersion(largest) > bound else None


def _dispersion(row):
    return row["test_error_spread"] ** 2 / row["test_error_percent"]


def _pool(rows, figure):
    """The mean of a figure, weighed by the rows' degrees of freedom, and their sum."""
    freedom = sum(row["seeds"] - 1 for row in rows)
    total = math.fsum((row["seeds"] - 1) * figure(row) for row in rows)
    return (total / freedom, freedom) if freedom else (None, 0)


@functools.cache
def student_quantile(freedom):
    """Returns how many standard deviations 95 % of chance differences stay within.

    >>> round(student_quantile(1), 2), round(student_quantile(20), 2)
    (12.71, 2.09)
    """
    return float(scipy.stats.t.ppf(0.975, freedom))


def compare_errors(row, other, spread):
    """Returns `(difference, verdict)`: the first's test error minus the second's.

    The verdict is `lower` or `higher` where chance makes a difference as large in less than 5 % of
    comparisons of equals, else `not told apart`.

    Args:
        row, other: from `merge_seeds`.
        spread: from `pool_spread`.

    >>> figures = {"test_error_spread": 0.1, "seeds": 2}
    >>> rows = [{"test_error_percent": error, **figures} for error in (2.0, 3.0)]
    >>> compare_errors(*rows, Spread(0.01, 20))
    (-1.0, 'lower')
    """
    difference = row["test_error_percent"] - other["test_error_percent"]
    if spread is None:
        return difference, "not judged"
    variance, freedom = spread.add((row, 1.0), (other, 1.0))
    if abs(difference) <= student_quantile(freedom) * math.sqrt(variance):
        return difference, NOT_TOLD_APART
    return difference, "lower" if difference < 0 else "higher"


def compare_times(row, other, records):
    """Returns how many times as long as the other's the first's training took, as text.

    Each seed is compared with the same seed, measured in the same round of the study, and only
    where one machine measured both, and neither record is marked as `disturbed`. The text
    is a range where two rounds differ.

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
        freedom: the degrees of freedom that the deviation was estimated with.
    """

    value: float
    deviation: float | None = None
    freedom: float | None = None

    @property
    def text(self):
        """Returns it and its deviation as people read them.

        >>> Ratio(2.0).text, Ratio(2.0, 0.25, 5).text
        ('2.00', '2.00 ± 0.25')
        """
        tail = "" if self.deviation is None else f" ± {self.deviation:.2f}"
        return f"{self.value:.2f}{tail}"


def divide_errors(row, other, spread):
    """Returns the `Ratio` of the first's test error to the second's, which must be above 0.

    Relative variances add up, which is right to first order.

    Args:
        row, other: from `merge_seeds`.
        spread: from `pool_spread`.

    >>> figures = {"test_error_spread": 0.1, "seeds": 2}
    >>> rows = [{"test_error_percent": error, **figures} for error in (4.0, 2.0)]
    >>> divide_errors(*rows, Spread(0.01, 5)).text
    '2.00 ± 0.12'
    """
    numerator, denominator = row["test_error_percent"], other["test_error_percent"]
    value = numerator / denominator
    if spread is None or not numerator:
        return Ratio(value)
    variance, freedom = spread.add((row, 1 / denominator), (other, value / denominator))
    return Ratio(value, math.sqrt(variance), freedom)


def describe_trend(ratios):
    """Returns what ratios do from the first to the last.

    Two of them differ where chance parts the largest and the smallest of as many equal ones as far
    in less than 5 % of cases: Tukey's range, with the fewest degrees of freedom that one has.
    Ratios grow where the last is larger than the first and none is smaller than the one before.
    Without a spread every difference is one.

    Args:
        ratios: at least two `Ratio`.

    >>> describe_trend([Ratio(1.0), Ratio(2.0)])
    'grows'
    """
    known = [ratio.freedom for ratio in ratios if ratio.freedom is not None]
    quantile = _range_quantile(len(ratios), min(known)) if known else 0.0

    def compare(ratio, other):
        """-1, 0 or 1: the first is smaller, the same or larger."""
        limit = quantile * math.hypot(ratio.deviation or 0, other.deviation or 0)
        return (ratio.value > other.value + limit) - (ratio.value < other.value - limit)

    signs = {compare(later, earlier) for earlier, later in itertools.combinations(ratios, 2)}
    if signs == {0}:
        return "does not change" + (" beyond the spread" if known else "")
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
