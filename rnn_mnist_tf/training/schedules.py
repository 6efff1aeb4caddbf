"""Optimizers and learning rates: Keras's own, by name."""

import keras

_WARM_UP = 0.3


def make_learning_rate(schedule, learning_rate, total_steps):
    """Returns a number or a Keras schedule.

    `one_cycle` rises from `learning_rate / 25` to `learning_rate` over the first 30 % of the
    steps, then falls to 0 with a cosine (Smith 2018). `cosine` falls from the start.

    Args:
        schedule: `constant`, `one_cycle` or `cosine`.
        learning_rate: the peak.
        total_steps: of the whole run.

    >>> rate = make_learning_rate("one_cycle", 0.01, 100)
    >>> [round(float(rate(step)), 4) for step in (0, 30, 100)]
    [0.0004, 0.01, 0.0]
    """
    if schedule == "constant":
        return learning_rate
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(learning_rate, total_steps)
    warm_up = max(1, round(_WARM_UP * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 25,
        max(1, total_steps - warm_up),
        warmup_target=learning_rate,
        warmup_steps=warm_up,
    )


def make_optimizer(name, learning_rate):
    """Returns a Keras optimizer.

    `adadelta` has PyTorch's constants, rho 0.9 and epsilon 1e-6, which the article used.

    >>> make_optimizer("adadelta", 0.1).rho
    0.9
    """
    if name == "adadelta":
        return keras.optimizers.Adadelta(learning_rate, rho=0.9, epsilon=1e-6)
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate)
    return keras.optimizers.Adam(learning_rate)
