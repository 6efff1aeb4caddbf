"""An image becomes a sequence: what each step is, and the way back."""

import dataclasses

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from rnn_mnist_tf.images import SCANS, Scan
from tests.modes import EAGER_AND_GRAPH, traced

DTYPES = ["uint8", "int32", "float16", "float32", "float64"]
FEW = hypothesis.settings(max_examples=20, deadline=None)
SEED = (3, 4)


@dataclasses.dataclass
class Case:
    """Images and the scan that reads them; `batch` is None for a single image."""

    scan: Scan
    batch: int | None
    images: np.ndarray


@st.composite
def cases(draw, name):
    """Draws gray or colour images of any size that the patches divide, one or a batch."""
    patch = draw(st.integers(1, 3))
    sides = [patch * draw(st.integers(1, 4)) for _ in range(2)]
    channels = draw(st.sampled_from([(), (1,), (3,)]))
    batch = draw(st.sampled_from([None, 0, 1, 3]))
    scan = Scan(name, (*sides, *channels), patch, seed=draw(st.integers(0, 9)))
    size = scan.image_shape if batch is None else (batch, *scan.image_shape)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    return Case(scan, batch, (255 * random.random(size)).astype(draw(st.sampled_from(DTYPES))))


def run(function, case, values, in_graph):
    """Calls `to_sequence` or `to_images`, in a graph with an unknown batch if asked."""
    values = tf.constant(values)
    if in_graph:
        shape = values.shape if case.batch is None else [None, *values.shape[1:]]
        function = tf.function(function)
        return function.get_concrete_function(tf.TensorSpec(shape, values.dtype), SEED)(values)
    return function(values, SEED)


