"""The fair control: the same convolutions and as many parameters, but no cell."""

import keras

from rnn_mnist_tf.models.convolution import convolve
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import apply_dense, apply_head
from rnn_mnist_tf.models.serialize import read_features


def build_cnn(
    image_shape,
    num_classes,
    budget,
    *,
    filters=(32, 48, 48, 64),
    tap=4,
    feature_keep_prob=1.0,
    head="last",
    dense_keep_prob=1.0,
    front=Front(),  # noqa: B008  frozen
    seed=0,
):
    """Builds convolutions and a hidden dense layer, as wide as a number of parameters allows.

        features = flatten(block_tap(... block_1(values)))
        hidden = relu(features W_1 + b_1)
        logits = hidden W + b

    With the budget of `build_cnn_rnn`'s example, 483,754, the 3,136 features of four blocks get 133
    hidden units: 63,264 of the blocks, 3,147 for each unit, 10 of the logits: 481,825 parameters.

    Args:
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.
        budget: the parameters that the model may have, those that are not trained included.
        filters, tap, feature_keep_prob: which convolutions, and their dropout; see `convolve`.
        head: what the hidden layer sees: `last`, all features side by side; `mean`, the mean over
            positions; `attention`, a learnt weighted mean over positions.
        dense_keep_prob: see `apply_dense`.
        front: a `Front`: how bytes become values.
        seed: of dropout.

    Returns:
        A `keras.Model` from uint8 `[batch, *image_shape]` to float32 `[batch, num_classes]`.

    Raises:
        ValueError: an unknown head or tap, or a budget too small for one hidden unit.

    >>> build_cnn((28, 28), 10, budget=483754).count_params()
    481825
    """
    images, values = front(image_shape)
    features = convolve(values, filters, tap, feature_keep_prob, seed)
    if head == "last":
        features = keras.layers.Flatten(name="flatten")(features)
    else:
        features = apply_head(head, [read_features(features, "positions")])
    spent = keras.Model(images, features).count_params()
    units = hidden_units(budget - spent, features.shape[-1], num_classes)
    if units < 1:
        least = spent + features.shape[-1] + 1 + 2 * num_classes
        raise ValueError(
            f"Received a budget of {budget} parameters for cnn, expected at least {least}, which "
            "one hidden unit needs. Lower --tap or --filters, or widen the budget model."
        )
    logits = apply_dense(features, num_classes, units, dense_keep_prob, seed)
    return keras.Model(images, logits, name="cnn_classifier")


def hidden_units(budget, features, num_classes):
    """Returns the units of the widest hidden layer within a budget.

    A unit has `features` weights and a bias, and a weight for each logit; logits have a bias each.

    >>> hidden_units(483754 - 63264, 3136, 10)
    133
    """
    return (budget - num_classes) // (features + 1 + num_classes)
