"""What is more than chance, against arithmetic by hand and chance itself."""

import math

import numpy as np
import pytest

from rnn_mnist_tf.study.spread import (
    Ratio,
    Spread,
    compare_errors,
    compare_times,
    describe_trend,
    divide_errors,
    pool_spread,
    student_quantile,
)


def row(error, spread=None, seeds=2, **others):
    """A configuration's figures."""
    return {"test_error_percent": error, "test_error_spread": spread, "seeds": seeds, **others}


def test_the_spread_is_pooled():
    """9 / 9 with one degree of freedom, 4 / 8 with three: (1 + 3 * 0.5) / 4."""
    rows = [row(9.0, 3.0), row(8.0, 2.0, seeds=4), row(7.0, seeds=1), row(0.0, 0.0, seeds=9)]
    assert pool_spread(rows) == Spread(0.625, 4)
    # Above 10 % there are counts no more: variances of 25 and 4, one degree of freedom each.
    large = [row(10.1, 5.0), row(60.0, 2.0), row(70.0, seeds=1)]
    assert pool_spread([*rows, *large]) == Spread(0.625, 4, math.inf, 14.5, 2)
    assert pool_spread(rows[2:]) is None
    assert pool_spread([row(9.0, 0.0)]) is None  # two seeds that agree by chance say nothing
    assert pool_spread([]) is None


@pytest.mark.parametrize(("between", "limit"), [(298.0, math.inf), (299.0, 299.0)])
def test_seeds_that_differ_far_more_are_apart(between, limit):
    """F with one and two degrees of freedom is the square of Student's t with two.

    Its quantile at p is 2 p^2 / (1 - p^2), 298.5 for p = 1 - 0.01 / 3.
    """
    rows = [row(1.0, 1.0), row(1.0, math.sqrt(between)), row(1.0, 1.0)]
    spread = pool_spread(rows)
    assert spread.limit == pytest.approx(limit)
    assert [spread.is_apart(found) for found in rows] == [False, limit < math.inf, False]
    if limit < math.inf:
        assert spread == pytest.approx((1.0, 2, limit, between, 1))
    assert pool_spread(rows[:2]).limit == math.inf  # of two none is the odd one
    agreeing = [row(1.0, 0.0), row(1.0, 3.0), row(1.0, 0.0)]
    assert pool_spread(agreeing) == Spread(3.0, 3)  # nor among those that agree by chance


def test_the_variance_of_a_mean():
    """In proportion to the error, divided by the seeds; apart it is what those apart have."""
    assert Spread(0.02, 3).add((row(5.0, 9.0, seeds=4), 1)) == pytest.approx((0.025, 3))
    assert Spread(0.02, 3).add((row(50.0, 4.0, seeds=4), 1)) == pytest.approx((0.25, 3))
    known = Spread(0.02, 3, 1.0, 16.0, 2)
    assert known.add((row(50.0, seeds=4), 1)) == pytest.approx((4.0, 2))
    assert known.add((row(4.0, 2.0), 1)) == pytest.approx((8.0, 2))  # 2^2 / 4 reaches the limit
    assert known.add((row(4.0, 1.9), 1)) == pytest.approx((0.04, 3))
    # The larger of both counts.
    assert Spread(0.02, 3, 1.0, 0.1, 2).add((row(50.0, seeds=4), 1)) == pytest.approx((0.25, 3))


def test_the_variance_of_a_sum():
    """Factors are squared; two estimates have Satterthwaite's degrees of freedom."""
    spread = Spread(0.02, 3, math.inf, 16.0, 2)
    assert spread.add((row(5.0), 2), (row(4.0), -1)) == pytest.approx((0.2 + 0.04, 3))
    total, freedom = spread.add((row(5.0), 2), (row(50.0), 0.1))
    assert total == pytest.approx(0.2 + 0.08)
    assert freedom == pytest.approx(0.28**2 / (0.2**2 / 3 + 0.08**2 / 2))


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, math.tan(math.pi * 0.475)), (2, 0.95 * math.sqrt(2 / (1 - 0.95**2)))],
)
def test_the_quantile(freedom, quantile):
    """Student's distribution has a closed form for one and two degrees of freedom."""
    assert student_quantile(freedom) == pytest.approx(quantile)


def test_the_verdict():
    """At 4.303 deviations of sqrt(0.02 (2 + e) / 2) a difference begins to count."""
    spread = Spread(0.02, 2)
    for error, verdict in (
        (2.95, "not told apart"),  # the limit is 0.957
        (2.97, "higher"),  # 0.959
        (1.25, "not told apart"),  # 0.776
        (1.2, "lower"),  # 0.770
    ):
        assert compare_errors(row(error), row(2.0), spread) == (error - 2.0, verdict)
    assert compare_errors(row(2.97), row(2.0, seeds=1), spread)[1] == "not told apart"


def test_no_spread_no_verdict():
    """One seed each says nothing of chance."""
    assert compare_errors(row(9.0), row(3.0), None) == (6.0, "not judged")


