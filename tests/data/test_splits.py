"""The validation split, a stratified, seeded partition, and subsets of what it leaves."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from rnn_mnist_tf.data import training_subset, validation_split
from rnn_mnist_tf.errors import InputError


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stratified_partition(counts, fraction, seed):
    """Every index is in one part, and each class is held out in proportion, within one."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, held_out = validation_split(labels, fraction, seed)
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert abs(len(held_out) - fraction * len(labels)) <= 1
    for label, count in enumerate(counts):
        assert abs(np.sum(labels[held_out] == label) - fraction * count) <= 1.5


def test_the_split_is_the_seeds():
    """One seed, one split; another seed, another split; both sorted."""
    labels = np.arange(200) % 10
    first, again, other = (validation_split(labels, 0.1, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again == sorted(first)
    assert first != other


def test_nothing_is_held_out_at_zero():
    """A fraction of 0 leaves all to training."""
    train, held_out = validation_split(np.arange(7), 0, seed=0)
    assert train.tolist() == list(range(7))
    assert held_out.tolist() == []


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_a_fraction_is_in_range(fraction):
    """All of it cannot be held out, nor less than nothing."""
    with pytest.raises(InputError, match="expected 0 <= fraction < 1"):
        validation_split(np.arange(20) % 2, fraction, seed=0)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_each_class_is_in_both_parts(fraction):
    """A fraction that leaves a class out of a part is named with the number of examples."""
    with pytest.raises(InputError, match=rf"validation_fraction={fraction} of 100 examples"):
        validation_split(np.arange(100) % 10, fraction, seed=0)


def shuffled_labels(counts, seed):
    """Labels, so many of each class, in no order."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    part=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stratified_subset(counts, part, seed):
    """As many as were asked for, all of the training part, each class in proportion."""
    labels = shuffled_labels([count + 3 for count in counts], seed)
    train = np.flatnonzero(np.random.default_rng(seed).random(len(labels)) < 0.9)
    hypothesis.assume(len(train))
    count = max(1, round(part * len(train)))
    subset = training_subset(labels, train, count, seed)
    assert subset.tolist() == sorted(set(subset))
    assert len(subset) == count
    assert set(subset) <= set(train)
    for label in range(len(counts)):
        share = count / len(train) * np.sum(labels[train] == label)
        assert abs(np.sum(labels[subset] == label) - share) <= 1.5


def test_a_subset_is_the_seeds():
    """One seed, one subset, a part of the larger ones; another seed, another subset."""
    labels, train = np.arange(200) % 10, np.arange(20, 200)
    first, again, other = (training_subset(labels, train, 50, seed).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert set(first) < set(training_subset(labels, train, 51, 1))


@pytest.mark.parametrize("count", [0, 15])
def test_a_subset_of_all(count):
    """Zero means all, and all is all."""
    train = np.arange(5, 20)
    assert training_subset(np.repeat([0, 1], 10), train, count, 0).tolist() == train.tolist()


@pytest.mark.parametrize("count", [16, 20, -1])
def test_more_than_there_are(count):
    """The error has the number that is left after the validation split."""
    with pytest.raises(InputError, match=f"train_examples={count}, expected at most 15"):
        training_subset(np.repeat([0, 1], 10), np.arange(5, 20), count, 0)


def test_a_class_that_would_all_be_held_out():
    """It would never be trained on."""
    labels = np.repeat([0, 1], [2, 1000])
    with pytest.raises(InputError, match="holds out all of class 0"):
        validation_split(labels, 0.9, 0)
    train, _ = validation_split(labels, 0.1, 0)
    assert set(labels[train]) == {0, 1}
