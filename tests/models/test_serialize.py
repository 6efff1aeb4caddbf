"""A feature map as a sequence: index by index against its definition, and its orders."""

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import SERIALIZATIONS
from rnn_mnist_tf.models.serialize import Serialize, read_features, sequence_shape, to_sequence


def steps_by_definition(features, serialize):
    """The steps of one feature map, a list of lists of numbers."""
    height, width, channels = features.shape
    rows = [
        [features[i, j, k] for j in range(width) for k in range(channels)] for i in range(height)
    ]
    columns = [
        [features[i, j, k] for i in range(height) for k in range(channels)] for j in range(width)
    ]
    positions = [
        [features[i, j, k] for k in range(channels)] for i in range(height) for j in range(width)
    ]
    return {"rows": rows, "columns": columns, "both": rows + columns, "positions": positions}[
        serialize
    ]


@pytest.mark.parametrize("serialize", SERIALIZATIONS)
@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(sides=st.tuples(*[st.integers(1, 5)] * 3), batch=st.integers(0, 3))
def test_every_step_is_what_the_table_says(serialize, sides, batch):
    """Every number is in its place, and the sizes are those that were announced."""
    if serialize == "both":
        sides = (sides[0], sides[0], sides[2])
    features = np.arange(batch * np.prod(sides), dtype=np.float32).reshape(batch, *sides)
    sequences = to_sequence(features, serialize).numpy()
    assert sequences.shape == (batch, *sequence_shape(sides, serialize))
    for image, sequence in zip(features, sequences, strict=True):
        assert sequence.tolist() == steps_by_definition(image, serialize)


def numbered(shuffle_steps, seed=0, batch=12, steps=9):
    """A model that says which step is read when, `[steps, batch]`, and its inputs."""
    inputs = keras.Input((steps, 2, 3))
    sequence = read_features(inputs, "rows", shuffle_steps, seed)
    features = np.tile(np.arange(steps, dtype=np.float32)[None, :, None, None], [batch, 1, 2, 3])
    return keras.Model(inputs, sequence[..., 0]), features


def test_steps_in_order():
    """Time comes first, and nothing moves."""
    model, features = numbered("none")
    np.testing.assert_array_equal(model(features), np.tile(np.arange(9)[:, None], [1, 12]))


def test_a_fixed_order():
    """One order for all images, always, which is the seed's."""
    model, features = numbered("fixed", seed=1)
    order = model(features).numpy()
    assert sorted(order[:, 0]) == list(range(9))
    assert (order == order[:, :1]).all()
    assert (order[:, 0] != range(9)).any()
    np.testing.assert_array_equal(model(features, training=True), order)
    np.testing.assert_array_equal(numbered("fixed", seed=1)[0](features), order)
    assert (numbered("fixed", seed=2)[0](features) != order).numpy().any()


@pytest.mark.parametrize("training", [True, False])
def test_fresh_orders(training):
    """Another order for each image and each call, in training and afterwards; no step is lost."""
    model, features = numbered("fresh")
    first, second = (model(features, training=training).numpy() for _ in range(2))
    assert (np.sort(first, axis=0) == np.arange(9)[:, None]).all()
    assert len(np.unique(first, axis=1).T) > 9
    assert (first != second).any()


def test_the_layer_keeps_its_argument():
    """`get_config` holds what the constructor was given."""
    assert Serialize.from_config(Serialize("columns").get_config()).serialize == "columns"


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((7, 7, 2), {"serialize": "diagonal"}, "serialize='diagonal'.*rows.*positions"),
        ((7, 6, 2), {"serialize": "both"}, "'both' for features of 7 x 6.*--serialize=rows"),
        ((7, 7, 2), {"shuffle_steps": "often"}, "shuffle_steps='often'.*none.*fixed.*fresh"),
    ],
)
def test_what_cannot_be_read(shape, options, message):
    """The error has the option, the features and what would do."""
    with pytest.raises(ValueError, match=message):
        read_features(keras.Input(shape), **options)


def test_both_ways_need_a_square():
    """Eagerly too."""
    with pytest.raises(ValueError, match="2 x 3"):
        to_sequence(tf.zeros([1, 2, 3, 1]), "both")
