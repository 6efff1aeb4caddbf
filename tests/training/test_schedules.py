"""Learning rates step by step, and optimizers by name."""

import math

import keras
import pytest

from rnn_mnist_tf.training.schedules import (
    make_learning_rate,
    make_optimizer,
    unbiased_momentum,
    undecayed_variables,
)


def one_cycle(step, peak, total):
    """From peak / 25 in a line to the peak at 30 %, then to 0 along half a cosine."""
    warm_up = round(0.3 * total)
    if step < warm_up:
        return peak / 25 + (peak - peak / 25) * step / warm_up
    return peak * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up))) / 2


@pytest.mark.parametrize("total", [10, 100, 469])
def test_one_cycle(total):
    """Every step has the rate of the formula."""
    rate = make_learning_rate("one_cycle", 0.006, total)
    rates = [float(rate(step)) for step in range(total + 1)]
    assert rates == pytest.approx([one_cycle(s, 0.006, total) for s in range(total + 1)], abs=1e-8)
    assert max(rates) == pytest.approx(0.006)


def test_cosine():
    """Half a cosine from the peak to 0."""
    rate = make_learning_rate("cosine", 0.5, 40)
    expected = [0.25 * (1 + math.cos(math.pi * step / 40)) for step in range(41)]
    assert [float(rate(step)) for step in range(41)] == pytest.approx(expected, abs=1e-7)


def test_constant():
    """One number for all steps."""
    assert make_learning_rate("constant", 0.5, 40) == 0.5


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_very_short_runs(schedule, total):
    """The shortest run has rates from 0 to the peak, and ends at 0."""
    rate = make_learning_rate(schedule, 0.5, total)
    rates = [float(rate(step)) for step in range(total + 2)]
    assert all(0 <= value <= 0.5 for value in rates)
    assert rates[-1] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("adadelta", keras.optimizers.Adadelta),
        ("sgd", keras.optimizers.SGD),
    ],
)
def test_optimizers(name, kind):
    """The class is Keras's, with the rate that was asked for."""
    optimizer = make_optimizer(name, 0.25)
    assert type(optimizer) is kind
    assert float(optimizer.learning_rate) == 0.25
    assert (optimizer.use_ema, optimizer.global_clipnorm) == (False, None)


def test_adadelta_has_the_constants_of_pytorch():
    """The article trained with `torch.optim.Adadelta(lr=0.1)`: rho 0.9, epsilon 1e-6."""
    optimizer = make_optimizer("adadelta", 0.1)
    assert (optimizer.rho, optimizer.epsilon) == (0.9, 1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.999, 0.99999])
def test_unbiased_momentum(momentum):
    """The share that it gives to each step is that of the powers of the momentum, summing to 1."""
    shares = []
    for step in range(200):
        m = float(unbiased_momentum(momentum, step))
        shares = [*(m * share for share in shares), 1 - m]
    powers = [momentum**k for k in reversed(range(200))]
    expected = [power / sum(powers) for power in powers]
    assert shares == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_undecayed_variables():
    """Biases, scales and shifts, Keras's GRU's bias of two rows too; never a kernel."""
    layers = [keras.layers.GRU(3), keras.layers.LayerNormalization(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4, 5)), *layers])
    names = [variable.name for variable in undecayed_variables(model)]
    assert names == ["bias", "gamma", "beta", "bias"]
    assert len(model.trainable_variables) == 7
