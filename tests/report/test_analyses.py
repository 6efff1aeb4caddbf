"""Gradients over steps against finite differences; times against a clock that is known."""

import itertools
import types

import keras
import numpy as np
import pytest

from rnn_mnist_tf.models import Front, build_rnn, make_cell
from rnn_mnist_tf.models.views import answer_views
from rnn_mnist_tf.report import analyses
from tests.modes import mostly_slow

SCALE = 1e-3  # of pixels, so that one level of gray is a small change
FRONT = Front(pixel_scale=SCALE)


def models():
    """Both loops, one direction and two, steps along either side of the image."""
    yield build_rnn((4, 3), 2, make_cell("gru", 5), front=FRONT)
    yield build_rnn((4, 3), 2, make_cell("basic_lstm", 5, 2), front=FRONT, scan="columns")
    cells = [make_cell("gru", 5), make_cell("basic_rnn", 4)]
    yield build_rnn((4, 3), 3, cells[0], front=FRONT, cell_bw=cells[1], head="mean")
    cells = [make_cell("gru", 5, api="keras") for _ in range(2)]
    yield build_rnn((4, 3), 3, cells[0], front=FRONT, scan="columns")
    yield build_rnn((4, 3), 3, cells[1], front=FRONT, cell_bw=keras.layers.GRUCell(2))


def norms_by_differences(model, images):
    """The same norms, from logits of images with one pixel a level up and down."""
    squares = np.zeros(images.shape)
    for place in itertools.product(*map(range, images.shape[1:])):
        up, down = images.copy(), images.copy()
        up[(slice(None), *place)] += 1
        down[(slice(None), *place)] -= 1
        slope = (model(up).numpy().astype(float) - model(down).numpy()) / (2 * SCALE)
        squares[(slice(None), *place)] = np.sum(slope**2, axis=1)
    columns = model.get_layer("scan").get_config()["scan"] == "columns"
    return np.mean(np.sqrt(squares.sum(axis=1 if columns else 2)), axis=0)


@pytest.mark.parametrize("index", mostly_slow(range(5), [0, 3]))
@pytest.mark.parametrize("batch_size", [2, 100])
def test_forgetting_against_differences(index, batch_size):
    """The norm of the Jacobian at every step, its mean over images, however they are batched."""
    model = list(models())[index]
    images = np.random.default_rng(0).integers(1, 255, (5, 4, 3)).astype(np.uint8)
    norms = analyses.forgetting(model, images, batch_size)
    np.testing.assert_allclose(norms, norms_by_differences(model, images), rtol=5e-3)


def test_forgetting_of_a_model_with_views_is_that_of_one_view():
    """The views around a model have no steps; what they are of has."""
    model = build_rnn((4, 3), 2, make_cell("gru", 5), front=FRONT)
    images = np.random.default_rng(0).integers(1, 255, (5, 4, 3)).astype(np.uint8)
    viewing = answer_views(model, "shifts")
    analyses.check_analyses(["forgetting"], viewing)
    norms = analyses.forgetting(viewing, images)
    np.testing.assert_allclose(norms, norms_by_differences(model, images), rtol=5e-3)


def test_forgetting_wants_an_rnn():
    """A model without one has no steps."""
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    with pytest.raises(ValueError, match="DynamicRNN"):
        analyses.forgetting(model, np.zeros([1, 4, 3]))


def test_forgetting_wants_logits_of_the_sequence_alone():
    """Where a path leads around the RNN, the question has no answer."""
    inputs = keras.Input((4, 3))
    sequence = keras.layers.Rescaling(2.0)(inputs)
    around = keras.layers.Flatten()(inputs)
    logits = keras.layers.Concatenate()([keras.layers.GRU(2, name="rnn")(sequence), around])
    with pytest.raises(ValueError, match="rnn"):
        analyses.forgetting(keras.Model(inputs, logits), np.zeros([1, 4, 3]))


@pytest.mark.parametrize(
    ("options", "calls", "batch_1"),
    [
        ({"repeats": 3}, 3, 2000.0),
        ({"limit": 0.1}, 3, 2000.0),
        ({"limit": 12.1}, 4, 1500.0),  # of 1, 2, 9 and 1
        ({"limit": 1e9}, 20, 2000.0),
    ],
)
def test_speed_is_a_median_an_image(monkeypatch, options, calls, batch_1):
    """Of calls that take 1, 2 and 9 seconds, the median a call, divided by the batch."""
    sizes, now, waits = [], [0.0], itertools.cycle([1.0, 2.0, 9.0])

    def make_predictor(_, batch_size):
        def predict(images):
            assert len(images) == batch_size
            sizes.append(batch_size)
            now[0] += next(waits)

        return predict

    monkeypatch.setattr(analyses, "make_predictor", make_predictor)
    monkeypatch.setattr(analyses, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    found = analyses.speed(None, np.zeros([3, 4, 4], np.uint8), **options)
    assert sizes == [1] * (3 + calls) + [100] * (3 + calls)
    assert found == {"batch_1": batch_1, "batch_100": 20.0}
