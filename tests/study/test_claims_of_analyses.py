"""What studies say of their analyses, forgetting and speed, against arithmetic done by hand."""

import pytest

from rnn_mnist_tf.study import merge_seeds, parse_grids
from rnn_mnist_tf.study.claims import SECTIONS
from tests.study.records import SPREAD, answer, make_study, speed


def forgetting(middle, last, steps=28):
    """What the analysis finds of a cell: norms of 9 but for the image's middle and last rows."""
    norms = [9.0] * steps
    norms[14], norms[27] = middle, last
    return {"forgetting": norms}


def test_memory():
    """Errors by blank steps as numbers, not as text; the middle over the last row, by seed."""
    figures = [
        {"error": 1.9, "analyses": forgetting(1.0, 2.0)},
        {"error": 2.1, "analyses": forgetting(3.0, 2.0)},
        {"error": 50, "analyses": forgetting(1.0, 4.0, 140)},
        {"error": 50, "analyses": forgetting(0.0, 4.0, 140)},
        {"error": 4, "analyses": {}},
        {"error": 4, "analyses": {}},
    ]
    # 0.02 / 2 and 0 / 4: a dispersion of 0.005; two degrees of freedom: 4.303 deviations
    assert answer("memory", ["blank_steps:0,112,28;cell:gru"], figures, seeds=2) == [
        SPREAD.format("0.07"),
        "gru, error by blank steps: 2.00 % ± 0.14 after 0, 4.00 % ± 0.00 after 28 (higher), "
        "50.00 % ± 0.00 after 112 (higher).",
        "gru, 0 blank steps: the logits depend on the middle of the image 1.0 x (0.50, 1.5 by "
        "seed) as much as on its last row.",
        "gru, 112 blank steps: the logits depend on the middle of the image 0.12 x (0.25, 0.0 by "
        "seed) as much as on its last row.",
    ]


def test_memory_in_part():
    """One number of steps is said once; a gradient of zero or none at all is not divided by."""
    grid = ["blank_steps:28;cell:gru,lstm,basic_rnn"]
    figures = [
        {"error": 2, "analyses": forgetting(1.0, 4.0, 56)},
        {"error": 3, "analyses": forgetting(1.0, 0.0, 56)},
        {"error": 4, "analyses": {}},
    ]
    assert answer("memory", grid, figures)[1:] == [
        "gru, error by blank steps: 2.00 % after 28.",
        "gru, 28 blank steps: the logits depend on the middle of the image 0.25 x as much as on "
        "its last row.",
        "lstm, error by blank steps: 3.00 % after 28.",
        "basic_rnn, error by blank steps: 4.00 % after 28.",
        "After 28 blank steps: lstm +1.00 points of error against gru (not judged), basic_rnn "
        "+2.00 points of error against gru (not judged), basic_rnn +1.00 points of error against "
        "lstm (not judged).",
    ]


def test_cells_are_compared_after_as_many_blank_steps():
    """Variances of 0.02 around 2, 2.4, 2, 5 and 3 %: 0.0078; five degrees of freedom: 2.571.

    One that did not learn is compared with nothing.
    """
    points = parse_grids(["blank_steps:0,28,56;cell:gru,lstm"], seeds=2)
    means = (2, 2.4, 2, 5, 3, 88.65)
    figures = [{"error": mean + seed} for mean in means for seed in (-0.1, 0.1)]
    records = make_study(points, figures)
    for point in points[-2:]:
        records[point.name]["curve"][-1]["loss"] = 2.3
    sentences = SECTIONS["memory"].answer(merge_seeds(points, records), records)
    # 2.571 sqrt(0.0078 (2 + 2.4) / 2) = 0.34
    assert sentences[3:] == [
        "After 0 blank steps: lstm +0.40 points of error against gru (higher).",
        "After 28 blank steps: lstm +3.00 points of error against gru (higher).",
    ]


def test_what_did_not_learn_has_not_forgotten():
    """Its gradients say nothing of the cell; one seed that failed is said as one."""
    points = parse_grids(["blank_steps:0,56;cell:gru"], seeds=2)
    figures = [{"error": 2, "analyses": forgetting(1.0, 4.0, 84)} for _ in points]
    records = make_study(points, figures)
    records[points[3].name]["curve"][-1]["loss"] = 2.3
    sentences = SECTIONS["memory"].answer(merge_seeds(points, records), records)
    failure = "1 of 2 seeds did not learn: its loss is not 5 % below a guess's"
    assert f"2.00 % ± 0.00 after 56 ({failure})." in sentences[1]
    assert [text.partition(":")[0] for text in sentences[2:]] == ["gru, 0 blank steps"]


def test_batch_statistics_cannot_hide_a_failure():
    """A model that fits in training and guesses on the validation part did not learn."""
    points = parse_grids(["image_size:14,112;model:cnn"])
    records = make_study(points, [{}, {}])
    records[points[0].name]["curve"][-1]["val_loss"] = 0.5
    records[points[1].name]["curve"][-1]["val_loss"] = 2.31
    sentences = SECTIONS["size"].answer(merge_seeds(points, records), records)
    assert sentences[0] == (
        "cnn, all cores: after so few steps the loss is not 5 % below a guess's at side 112: the "
        "time alone counts."
    )


