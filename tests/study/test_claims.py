"""What studies say, against arithmetic done by hand."""

import numpy as np
import pytest

from rnn_mnist_tf.study import merge_seeds, parse_grids
from rnn_mnist_tf.study.claims import SECTIONS
from tests.flag_files import study_points
from tests.study.records import NO_SPREAD, SPREAD, answer, errors, make_study, speed

CELLS = ["cell:gru,lstm+use_peepholes=true+cell_clip=1;num_layers:1,2,3"]


def test_cells():
    """Seeds 0.2 apart have a variance of 0.02 around errors e: 0.02 times the mean of 1 / e.

    That is 0.0067. With six degrees of freedom a difference counts from 2.447 deviations on: 0.42
    and 0.45 points for gru, 0.29 and 0.30 for lstm.
    """
    figures = []
    for layers, gru, lstm in ((1, 5.0, 2.0), (2, 4.0, 2.2), (3, 5.1, 2.5)):
        for error in (gru - 0.1, gru + 0.1):
            figure = {"error": error, "train_seconds": 10.0 * layers}
            figure["val_accuracy"] = 0.86 if layers == 2 else 0.75
            figures.append(("gru", layers, figure))
        for error in (lstm - 0.1, lstm + 0.1):
            figures.append(("lstm", layers, {"error": error, "train_seconds": 4.0}))
    figures = [figure for _, _, figure in sorted(figures, key=lambda item: item[:2])]
    assert answer("cells", CELLS, figures, seeds=2) == [
        SPREAD.format("0.08"),
        "gru: against 1 layer, 2 layers -1.00 points of error (lower) for 2.0 x the time; "
        "3 layers +0.10 points of error (not told apart) for 3.0 x the time.",
        "lstm use_peepholes=true cell_clip=1: against 1 layer, 2 layers +0.20 points of error "
        "(not told apart) for 1.0 x the time; 3 layers +0.50 points of error (higher) "
        "for 1.0 x the time.",
        "2 layers are better than 1 for 1 of 2 configurations, worse for 0.",
        "3 layers are better than 1 for 0 of 2 configurations, worse for 1.",
        "Each of these verdicts is one at 5 %: of 4 comparisons of equals, 0.20 would be called "
        "different.",
        "The lowest validation error has gru num_layers=2 (test error 4.00 % ± 0.14); a lower test "
        "error: lstm num_layers=1 use_peepholes=true cell_clip=1 (2.00 %), "
        "lstm num_layers=2 use_peepholes=true cell_clip=1 (2.20 %), "
        "lstm num_layers=3 use_peepholes=true cell_clip=1 (2.50 %).",
    ]


def test_cells_with_one_seed():
    """Differences without verdicts, and no count of verdicts."""
    figures = errors(5, 4, 3, 1, 2, 3)
    for figure, accuracy in zip(figures, (0.9, 0.9, 0.8, 0.8, 0.8, 0.8)):
        figure["val_accuracy"] = accuracy
    assert answer("cells", CELLS, figures) == [
        NO_SPREAD,
        "gru: against 1 layer, 2 layers -1.00 points of error (not judged) for "
        "1.0 x the time; 3 layers -2.00 points of error (not judged) for 1.0 x "
        "the time.",
        "lstm use_peepholes=true cell_clip=1: against 1 layer, 2 layers +1.00 points of error "
        "(not judged) for 1.0 x the time; 3 layers +2.00 points of error "
        "(not judged) for 1.0 x the time.",
        "The lowest validation error has gru num_layers=1 (test error 5.00 %), and as low gru "
        "num_layers=2 (test error 4.00 %).",
    ]


def test_cells_in_part():
    """Without one layer there is nothing to compare, and with one number of layers neither."""
    best = "The lowest validation error has gru num_layers=3 (test error 3.00 %)."
    figures = [{"error": 4}, {"error": 3, "val_accuracy": 0.9}]
    assert answer("cells", CELLS, figures, only=[1, 2])[1:] == [best]
    sentences = answer("cells", CELLS, figures, only=[0, 3])
    assert sentences[1:] == [
        "The lowest validation error has lstm num_layers=1 use_peepholes=true cell_clip=1 (test "
        "error 3.00 %)."
    ]