@pytest.mark.parametrize(
    ("truth", "deviation"),
    [
        # Among others that err less and more.
        ([2.0, 2.0, 1.0, 10.0], [0.14, 0.14, 0.1, 0.32]),
        # Errors that are no counts, among such and others.
        ([50.0, 50.0, 30.0, 70.0, 1.0, 2.0], [5.0, 5.0, 5.0, 5.0, 0.1, 0.14]),
    ],
)
def test_equals_are_told_apart_once_in_twenty_times(truth, deviation):
    """The first two configurations have one error."""
    random = np.random.default_rng(0)
    found = 0
    for _ in range(4000):
        errors = random.normal(truth, deviation, size=(2, len(truth)))
        rows = [row(*pair) for pair in zip(errors.mean(0), errors.std(0, ddof=1))]
        found += compare_errors(rows[0], rows[1], pool_spread(rows))[1] != "not told apart"
    # Three deviations of a binomial count: 3 sqrt(0.05 * 0.95 / 4000) = 0.0103.
    assert found / 4000 == pytest.approx(0.05, abs=0.0104)


def test_times_are_compared_seed_by_seed():
    """One round against the same round, and a range where rounds differ."""

    def record(seed, seconds, machine="2 cores of A"):
        return {"seed": seed, "machine": machine, "result": {"train_seconds": seconds}}

    records = {"a0": record(0, 10.0), "a1": record(1, 40.0), "b0": record(0, 5.0)}
    records |= {"b1": record(1, 10.0), "c0": record(0, 1.0, "1 core of A"), "d1": record(1, 1.0)}
    one, two = row(1.0, points=["a0", "a1"]), row(1.0, points=["b0", "b1"])
    assert compare_times(one, two, records) == "2.0 to 4.0 x the time"
    assert compare_times({**one, "points": ["a0"]}, two, records) == "2.0 x the time"
    # Another machine, and no seed in common: there is nothing to compare.
    assert "not compared" in compare_times(one, {**two, "points": ["c0"]}, records)
    assert "not compared" in compare_times(
        {**one, "points": ["a0"]}, row(1.0, points=["d1"]), records
    )
    assert compare_times(one, {**two, "points": ["c0", "b1"]}, records) == "4.0 x the time"
    # Other work ran beside it.
    records["b1"]["disturbed"] = True
    assert compare_times(one, two, records) == "2.0 x the time"
    records["a0"]["disturbed"] = True
    assert "not compared" in compare_times(one, two, records)


def test_a_ratio_of_errors():
    """3 / 2 sqrt(0.02 (1 / 6 + 1 / 4)): by the derivatives of a / b."""
    ratio = divide_errors(row(3.0), row(2.0), Spread(0.02, 5))
    derivatives = np.array([1 / 2, -3 / 4])
    variances = 0.02 * np.array([3.0, 2.0]) / 2
    assert ratio == pytest.approx((1.5, math.sqrt(derivatives**2 @ variances), 5))
    assert divide_errors(row(3.0), row(2.0), None) == Ratio(1.5)
    assert divide_errors(row(0.0), row(3.0), Spread(0.02, 5)) == Ratio(0.0)


@pytest.mark.parametrize(
    ("values", "deviation", "trend"),
    [
        ((1.0, 2.0, 3.0), 0.1, "grows"),
        ((3.0, 2.0, 1.0), 0.1, "falls"),
        ((1.0, 4.0, 2.0), 0.1, "neither only grows nor only falls"),
        ((1.0, 4.0, 1.1), 0.1, "neither only grows nor only falls"),
        ((1.0, 4.0, 3.9), 0.1, "grows"),  # the last step is chance
        ((1.0, 2.0, 3.0), 0.4, "does not change beyond the spread"),
        ((1.0, 2.0, 3.0), None, "grows"),
        ((1.0, 2.0, 1.9), None, "neither only grows nor only falls"),
        ((2.0, 2.0), None, "does not change"),
    ],
)
def test_a_trend(values, deviation, trend):
    """Of three with two degrees of freedom, Tukey's table has 8.33: 0.83 for deviations of 0.1."""
    freedom = None if deviation is None else 2
    ratios = [Ratio(value, deviation, freedom) for value in values]
    assert describe_trend(ratios) == trend
    if freedom:  # the fewest degrees of freedom count
        ratios[0] = ratios[0]._replace(freedom=100)
        assert describe_trend(ratios) == trend


def test_equal_ratios_have_a_trend_once_in_twenty_times():
    """However many there are: it is the largest and the smallest that chance parts furthest."""
    random = np.random.default_rng(1)
    found = 0
    for _ in range(1000):
        deviation = 0.1 * math.sqrt(random.chisquare(20) / 20)  # as estimated
        ratios = [Ratio(value, deviation, 20) for value in random.normal(2.0, 0.1, 4).tolist()]
        found += describe_trend(ratios) != "does not change beyond the spread"
    # Three deviations of a binomial count: 3 sqrt(0.05 * 0.95 / 1000) = 0.0207.
    assert found / 1000 == pytest.approx(0.05, abs=0.0208)
