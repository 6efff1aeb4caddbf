"""The classifier: its size, its numbers against float64, its errors."""

import functools

import keras
import numpy as np
import pytest

from rnn_mnist_tf.models import Front, build_rnn, make_cell
from rnn_mnist_tf.models.layers import Grayscale, ScanImage
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, MultiRNNCell
from tests import reference

# [input + units, gates units] kernels and their biases, a layer at a time, then the dense layer.
PARAMETERS = [
    # (28 + 100) 400 + 400 = 51,600; (100 + 100) 400 + 400 = 80,400; 100 10 + 10 = 1,010
    ("rows", (28, 28), "basic_lstm", {}, 133_010),
    # The same by columns of a square image.
    ("columns", (28, 28), "basic_lstm", {}, 133_010),
    # (28 + 64) 128 + 128 = 11,904; (28 + 64) 64 + 64 = 5,952; 64 10 + 10 = 650
    ("rows", (28, 28), "gru", {"num_units": 64, "num_layers": 1}, 18_506),
    # (28 + 32) 32 + 32 = 1,952; (32 + 32) 32 + 32 = 2,080; 32 10 + 10 = 330
    ("rows", (28, 28), "basic_rnn", {"num_units": 32}, 4_362),
    # (28 + 20) 200 + 200 = 9,800; peepholes 3 50; projection 50 20; 20 10 + 10 = 210
    (
        "rows",
        (28, 28),
        "lstm",
        {"num_units": 50, "num_layers": 1, "use_peepholes": True, "num_proj": 20},
        11_160,
    ),
    # 49 features: (49 + 8) 32 + 32 = 1,856; 8 10 + 10 = 90
    ("patches", (28, 28), "basic_lstm", {"num_units": 8, "num_layers": 1}, 1_946),
    # 1 feature: (1 + 8) 32 + 32 = 320; 90
    ("pixels", (28, 28), "basic_lstm", {"num_units": 8, "num_layers": 1}, 410),
    # gray: (32 + 8) 32 + 32 = 1,312; 90
    ("rows", (24, 32, 3), "basic_lstm", {"num_units": 8, "num_layers": 1}, 1_402),
    # gray columns: (24 + 8) 32 + 32 = 1,056; 90
    ("columns", (24, 32, 3), "basic_lstm", {"num_units": 8, "num_layers": 1}, 1_146),
]
CELLS = {
    "basic_rnn": {},
    "gru": {},
    "basic_lstm": {},
    "lstm": {},
    "lstm-peepholes": {"use_peepholes": True, "cell_clip": 0.4, "num_proj": 3},
}


@pytest.mark.parametrize(
    ("scan", "shape", "cell", "options", "parameters"),
    PARAMETERS,
    ids=[f"{case[2]}-{case[0]}-{case[-1]}" for case in PARAMETERS],
)
def test_parameters(scan, shape, cell, options, parameters):
    """The number of weights is what the shapes of TF1's variables add up to."""
    assert build_rnn(shape, 10, make_cell(cell, **options), scan).count_params() == parameters


def test_parameters_of_colour_rows():
    """Kept channels are features: (32 3 + 8) 32 + 32 = 3,360; 8 10 + 10 = 90."""
    cell = make_cell("basic_lstm", num_units=8, num_layers=1)
    assert build_rnn((24, 32, 3), 10, cell, front=Front("none")).count_params() == 3_450


def reference_step(cell):
    """Returns the cell's step in float64, with the cell's own weights."""
    named = reference.named_weights(cell)
    kind = type(cell).__name__
    if kind == "BasicRNNCell":
        return functools.partial(reference.basic_rnn_step, weights=named)
    if kind == "GRUCell":
        return functools.partial(reference.gru_step, weights=named)
    return functools.partial(
        reference.lstm_step,
        weights=named,
        use_peepholes=cell.use_peepholes,
        cell_clip=cell.cell_clip,
        num_proj=cell.num_proj,
    )


def reference_state(cell, batch):
    """Returns zeros in the shape of a cell's state."""
    sizes = cell.state_size if isinstance(cell.state_size, tuple) else [cell.state_size]
    zeros = tuple(np.zeros((batch, size)) for size in sizes)
    return zeros if len(zeros) > 1 else zeros[0]


def reference_logits(model, cells, steps_of_images, scale, offset):
    """Returns the classifier's answer in float64, for images that are sequences already."""
    dense = model.get_layer("logits")
    return reference.classifier_logits(
        steps_of_images,
        [reference_step(cell) for cell in cells],
        [reference_state(cell, len(steps_of_images)) for cell in cells],
        np.asarray(dense.kernel),
        np.asarray(dense.bias),
        scale=scale,
        offset=offset,
    )


