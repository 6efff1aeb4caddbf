"""ReNet against float64, cell by cell in plain loops; sizes by hand; errors."""

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import Front, build_model, build_renet, make_cell
from rnn_mnist_tf.rnn_cell import GRUCell
from rnn_mnist_tf.training import TrainConfig
from tests import reference
from tests.modes import EAGER_AND_GRAPH


def line_outputs(layer, kind, line):
    """The outputs of a layer's cell along one line of feature vectors, in float64."""
    weights, units = reference.named_weights(layer.cell), layer.cell.output_size
    zeros = np.zeros((1, units))
    state = (zeros, zeros) if kind == "basic_lstm" else zeros
    step = {
        "basic_lstm": reference.lstm_step,
        "gru": reference.gru_step,
        "basic_rnn": reference.basic_rnn_step,
    }[kind]
    outputs = []
    for features in line:
        output, state = step(features[None], state, weights)
        outputs.append(output[0])
    return outputs


def sweep(model, kind, grid, names, lines):
    """Puts both directions' outputs along each line where they belong."""
    result = {}
    for line in lines:
        forward = line_outputs(model.get_layer(names[0]), kind, [grid[place] for place in line])
        backward = line_outputs(
            model.get_layer(names[1]), kind, [grid[place] for place in line[::-1]]
        )
        for place, there, back in zip(line, forward, backward[::-1], strict=True):
            result[place] = np.concatenate([there, back])
    return result


def renet_float64(model, kind, image, patch_sizes):
    """The logits of one image `[h, w, c]`."""
    for layer, size in enumerate(patch_sizes, start=1):
        rows, columns = image.shape[0] // size, image.shape[1] // size
        grid = {
            (i, j): image[i * size : (i + 1) * size, j * size : (j + 1) * size].ravel()
            for i in range(rows)
            for j in range(columns)
        }
        down = [[(i, j) for i in range(rows)] for j in range(columns)]
        across = [[(i, j) for j in range(columns)] for i in range(rows)]
        grid = sweep(model, kind, grid, (f"down_{layer}", f"up_{layer}"), down)
        grid = sweep(model, kind, grid, (f"right_{layer}", f"left_{layer}"), across)
        image = np.array([[grid[i, j] for j in range(columns)] for i in range(rows)])
    features = image.ravel()
    for name in ("hidden", "logits"):
        if name in {layer.name for layer in model.layers}:
            kernel, bias = (np.asarray(w, np.float64) for w in model.get_layer(name).get_weights())
            features = features @ kernel + bias
            features = np.maximum(features, 0) if name == "hidden" else features
    return features


@EAGER_AND_GRAPH
@pytest.mark.parametrize(
    ("kind", "shape", "patch_size", "num_layers", "dense_units"),
    [
        ("gru", (6, 4), 2, 1, 0),
        ("basic_lstm", (4, 6, 3), 1, 2, 5),
        ("basic_rnn", (12, 6), 3, 2, 0),
    ],
)
def test_logits_equal_float64(kind, shape, patch_size, num_layers, dense_units, in_graph):
    """Every direction of every layer, in images of unequal sides."""
    model = build_renet(
        shape,
        3,
        lambda size: make_cell(kind, 3, 1, input_size=size),
        patch_size=patch_size,
        num_layers=num_layers,
        dense_units=dense_units,
        front=Front("none"),
    )
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 1, weight.shape) for weight in model.get_weights()])
    images = random.integers(0, 256, (3, *shape)).astype(np.uint8)
    patch_sizes = [patch_size, *[2] * (num_layers - 1)]
    expected = [
        renet_float64(model, kind, image.reshape(*(*shape, 1)[:3]) / 255, patch_sizes)
        for image in images
    ]
    assert np.ptp(expected, axis=0).max() > 0.01
    call = model
    if in_graph:
        call = tf.function(model, input_signature=[tf.TensorSpec((None, *shape), tf.uint8)])
    np.testing.assert_allclose(call(images), expected, rtol=1e-4, atol=1e-4)


def build(shape=(8, 8), **options):
    """Builds a small model of a configuration."""
    small = {"model": "renet", "cell": "gru", "num_units": 3, "num_layers": 1, "patch_size": 2}
    return build_model(TrainConfig(**{**small, **options}), shape, 10)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # down, up (4 + 3) 9 + 9 = 72; right, left (6 + 3) 9 + 9 = 90; 16 6 10 + 10 = 970
        ({}, 1_294),
        # second layer: patches of 2 2 6 = 24: (24 + 3) 9 + 9 = 252; 90; 4 6 10 + 10 = 250
        ({"num_layers": 2}, 324 + 684 + 250),
        # hidden 96 5 + 5 = 485; 5 10 + 10 = 60
        ({"dense_units": 5, "dense_keep_prob": 0.5}, 324 + 545),
        # colour: (12 + 3) 9 + 9 = 144
        ({"shape": (8, 8, 3), "grayscale": "none"}, 288 + 180 + 970),
        # LSTM (4 + 3) 12 + 12 = 96; (6 + 3) 12 + 12 = 120
        ({"cell": "basic_lstm"}, 432 + 970),
        # patches of 4: (16 + 3) 9 + 9 = 180; 90; 4 6 10 + 10 = 250
        ({"patch_size": 4}, 540 + 250),
    ],
)
def test_parameters(options, parameters):
    """They add up as the options say."""
    assert build(**options).count_params() == parameters


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((28, 28), {"patch_size": 5}, "Layer 1 .*nearest are 4 and 7"),
        (
            (28, 28),
            {"patch_size": 2, "num_layers": 3},
            "Layer 3 .*7 x 7.* 1 and 7.*--num_layers",
        ),
        ((8, 8), {"cell": "grid_lstm", "patch_size": 1}, "1 features"),
    ],
)
def test_models_that_cannot_be_built(shape, options, message):
    """The error says which layer, and what would do."""
    with pytest.raises(ValueError, match=message):
        build(shape, **options)


def test_no_layer():
    """There is at least one."""
    with pytest.raises(ValueError, match="num_layers=0"):
        build_renet((8, 8), 10, lambda size: make_cell("gru", 3, 1), num_layers=0)


def test_every_cell_drops_out_by_itself():
    """The dropout of each of the four cells has a seed of its own."""
    model = build(output_keep_prob=0.5)
    seeds = {model.get_layer(f"{name}_1").cell.seed for name in ("down", "up", "right", "left")}
    assert len(seeds) == 4


def test_names_of_all_sweeps():
    """No name stands for two variables: each pair of sweeps is a bidirectional loop of its own."""
    cells = []

    def make(_):
        cells.append(GRUCell(3))
        return cells[-1]

    build_renet((4, 4), 3, make, patch_size=2, num_layers=2)
    names = [name for cell in cells for name in cell.tf1_variables()]
    assert len(names) == 4 * 8
    assert len({*names}) == len(names)