def test_cells_that_cannot_be_told_apart():
    """The validation part chooses, though another one errs less on the test images."""
    figures = [
        {"error": error, "val_accuracy": accuracy}
        for error, accuracy in (
            (2.1, 0.9),
            (2.3, 0.9),
            (1.9, 0.8),
            (2.1, 0.8),
            (9, 0.7),
            (9.2, 0.7),
        )
    ]
    sentences = answer("cells", ["cell:gru;num_layers:1,2,3"], figures, seeds=2)
    assert sentences[-1] == (
        "The lowest validation error has gru num_layers=1 (test error 2.20 % ± 0.14); not "
        "told apart from it: gru num_layers=2 (2.00 %)."
    )

    # What the validation part chooses may be worse.
    for figure in figures[-2:]:
        figure["val_accuracy"] = 0.95
    sentences = answer("cells", ["cell:gru;num_layers:1,2,3"], figures, seeds=2)
    assert sentences[-1] == (
        "The lowest validation error has gru num_layers=3 (test error 9.10 % ± 0.14); a lower test "
        "error: gru num_layers=1 (2.20 %), gru num_layers=2 (2.00 %)."
    )


@pytest.mark.parametrize("failing", [0, 1])
def test_cells_that_did_not_learn(failing):
    """They are compared with nothing."""
    points = parse_grids(["cell:gru;num_layers:1,2,3"])
    records = make_study(points, errors(2, 3, 4))
    records[points[failing].name]["curve"][-1]["loss"] = 2.6
    sentences = SECTIONS["cells"].answer(merge_seeds(points, records), records)
    failure = "did not learn: its loss is not 5 % below a guess's"
    expected = (
        f"gru: 1 layer {failure}.",
        f"gru: against 1 layer, 2 layers {failure}; 3 layers +2.00 points of error (not judged) "
        "for 1.0 x the time.",
    )
    assert sentences[1] == expected[failing]


def test_cells_without_a_validation_part():
    """Nothing is chosen on the test images."""
    points = parse_grids(["cell:gru;num_layers:1,2"])
    records = make_study(points, errors(2, 3))
    for record in records.values():
        del record["result"]["val_accuracy"]
    sentences = SECTIONS["cells"].answer(merge_seeds(points, records), records)
    assert sentences[-1] == "Without a validation part none is chosen."


def test_scans():
    """Variances of 0.02 around 2 and 5 %: 0.007; two degrees of freedom: 4.303 deviations."""
    points = ["scan:rows,patches", "scan:pixels;seed:0"]
    figures = [
        {"error": 1.9, "train_seconds": 8.0},
        {"error": 2.1, "train_seconds": 12.0},
        {"error": 4.9, "train_seconds": 5.0},
        {"error": 5.1, "train_seconds": 5.0},
        {"error": 2.3, "train_seconds": 150.0},
    ]
    assert answer("scans", points, figures, seeds=2) == [
        SPREAD.format("0.08"),
        "rows: 2.00 % ± 0.14 in 8 s.",
        # seed by seed: 5 s against 8 s, and 5 s against 12 s
        "patches: 5.00 % ± 0.14, +3.00 points against rows (higher), 0.4 to 0.6 x the time.",
        # one seed against two: 4.303 sqrt(0.007 (2.3 + 1)) = 0.65; 150 / 8 = 18.75
        "pixels: 2.30 %, +0.30 points against rows (not told apart), 18.8 x the time.",
    ]


def test_what_did_not_learn_is_not_compared():
    """The loss of a guess among ten classes is ln 10 = 2.303."""
    figures = errors(2, 88.7, 2, 3, 88.7, 88.7)
    points = parse_grids(["scan:rows,pixels"])
    records = make_study(points, figures[:2])
    records[points[1].name]["curve"][-1]["loss"] = 2.3
    sentences = SECTIONS["scans"].answer(merge_seeds(points, records), records)
    assert sentences[-1] == "pixels: 88.70 %, did not learn: its loss is not 5 % below a guess's."
    records[points[0].name]["curve"][-1]["loss"] = 2.6  # nor is anything compared with it
    records[points[1].name]["curve"][-1]["loss"] = 0.1
    sentences = SECTIONS["scans"].answer(merge_seeds(points, records), records)
    assert sentences[1:] == [
        "rows: 2.00 %, did not learn: its loss is not 5 % below a guess's.",
        "pixels: 88.70 % in 2 s.",
    ]
    points = parse_grids(["tap:1,2;shuffle_steps:none,fresh;model:cnn_rnn"])
    records = make_study(points, figures[2:])
    for point in points[2:]:
        records[point.name]["curve"][-1]["loss"] = 2.31
    sentences = SECTIONS["taps"].answer(merge_seeds(points, records), records)
    assert "did not learn" not in sentences[1]
    assert "did not learn" in sentences[2]
    assert len(sentences) == 3  # one depth left has no trend
    points = parse_grids(["blank_steps:0,56;cell:gru"])
    records = make_study(points, [{**figure, "analyses": {}} for figure in figures[:2]])
    records[points[1].name]["curve"][-1]["loss"] = 2.3
    sentences = SECTIONS["memory"].answer(merge_seeds(points, records), records)
    assert sentences[1] == (
        "gru, error by blank steps: 2.00 % after 0, 88.70 % after 56 (did not learn: its loss "
        "is not 5 % below a guess's)."
    )