def build_random(shape, cell, **options):
    """Builds a classifier whose weights, biases too, are all drawn at random."""
    random = np.random.default_rng(0)
    model = build_rnn(shape, 5, cell, **options)
    model.set_weights([random.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("scan", ["rows", "columns"])
@pytest.mark.parametrize("name", CELLS)
def test_logits_equal_float64(name, scan, num_layers):
    """For each cell the logits are those of NumPy in float64, within float32."""
    cell = make_cell(name.split("-")[0], 6, num_layers, **CELLS[name])
    model = build_random((9, 7), cell, scan=scan, front=Front("rec601", 1 / 100, -1.0))
    images = np.random.default_rng(1).integers(0, 256, (4, 9, 7)).astype(np.uint8)
    sequences = images if scan == "rows" else images.transpose(0, 2, 1)
    cells = cell.wrapped_cells or [cell]
    expected = reference_logits(model, cells, sequences, 1 / 100, -1.0)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("grayscale", "weights"),
    [("rec601", (0.299, 0.587, 0.114)), ("article", (0.29, 0.387, 0.114)), ("none", None)],
)
def test_logits_of_colour_images(grayscale, weights):
    """Channels are weighed, or side by side in each step."""
    cell = make_cell("gru", 6, 1)
    model = build_random((5, 4, 3), cell, front=Front(grayscale, 1 / 100))
    images = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 3)).astype(np.uint8)
    steps = images.reshape(3, 5, 12) if weights is None else images @ np.array(weights)
    expected = reference_logits(model, [cell], steps, 1 / 100, 0.0)
    np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-5)


def test_the_default_normalisation_is_0_to_1():
    """Black is 0 and white is 1."""
    cell = make_cell("basic_rnn", 3, 1)
    model = build_random((2, 2), cell)
    images = np.array([[[0, 255], [255, 0]]], np.uint8)
    expected = reference_logits(model, [cell], images / 255, 1, 0)
    np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-5)


def test_channels_of_gray_and_colour_agree():
    """An image of one channel is the image without the axis."""
    cells = [make_cell("gru", 4, 1) for _ in range(2)]
    plain, channel = build_random((5, 4), cells[0]), build_random((5, 4, 1), cells[1])
    images = np.random.default_rng(1).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(plain(images), channel(images[..., None]))


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("cell", ["gru", "basic_lstm"])
def test_any_batch(cell, batch):
    """Each image's logits are its own, however many there are."""
    model = build_random((5, 4), make_cell(cell, 4))
    images = np.random.default_rng(1).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    assert model(images[:batch]).shape == (batch, 5)
    np.testing.assert_allclose(model(images[:batch]), model(images)[:batch], atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "basic_lstm", "lstm", "basic_rnn"])
@pytest.mark.parametrize("scan", ["rows", "permuted_rows", "patches"])
def test_the_model_is_described_by_its_config(cell, scan):
    """A model rebuilt from `get_config` gives the same logits."""
    model = build_random(
        (6, 4, 3), make_cell(cell, 4), scan=scan, patch_size=2, seed=3, front=Front("article")
    )
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    images = np.random.default_rng(1).integers(0, 256, (3, 6, 4, 3)).astype(np.uint8)
    np.testing.assert_array_equal(again(images), model(images))


def test_make_cell():
    """One layer is the bare cell, more are a stack of cells that share nothing."""
    assert type(make_cell("basic_lstm", 4, 1)) is BasicLSTMCell
    stack = make_cell("basic_lstm", 4, 3)
    assert type(stack) is MultiRNNCell
    assert len({id(cell) for cell in stack.wrapped_cells}) == 3
    lstm = make_cell("lstm", 4, 1, use_peepholes=True, cell_clip=2.0, num_proj=3)
    assert (lstm.use_peepholes, lstm.cell_clip, lstm.num_proj) == (True, 2.0, 3)
    plain = make_cell("lstm", 4, 1)
    assert (plain.use_peepholes, plain.cell_clip, plain.num_proj) == (False, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "gpu"}, r"'gpu'.*basic_rnn.*gru.*basic_lstm.*lstm"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_units": 0}, "num_units=0"),
        ({"use_peepholes": True}, "use_peepholes.*--cell=lstm"),
        ({"cell": "gru", "num_proj": 3}, "num_proj.*--cell=lstm"),
        ({"cell": "gru", "cell_clip": 0.5}, "cell_clip.*--cell=lstm"),
    ],
)
def test_cells_that_cannot_be_made(options, message):
    """The error has the option and what it needs."""
    with pytest.raises(ValueError, match=message):
        make_cell(**options)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((28, 28), {"scan": "diagonal"}, "diagonal"),
        ((28, 28), {"scan": "patches", "patch_size": 5}, "nearest are 4 and 7"),
        ((8, 8, 4), {}, r"expected \[\.\.\., 3\]"),
        ((8, 8, 3), {"front": Front("rec709")}, "rec709"),
        ((8,), {}, "image_shape"),
    ],
)
def test_models_that_cannot_be_built(shape, options, message):
    """The error is the scan's or the grayscale's own."""
    with pytest.raises(ValueError, match=message):
        build_rnn(shape, 10, make_cell("gru", 4, 1), **options)


def test_layers_keep_their_arguments():
    """`get_config` holds what the constructor was given."""
    scan = ScanImage.from_config(ScanImage("patches", (6, 4, 3), 2, seed=5).get_config()).scan
    assert (scan.name, scan.image_shape, scan.patch_size, scan.seed) == ("patches", (6, 4, 3), 2, 5)
    assert Grayscale.from_config(Grayscale("article").get_config()).channel_weights == "article"
