"""The validation split, on which choices are made."""

import numpy as np
from sklearn.model_selection import train_test_split

from rnn_mnist_tf.errors import InputError


def validation_split(labels, fraction, seed):
    """Splits indices into training and validation, stratified by class.

    Args:
        labels: `[count]`.
        fraction: the part that is held out; 0 holds out nothing.
        seed: an int.

    Returns:
        `(train, validation)`: two sorted int arrays of indices.

    Raises:
        InputError: a fraction outside [0, 1), or too small or large for every class to be in both.

    >>> train, validation = validation_split(np.repeat([0, 1], 10), 0.2, seed=0)
    >>> len(train), np.bincount(np.repeat([0, 1], 10)[validation]).tolist()
    (16, [2, 2])
    """
    if not 0 <= fraction < 1:
        raise InputError(f"Received validation_fraction={fraction}, expected 0 <= fraction < 1.")
    indices = np.arange(len(labels))
    if fraction == 0:
        return indices, indices[:0]
    try:
        train, validation = train_test_split(
            indices, test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise InputError(
            f"Received validation_fraction={fraction} of {len(labels)} examples: {error}"
        ) from error
    return np.sort(train), np.sort(validation)