def test_a_guess_has_no_part_in_the_spread():
    """Seeds that did not learn err alike, which says nothing of those that did."""
    points = parse_grids(["scan:rows,pixels"], seeds=2)
    records = make_study(points, errors(1.9, 2.1, 88.7, 88.7))
    for point in points[2:]:
        records[point.name]["curve"][-1]["loss"] = 2.3
    sentences = SECTIONS["scans"].answer(merge_seeds(points, records), records)
    assert sentences[0] == SPREAD.format("0.10")


def test_what_spreads_apart_is_named():
    """Errors that are no counts, and seeds that differ far more than the others'."""
    points = parse_grids(["blank_steps:0,28,56,84,112;cell:gru,lstm"], seeds=2)
    quiet = [2.0, 2.2] * 7
    figures = errors(*quiet, 1.5, 9.0, 30, 34, 2.0, 2.2)
    records = make_study(points, [{**figure, "analyses": {}} for figure in figures])
    sentences = SECTIONS["memory"].answer(merge_seeds(points, records), records)
    # 0.02 / 2.1 in eight of nine; 7.5^2 / 2 and 4^2 / 2 together
    assert sentences[0] == SPREAD.format("0.10") + (
        " Judged by a standard deviation of 4.25 points instead, whatever the error: "
        "blank_steps=84 lstm, blank_steps=112 gru."
    )
    # Where the others' would be more it is theirs: 0.0095 times 30 is more than 0.1^2 / 2.
    records = make_study(
        points, [{**figure, "analyses": {}} for figure in errors(*quiet, 30, 30.1, *quiet[:4])]
    )
    sentences = SECTIONS["memory"].answer(merge_seeds(points, records), records)
    assert sentences[0] == SPREAD.format("0.10")


def test_a_guess_is_one_among_the_classes_of_the_data():
    """A data set of TFDS has its own number of classes: a loss of 2.5 is none among a hundred."""
    points = parse_grids(["scan:pixels"])
    records = make_study(points, errors(80))
    record = records[points[0].name]
    record["curve"][-1]["loss"] = 2.5
    rows = merge_seeds(points, records)
    assert "did not learn" in SECTIONS["scans"].answer(rows, records)[-1]
    record["classes"] = 100
    assert "did not learn" not in SECTIONS["scans"].answer(rows, records)[-1]


def test_times_of_another_machine_in_a_sentence():
    """It is said in words that read on."""
    points = parse_grids(["scan:rows,patches"])
    records = make_study(points, errors(2, 3, train_seconds=7.0))
    records[points[1].name]["machine"] = "another machine"
    sentences = SECTIONS["scans"].answer(merge_seeds(points, records), records)
    assert sentences[-1] == (
        "patches: 3.00 %, +1.00 points against rows (not judged), a time that is not compared."
    )
    points = parse_grids(["cell:gru;num_layers:1,2"])
    records = make_study(points, errors(2, 3))
    records[points[1].name]["machine"] = "another machine"
    sentences = SECTIONS["cells"].answer(merge_seeds(points, records), records)
    assert sentences[1] == (
        "gru: against 1 layer, 2 layers +1.00 points of error (not judged) for a time that is not "
        "compared."
    )


def test_scans_without_rows():
    """What is there is said; it is compared with nothing."""
    figures = errors(3, 4, train_seconds=7.0)
    assert answer("scans", ["scan:columns,patches"], figures)[1:] == [
        "columns: 3.00 % in 7 s.",
        "patches: 4.00 % in 7 s.",
    ]
    assert answer("scans", ["scan:rows"], errors(3, train_seconds=7.0))[1:] == [
        "rows: 3.00 % in 7 s."
    ]