SIZE = ["image_size:14,112;model:rnn,cnn;cores:1,2"]


def test_size():
    """Milliseconds are 1000 over images a second; pairs are of the largest side."""
    figures = [
        {"images_per_second": rate, "analyses": speed(ms), "parameters": parameters}
        for rate, ms, parameters in (
            (1000, 0.5, 2000),  # 14, rnn, 1 core
            (1600, 0.4, 2000),
            (500, 0.25, 1999),  # 14, cnn, 1 core
            (900, 0.2, 1999),
            (200, 4.0, 12345),  # 112, rnn, 1 core
            (250, 2.0, 12345),
            (50, 8.0, 12300),  # 112, cnn, 1 core
            (90, 5.0, 12300),
        )
    ]
    assert answer("size", SIZE, figures) == [
        "rnn, 1 core: sides 14, 112: 1.00, 5.00 ms an image in training (from the first to the "
        "last 5.0 x), 0.500, 4.00 ms in inference (batches of 100).",
        "rnn, 2 cores: sides 14, 112: 0.625, 4.00 ms an image in training (from the first to the "
        "last 6.4 x), 0.400, 2.00 ms in inference (batches of 100).",
        "cnn, 1 core: sides 14, 112: 2.00, 20.0 ms an image in training (from the first to the "
        "last 10 x), 0.250, 8.00 ms in inference (batches of 100).",
        "cnn, 2 cores: sides 14, 112: 1.11, 11.1 ms an image in training (from the first to the "
        "last 10 x), 0.200, 5.00 ms in inference (batches of 100).",
        "At side 112 a second core makes rnn 1.25 x as fast in training, 2.00 x in inference.",
        "At side 112 a second core makes cnn 1.80 x as fast in training, 1.60 x in inference.",
        "At side 112 on 1 core the RNN (12,345 parameters) trains on 4.0 x as many images a "
        "second as the CNN (12,300).",
        "At side 112 on 2 cores the RNN (12,345 parameters) trains on 2.8 x as many images a "
        "second as the CNN (12,300).",
        "Over all sides and cores the RNN is 1.8 to 4.0 x as fast in training, 0.50 to 2.5 x in "
        "inference: of these models, on these cores, the claim is not decided.",
    ]


@pytest.mark.parametrize(
    ("cnn", "text"),
    [
        (500, "2.0 to 4.0 x as fast in training: {} does not hold."),
        (1000, "1.0 to 2.0 x as fast in training: {} is not decided."),
        (2500, "0.40 to 0.80 x as fast in training: {} holds."),
    ],
)
def test_the_claim_of_size(cnn, text):
    """All ratios of speeds are on one side of 1, or nothing is decided."""
    rates = (1000, 1000, cnn, cnn, 2000, 2000, cnn, cnn)
    sentences = answer("size", SIZE, [{"images_per_second": rate} for rate in rates])
    assert sentences[-1] == "Over all sides and cores the RNN is " + text.format(
        "of these models, on these cores, the claim"
    )


def test_size_on_two_machines():
    """Their times are said, and not compared."""
    points = parse_grids(["image_size:14,112;model:rnn"])
    records = make_study(points, [{"images_per_second": rate} for rate in (1000, 200)])
    records[points[1].name]["machine"] = "2 cores of another machine"
    assert SECTIONS["size"].answer(merge_seeds(points, records), records) == [
        "rnn, all cores: sides 14, 112: 1.00, 5.00 ms an image in training.",
        "Measured on 2 machines: no times are compared.",
    ]
    records[points[1].name] |= {"machine": "2 cores of a machine", "analyses_machine": "another"}
    sentences = SECTIONS["size"].answer(merge_seeds(points, records), records)
    assert sentences[-1] == "Measured on 2 machines: no times are compared."


def test_size_beside_other_work():
    """Disturbed times are said, and not compared."""
    points = parse_grids(["image_size:14,112;model:rnn,cnn"])
    records = make_study(points, [{"images_per_second": 1000}] * 4)
    records[points[3].name]["disturbed"] = True
    sentences = SECTIONS["size"].answer(merge_seeds(points, records), records)
    assert sentences == [
        "rnn, all cores: sides 14, 112: 1.00, 1.00 ms an image in training.",
        "cnn, all cores: sides 14, 112: 1.00, 1.00 ms an image in training.",
        "The times of 1 of them do not compare: none are compared.",
    ]


def test_size_in_part():
    """Pairs are of the largest side that both have; without a measurement it is not said."""
    figures = [{"images_per_second": rate} for rate in (1000, 500, 200)]
    sentences = answer("size", SIZE, figures, only=[0, 1, 4])  # rnn: 14 on 1 and 2, 112 on 1
    assert sentences == [
        "rnn, 1 core: sides 14, 112: 1.00, 5.00 ms an image in training (from the first to the "
        "last 5.0 x).",
        "rnn, 2 cores: side 14: 2.00 ms an image in training.",
        "At side 14 a second core makes rnn 0.50 x as fast in training.",
    ]
    sentences = answer("size", ["image_size:14;model:rnn"], figures[:1])
    assert sentences == ["rnn, all cores: side 14: 1.00 ms an image in training."]
