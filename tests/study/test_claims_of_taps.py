"""What the study of features says of orders and depth, against arithmetic done by hand."""

import pytest

from tests.study.records import NO_SPREAD, SPREAD, answer, errors

ALTOGETHER = (
    "By rows, what order altogether is worth (the error in a fresh shuffle for each image over "
    "that in order)"
)


@pytest.mark.parametrize(
    ("fresh", "trend", "claim"),
    [
        ((4, 6), "grows", "holds"),
        ((6, 4), "falls", "does not hold: it is the other way round"),
        ((4, 4), "does not change", "is not decided"),
    ],
)
def test_taps(fresh, trend, claim):
    """Three ratios by depth: fresh over none, fixed over none, fresh over fixed."""
    figures = errors(2, 4, fresh[0], 2, 2, fresh[1])
    sentences = answer("taps", ["tap:1,2;shuffle_steps:none,fixed,fresh"], figures)
    one, two = fresh
    assert sentences == [
        f"rows: {NO_SPREAD}",
        *[
            f"tap={tap}: 2.00 % in order, {fixed:.2f} % in one fixed shuffle (not judged), "
            f"{error:.2f} % in a fresh shuffle for each image (not judged)."
            for tap, fixed, error in ((1, 4, one), (2, 2, two))
        ],
        f"{ALTOGETHER} {trend} with depth: {one / 2:.2f} x after block 1, {two / 2:.2f} x after "
        "block 2.",
        f"By rows, the claim {claim}.",
        "By rows, what the image's own order is worth (the error in one fixed shuffle over that in "
        "order) falls with depth: 2.00 x after block 1, 1.00 x after block 2.",
        "By rows, what any one order for all images is worth (the error in a fresh shuffle for "
        f"each image over that in one fixed shuffle) grows with depth: {one / 4:.2f} x after block "
        f"1, {two / 2:.2f} x after block 2.",
    ]


def test_taps_with_seeds():
    """Errors of 2 and 4 % whose variance is 0.02: a dispersion of 0.0075.

    A ratio of 2 has a deviation of 2 sqrt(0.0075 (1 / 4 + 1 / 8)) = 0.106. With four degrees of
    freedom ratios differ from 2.776 sqrt(2) 0.106 = 0.42 on.
    """
    figures = [{"error": error + seed} for error in (2, 4, 2, 4) for seed in (-0.1, 0.1)]
    grid = ["tap:1,2;shuffle_steps:none,fresh"]
    same = answer("taps", grid, figures, seeds=2)
    assert same[0] == "rows: " + SPREAD.format("0.09")
    assert same[-2:] == [
        f"{ALTOGETHER} does not change beyond the spread with depth: 2.00 ± 0.11 x after block 1, "
        "2.00 ± 0.11 x after block 2.",
        "By rows, the claim is not decided.",
    ]
    figures[-2:] = [{"error": 6.9}, {"error": 7.1}]
    assert "grows with depth" in answer("taps", grid, figures, seeds=2)[-2]


def test_taps_in_part():
    """An order that is missing is left out; one depth is no trend; ways to serialize are apart."""
    grid = ["tap:1,2;serialize:rows,positions;shuffle_steps:none,fixed,fresh"]
    sentences = answer("taps", grid, errors(2, 4, 5, 0, 1, 3), only=[0, 2, 4, 6, 8, 9])
    assert [sentence for sentence in sentences if "No spread" not in sentence] == [
        "tap=1 rows: 2.00 % in order, 4.00 % in a fresh shuffle for each image (not judged).",
        "tap=2 rows: 0.00 % in order, 1.00 % in a fresh shuffle for each image (not judged).",
        "tap=1 positions: 5.00 % in one fixed shuffle.",
        "tap=2 positions: 3.00 % in order.",
    ]  # of an error of zero there is no ratio
    assert answer("taps", ["shuffle_steps:none,fresh"], errors(2, 3))[1:] == [
        "base: 2.00 % in order, 3.00 % in a fresh shuffle for each image (not judged)."
    ]


def test_an_order_is_judged_against_the_natural_one():
    """With 0.02 around 2, 2.3 and 2.6 %, 0.0088 and three degrees of freedom: from 0.45 points on.

    Neither of the others is told apart from the fixed shuffle.
    """
    figures = errors(1.9, 2.1, 2.2, 2.4, 2.5, 2.7)
    sentences = answer("taps", ["shuffle_steps:none,fixed,fresh"], figures, seeds=2)
    assert sentences[1] == (
        "base: 2.00 % in order, 2.30 % in one fixed shuffle (not told apart), 2.60 % "
        "in a fresh shuffle for each image (higher)."
    )


def test_the_claim_where_depth_alone_differs():
    """Blocks 2 and 3 have equally many steps."""
    figures = errors(2, 4, 2, 3, 2, 3)
    sentences = answer("taps", ["tap:1,2,3;shuffle_steps:none,fresh"], figures)
    assert sentences[-2:] == [
        f"{ALTOGETHER} falls with depth over all blocks, and from block 2 to 3, judged as a pair, "
        "does not change: 2.00 x after block 1, 1.50 x after block 2, 1.50 x after block 3.",
        "By rows, from block 2 to 3, where depth alone differs, the claim is not decided; over all "
        "blocks, where the steps become fewer too, it does not hold: it is the other way round.",
    ]
    figures[-1]["error"] = 3.5
    assert answer("taps", ["tap:1,2,3;shuffle_steps:none,fresh"], figures)[-1] == (
        "By rows, from block 2 to 3, where depth alone differs, the claim holds; over all blocks, "
        "where the steps become fewer too, it is not decided."
    )
    falling = answer("taps", ["tap:1,2,3;shuffle_steps:none,fresh"], errors(2, 4, 2, 6, 2, 5))
    assert falling[-1].startswith(
        "By rows, from block 2 to 3, where depth alone differs, the claim does not hold: it is the "
        "other way round; over all blocks, "
    )
    # Of other orders too it is said what becomes of their worth there.
    grid = ["tap:1,2,3;shuffle_steps:fixed,fresh"]
    (sentence,) = [text for text in answer("taps", grid, figures) if "any one order" in text]
    assert (
        ") neither only grows nor only falls with depth over all blocks, and from block 2 to 3, "
        "judged as a pair, grows: "
    ) in sentence


def test_ways_to_serialize_spread_apart():
    """A way that hardly learns decides nothing about one that does."""
    grid = ["serialize:rows,positions;shuffle_steps:none,fixed"]
    sentences = answer("taps", grid, errors(1.9, 2.1, 3.9, 4.1, 5, 7, 6, 9), seeds=2)
    assert sentences[0] == "rows: " + SPREAD.format("0.09")
    assert sentences[1].endswith("4.00 % in one fixed shuffle (higher).")
    # 2 / 6 and 4.5 / 7.5: a dispersion of 0.467
    assert sentences[2] == "positions: " + SPREAD.format("0.68")
    assert sentences[3].endswith("7.50 % in one fixed shuffle (not told apart).")
