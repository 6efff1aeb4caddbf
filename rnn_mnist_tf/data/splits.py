"""Which images are trained on, and which are held out to make choices on."""

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
        InputError: a fraction outside [0, 1), or one that holds out all images of a class, or fewer
            images than there are classes.

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
            f"Received validation_fraction={fraction} of {len(labels)} examples: {error}. "
            "Choose another --validation_fraction; 0 holds out none."
        ) from error
    lost = sorted(set(labels) - set(labels[train]))
    if lost:
        raise InputError(
            f"Received validation_fraction={fraction} of {len(labels)} examples, which holds out "
            f"all of class {lost[0]}. Choose a smaller --validation_fraction; 0 holds out none."
        )
    return np.sort(train), np.sort(validation)


def training_subset(labels, train, count, seed):
    """Returns some of the training indices, stratified by class.

    A smaller subset of the same seed is a part of a larger one.

    Args:
        labels: of all examples.
        train: the indices of the training part, as `validation_split` gives them.
        count: how many are taken; 0 takes all.
        seed: an int.

    Returns:
        A sorted int array of indices.

    Raises:
        InputError: more than there are.

    >>> labels = np.repeat([0, 1], 10)
    >>> subset = training_subset(labels, np.arange(5, 20), 6, seed=0)
    >>> np.bincount(labels[subset]).tolist()
    [2, 4]
    """
    if not 0 <= count <= len(train):
        raise InputError(
            f"Received train_examples={count}, expected at most {len(train)}: as many are left to "
            "train on after the validation split."
        )
    if count == 0:
        return train
    # scikit-learn's split wants an example of every class on both sides, the one left over too.
    order = np.random.default_rng(seed).permutation(train)
    place = np.empty(len(order))
    for label in np.unique(labels[order]):
        mine = labels[order] == label
        place[mine] = (np.arange(np.sum(mine)) + 0.5) / np.sum(mine)
    return np.sort(order[np.argsort(place, kind="stable")[:count]])


def split_images(labels, config):
    """Returns which of its data set's training images a run trains on, and which it holds out.

    Args:
        labels: of all training images.
        config: a `TrainConfig`, of which the fraction, the number of examples and the seed count.

    Returns:
        `(train, validation)`: two sorted int arrays of indices.

    Raises:
        InputError: see `validation_split` and `training_subset`.

    >>> import types
    >>> config = types.SimpleNamespace(validation_fraction=0.2, train_examples=4, seed=0)
    >>> [len(part) for part in split_images(np.repeat([0, 1], 10), config)]
    [4, 4]
    """
    train, validation = validation_split(labels, config.validation_fraction, config.seed)
    return training_subset(labels, train, config.train_examples, config.seed), validation
