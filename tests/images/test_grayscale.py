"""Colour becomes gray: every pixel against whole-number arithmetic or float64."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnn_mnist_tf.images import rgb_to_grayscale, split_channels
from tests.modes import EAGER_AND_GRAPH, traced

WEIGHTS = {"rec601": (299, 587, 114), "article": (290, 387, 114)}  # thousandths
FEW = hypothesis.settings(max_examples=25, deadline=None)
BOTH_WEIGHTS = pytest.mark.parametrize("weights", WEIGHTS)
SHAPES = arrays.array_shapes(max_dims=3, max_side=5).map(lambda shape: (*shape, 3))


def convert(images, weights, in_graph):
    """Calls `rgb_to_grayscale`, eagerly or in a graph."""
    function = traced(rgb_to_grayscale, in_graph)
    return function(tf.constant(images), weights).numpy()


@BOTH_WEIGHTS
@EAGER_AND_GRAPH
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
@FEW
@hypothesis.given(data=st.data())
def test_whole_numbers_round_to_the_nearest(data, dtype, in_graph, weights):
    """A thousand times the answer is within 500 of the exact sum."""
    images = data.draw(arrays.arrays(dtype, SHAPES))
    gray = convert(images, weights, in_graph)
    exact = images.astype(np.int64) @ np.array(WEIGHTS[weights])
    assert gray.dtype == images.dtype
    assert gray.shape == images.shape[:-1]
    assert np.all(np.abs(1000 * gray.astype(np.int64) - exact) <= 500)


@BOTH_WEIGHTS
@EAGER_AND_GRAPH
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@FEW
@hypothesis.given(data=st.data())
def test_floats_equal_float64_arithmetic(data, dtype, in_graph, weights):
    """The answer is that of float64, within a few roundings of the images' dtype."""
    elements = st.floats(-255, 255, width=int(dtype[-2:]))
    images = data.draw(arrays.arrays(dtype, SHAPES, elements=elements))
    gray = convert(images, weights, in_graph)
    exact = images.astype(np.float64) @ np.array(WEIGHTS[weights]) / 1000
    assert gray.dtype == images.dtype
    np.testing.assert_allclose(gray, exact, rtol=0, atol=255 * 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("weights", "white"), [("rec601", 255), ("article", 202)])
def test_white(weights, white):
    """ITU-R 601 keeps white; the article's weights sum to 0.791, so 255 becomes 201.7."""
    assert rgb_to_grayscale(np.full((2, 2, 3), 255, np.uint8), weights).numpy().tolist() == [
        [white, white],
        [white, white],
    ]


def test_one_channel_is_gray_already():
    """An axis of one channel is dropped, and nothing is weighed."""
    images = np.arange(12, dtype=np.uint8).reshape(2, 3, 2, 1)
    np.testing.assert_array_equal(rgb_to_grayscale(images, "article"), images[..., 0])


@pytest.mark.parametrize("shape", [(2, 2, 4), (2, 2), (0,), ()])
def test_other_numbers_of_channels_are_refused(shape):
    """Two, four or no channels are named in the error."""
    with pytest.raises(ValueError, match=r"expected \[\.\.\., 3\] or \[\.\.\., 1\]"):
        rgb_to_grayscale(np.zeros(shape, np.uint8))


def test_unknown_weights_are_refused():
    """The error names those there are."""
    with pytest.raises(ValueError, match=r"rec709.*rec601.*article"):
        rgb_to_grayscale(np.zeros((1, 1, 3)), "rec709")


@EAGER_AND_GRAPH
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_split_channels(channels, in_graph):
    """Channel k holds the entries k of the last axis."""
    images = np.arange(2 * 3 * 2 * channels).reshape(2, 3, 2, channels)
    split = traced(split_channels, in_graph)(tf.constant(images))
    assert len(split) == channels
    for channel, values in enumerate(split):
        np.testing.assert_array_equal(values, images[..., channel])


def test_split_channels_needs_their_number():
    """A graph that does not know the last axis cannot be split."""
    graph = tf.function(split_channels, input_signature=[tf.TensorSpec([2, None], tf.float32)])
    with pytest.raises(ValueError, match="number of channels known"):
        graph(tf.zeros([2, 3]))