def test_article():
    """Accuracies by seed; 98.00 is 0.07 below what was published, which one run had.

    A variance of 0.01 around 2 and 1.4 %: 0.00607; four degrees of freedom: 2.776 deviations. Of
    one run and the mean of three: 2.776 sqrt(0.00607 (1.93 + 1.4 / 3)) = 0.33.
    """
    figures = errors(2.1, 1.9, 2.0, 1.5, 1.3, 1.4)
    assert answer("article", ["scan:rows,columns"], figures, seeds=3) == [
        SPREAD.format("0.08"),
        "rows: 97.90, 98.10, 98.00 %, mean 98.00 %: +0.07 points of error against the "
        "published 98.07 % (not told apart).",
        "columns: 98.50, 98.70, 98.60 %, mean 98.60 %: -0.53 points of error against the published "
        "98.07 % (lower).",
        "Rows against columns: +0.60 points of error (higher).",
    ]
    assert answer("article", ["scan:columns"], errors(2)) == [
        NO_SPREAD,
        "columns: 98.00 %, mean 98.00 %: +0.07 points of error against the published 98.07 % (not "
        "judged).",
    ]


def test_the_article_s_recipe_that_did_not_learn():
    """It is compared neither with what was published nor with the other scan."""
    points = parse_grids(["scan:rows,columns"])
    records = make_study(points, errors(88.65, 2))
    records[points[0].name]["curve"][-1]["loss"] = 2.4
    sentences = SECTIONS["article"].answer(merge_seeds(points, records), records)
    assert sentences[1] == "rows: 11.35 %, did not learn: its loss is not 5 % below a guess's."
    assert [sentence.partition(":")[0] for sentence in sentences[2:]] == ["columns"]


# Of each study, what its sentences must name.
MENTIONED = {
    "article": ["rows: ", "columns: "],
    "cells": [
        f"{cell}: against 1 layer, 2 layers "
        for cell in (
            "basic_rnn",
            "gru",
            "basic_lstm",
            "lstm use_peepholes=true",
            "lstm use_peepholes=true cell_clip=1",
            "attention",
            "grid_lstm",
        )
    ],
    "scans": [
        f"{scan}: "
        for scan in (
            *("rows", "columns", "rows_reversed", "columns_reversed"),
            *("permuted_rows", "shuffled_rows", "patches", "pixels"),
        )
    ],
    "taps": [
        *[f"tap={tap} rows: " for tap in (1, 2, 3, 4)],
        *[f"tap={tap} positions: " for tap in (2, 3, 4)],
    ],
    "memory": [
        *[
            f"{cell}, {what}"
            for cell in ("basic_rnn", "gru", "basic_lstm")
            for what in ("error by blank steps", "0 blank steps", "112 blank steps")
        ],
        *[f"After {count} blank steps: " for count in (0, 28, 56, 112)],
    ],
    "size": [
        *[f"{model}, {cores}: " for model in ("rnn", "cnn") for cores in ("1 core", "2 cores")],
        *[f"At side 224 {what}" for what in ("a second core", "on 1 core", "on 2 cores")],
        "Over all sides and cores the RNN is ",
    ],
}


@pytest.mark.parametrize("name", SECTIONS)
def test_shipped_studies_are_answered(name):
    """Whole, every configuration is named; in any part, something is said."""
    random = np.random.default_rng(0)
    points = study_points(name)
    figures = [
        {
            "error": random.uniform(1, 9),
            "train_seconds": random.uniform(1, 90),
            "images_per_second": random.uniform(100, 9000),
            "analyses": {
                "forgetting": random.uniform(0.1, 1, 28 + point.config.blank_steps).tolist(),
                **speed(random.uniform(0.1, 1)),
            },
        }
        for point in points
    ]
    records = make_study(points, figures)
    sentences = SECTIONS[name].answer(merge_seeds(points, records), records)
    for mention in MENTIONED[name]:
        assert any(sentence.startswith(mention) for sentence in sentences), mention
    for sentence in sentences:
        assert sentence.endswith(".")
        assert not [word for word in ("None", "True", "False", "nan", "\n") if word in sentence]
    for count in (1, 2, 3, len(points) // 2):
        some = [points[i] for i in sorted(random.choice(len(points), count, replace=False))]
        sentences = SECTIONS[name].answer(merge_seeds(some, records), records)
        assert all(sentence.endswith(".") for sentence in sentences)
