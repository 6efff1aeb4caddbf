"""Optimizers and learning rates: Keras's own, by name."""

import keras
import tensorflow as tf

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


def make_optimizer(
    name, learning_rate, weight_decay=0.0, global_clipnorm=0.0, ema_momentum=0.0, undecayed=()
):
    """Returns a Keras optimizer that is not built yet.

    `adadelta` has PyTorch's constants, rho 0.9 and epsilon 1e-6, which the article used.

    Args:
        name: `adam`, `adamw`, `adadelta` or `sgd`.
        learning_rate: a float or a Keras schedule.
        weight_decay: of `adamw`: each step `w <- w - learning_rate weight_decay w` (Loshchilov and
            Hutter 2019).
        global_clipnorm: the largest norm of all gradients together; 0 does not clip.
        ema_momentum: of the average of the weights; 0 keeps none. See `unbiased_momentum`.
        undecayed: variables that do not decay.

    >>> make_optimizer("adadelta", 0.1).rho
    0.9
    """
    options = {
        "global_clipnorm": global_clipnorm or None,
        "use_ema": ema_momentum > 0,
        "ema_momentum": ema_momentum,
        "ema_overwrite_frequency": None,
    }
    if name == "adadelta":
        return keras.optimizers.Adadelta(learning_rate, rho=0.9, epsilon=1e-6, **options)
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, **options)
    if name == "adam":
        return keras.optimizers.Adam(learning_rate, **options)
    optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, **options)
    optimizer.exclude_from_weight_decay(list(undecayed))
    return optimizer


def undecayed_variables(model):
    """Returns the variables that weight decay leaves alone: biases, and scales of normalisation.

    Those are all of one dimension, and Keras's GRU has a bias of two.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> [variable.name for variable in undecayed_variables(model)]
    ['bias']
    """
    return [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) < 2 or variable.name.endswith("bias")
    ]


def unbiased_momentum(momentum, step):
    """Returns the momentum of a step, counted from 0, that makes an average of weights unbiased.

        m_t = m (1 - m^t) / (1 - m^(t + 1))
        average_t = m_t average_(t-1) + (1 - m_t) w_t

    Then `average_t` is the mean of `w_0` to `w_t` with weights in proportion to `m^(t - k)`. With
    one momentum for all steps, as Keras has it, `w_0` alone would have the weight `m^t`: of a
    thousand steps at 0.999 more than a third.

    Source: the correction of bias of Adam (Kingma and Ba 2015, section 3).

    >>> [round(float(unbiased_momentum(0.5, step)), 4) for step in (0, 1, 2, 100)]
    [0.0, 0.3333, 0.4286, 0.5]
    """
    base, step = tf.constant(momentum, tf.float64), tf.cast(step, tf.float64)
    return tf.cast(base * (1 - base**step) / (1 - base ** (step + 1)), tf.float32)