def step_by_definition(image, name, step, patch):
    """Says what a step is, for an image `[height, width, channels]`."""
    height, width, _ = image.shape
    if name == "patches":
        row, column = divmod(step, width // patch)
        return image[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
    return {
        "rows": lambda: image[step],
        "rows_reversed": lambda: image[height - 1 - step],
        "columns": lambda: image[:, step],
        "columns_reversed": lambda: image[:, width - 1 - step],
        "pixels": lambda: image[step // width, step % width],
    }[name]()


@pytest.mark.parametrize("name", SCANS)
@EAGER_AND_GRAPH
@FEW
@hypothesis.given(data=st.data())
def test_the_way_back_is_exact(data, in_graph, name):
    """`to_images` gives every bit of what `to_sequence` was given."""
    case = data.draw(cases(name))
    sequences = run(case.scan.to_sequence, case, case.images, in_graph)
    steps = (case.scan.time_steps, case.scan.input_size)
    assert tuple(sequences.shape) == (steps if case.batch is None else (case.batch, *steps))
    again = run(case.scan.to_images, case, sequences, in_graph)
    assert again.dtype == sequences.dtype == case.images.dtype
    np.testing.assert_array_equal(again, case.images, strict=True)


@pytest.mark.parametrize("name", sorted({*SCANS} - {"permuted_rows", "shuffled_rows"}))
@EAGER_AND_GRAPH
@FEW
@hypothesis.given(data=st.data())
def test_every_step_is_what_the_scan_says(data, in_graph, name):
    """Step t of each image is the row, column, pixel or patch of the definition, flattened."""
    case = data.draw(cases(name))
    sequences = run(case.scan.to_sequence, case, case.images, in_graph).numpy()
    images = case.images.reshape(-1, *(*case.scan.image_shape, 1)[:3])
    sequences = sequences.reshape(-1, case.scan.time_steps, case.scan.input_size)
    for image, sequence in zip(images, sequences, strict=True):
        for step, features in enumerate(sequence):
            expected = step_by_definition(image, name, step, case.scan.patch_size)
            np.testing.assert_array_equal(features, expected.ravel())


def row_orders(scan, images, seed=None):
    """Says which row each step was, for images whose row r is full of r."""
    return scan.to_sequence(images, seed).numpy()[..., 0]


def numbered_rows(batch, height):
    """Images whose row r is full of r."""
    return np.tile(np.arange(height)[None, :, None], [batch, 1, 2])


@EAGER_AND_GRAPH
def test_permuted_rows_have_one_order(in_graph):
    """All images of all batches share one order of the rows, which is the seed's."""
    scan, images = Scan("permuted_rows", (9, 2), seed=1), numbered_rows(4, 9)
    if in_graph:
        orders = tf.function(scan.to_sequence)(images).numpy()[..., 0]
    else:
        orders = row_orders(scan, images)
    assert sorted(orders[0]) == list(range(9))
    assert (orders == orders[0]).all()
    assert (row_orders(scan, images[:1]) == orders[0]).all()
    assert (row_orders(Scan("permuted_rows", (9, 2), seed=1), images) == orders).all()
    assert (row_orders(Scan("permuted_rows", (9, 2), seed=2), images) != orders).any()


@pytest.mark.parametrize("name", ["permuted_rows", "shuffled_rows"])
def test_an_order_moves_whole_rows(name):
    """The steps of a colour image are its rows, each once and none cut."""
    image = np.random.default_rng(0).integers(0, 256, (6, 3, 3))
    steps = Scan(name, (6, 3, 3)).to_sequence(image, SEED).numpy()
    assert sorted(steps.tolist()) == sorted(image.reshape(6, 9).tolist())


@EAGER_AND_GRAPH
def test_shuffled_rows_have_an_order_each(in_graph):
    """Each image has an order of its own, which is a function of the seed."""
    scan, images = Scan("shuffled_rows", (9, 2)), tf.constant(numbered_rows(16, 9))
    to_sequence = traced(scan.to_sequence, in_graph)
    orders, again, others = (
        to_sequence(images, tf.constant(seed)).numpy()[..., 0] for seed in (SEED, SEED, (3, 5))
    )
    assert (np.sort(orders, axis=1) == np.arange(9)).all()
    assert len(np.unique(orders, axis=0)) > 12
    assert (orders == again).all()
    assert (orders != others).any()


def test_shuffled_rows_take_the_state_of_a_keras_generator():
    """Seeds of Keras, unsigned and past 2**31, are as good as any."""
    seed = tf.constant([2**32 - 1, 7], tf.uint32)
    scan, images = Scan("shuffled_rows", (9, 2)), numbered_rows(2, 9)
    np.testing.assert_array_equal(scan.to_images(scan.to_sequence(images, seed), seed), images)


def test_shuffled_rows_need_a_seed():
    """Without a seed there would be no way back."""
    with pytest.raises(ValueError, match="expected two integers"):
        Scan("shuffled_rows", (4, 4)).to_sequence(np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("rows", (28, 28), (28, 28)),
        ("rows", (32, 24, 3), (32, 72)),
        ("columns", (32, 24, 3), (24, 96)),
        ("shuffled_rows", (5, 6, 1), (5, 6)),
        ("patches", (28, 14), (8, 49)),
        ("pixels", (28, 28), (784, 1)),
        ("pixels", (4, 5, 3), (20, 3)),
    ],
)
def test_sizes(name, shape, sizes):
    """Time steps and input size of the table in `Scan`."""
    scan = Scan(name, shape)
    assert (scan.time_steps, scan.input_size) == sizes


@pytest.mark.parametrize(
    ("sides", "patch_size", "nearest"),
    [
        ((28, 28), 5, "are 4 and 7"),
        ((28, 28), 8, "are 7 and 14"),
        ((28, 28), 15, "are 14 and 28"),
        ((28, 28), 30, "is 28"),
        ((27, 28), 2, "is 1"),
        ((12, 18), 4, "are 3 and 6"),
    ],
)
def test_a_patch_that_does_not_divide_names_its_neighbours(sides, patch_size, nearest):
    """The error says which sizes would do, one below and one above."""
    with pytest.raises(ValueError, match=f"the nearest {nearest}\\."):
        Scan("patches", (*sides, 3), patch_size)


@FEW
@hypothesis.given(sides=st.tuples(*[st.integers(1, 30)] * 2), patch_size=st.integers(1, 40))
def test_the_neighbours_are_the_nearest_divisors(sides, patch_size):
    """A brute-force search over all patch sizes finds the same neighbours."""
    divisors = [p for p in range(1, 31) if sides[0] % p == 0 and sides[1] % p == 0]
    if patch_size in divisors:
        assert Scan("patches", sides, patch_size).input_size == patch_size**2
        return
    below = [p for p in divisors if p < patch_size][-1:]
    above = [p for p in divisors if p > patch_size][:1]
    with pytest.raises(ValueError, match=" and ".join(map(str, below + above)) + r"\.$"):
        Scan("patches", sides, patch_size)


@pytest.mark.parametrize("patch_size", [0, -1, 2.0, True, "2"])
def test_a_patch_size_is_a_positive_integer(patch_size):
    """Anything else is refused before it divides."""
    with pytest.raises(ValueError, match="positive integer"):
        Scan("patches", (4, 4), patch_size)


def test_an_unknown_scan_is_refused():
    """The error names all scans."""
    with pytest.raises(ValueError, match=r"diagonal.*rows.*pixels"):
        Scan("diagonal", (4, 4))


@pytest.mark.parametrize("shape", [(4,), (4, 4, 3, 1), (0, 4), (None, 4), (4.0, 4)])
def test_a_shape_is_two_or_three_known_sides(shape):
    """The error says what a shape is."""
    with pytest.raises(ValueError, match=r"expected \(height, width\)"):
        Scan("rows", shape)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (4,), (2, 2, 4, 4)])
def test_images_of_another_shape_are_refused(shape):
    """The error names the shape that came and the one that is due."""
    with pytest.raises(ValueError, match=r"images of shape .*expected \[batch, 4, 4\]"):
        Scan("rows", (4, 4)).to_sequence(np.zeros(shape))


def test_sequences_of_another_shape_are_refused():
    """So on the way back."""
    with pytest.raises(ValueError, match=r"sequences of shape .*expected \[batch, 16, 1\]"):
        Scan("pixels", (4, 4)).to_images(np.zeros((2, 4, 4)))
