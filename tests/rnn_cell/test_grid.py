"""`GridLSTMCell` against the reference and contrib's published numbers."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from rnn_mnist_tf.rnn_cell import GridLSTMCell
from tests import reference
from tests.rnn_cell.stepping import (
    assert_close,
    assert_same_steps,
    draw,
    few_examples,
    make_float64,
    named_shapes,
    randomise,
    weights_below,
)

SCOPE = "grid_lstm_cell"
ONE_BLOCK = {"feature_size": 2, "frequency_skip": 1, "num_frequency_blocks": [3]}
SKIPS = {"feature_size": 2, "frequency_skip": 3, "num_frequency_blocks": [3]}
BLOCKS = {
    "feature_size": 2,
    "frequency_skip": 2,
    "num_frequency_blocks": [2, 1, 3],
    "start_freqindex_list": [0, 3, 2],
    "end_freqindex_list": [4, 6, 8],
}
WINDOWS = {"one_block": (ONE_BLOCK, 4), "skips": (SKIPS, 8), "blocks": (BLOCKS, 8)}
OPTIONS = [
    dict(
        zip(("use_peepholes", "share_time_frequency_weights", "couple_input_forget_gates"), values),
        cell_clip=clip,
    )
    for *values, clip in itertools.product((False, True), (False, True), (False, True), (None, 0.2))
]


def reference_step(cell, **options):
    """Returns the reference's step with a cell's weights; its state is a flat list."""
    return functools.partial(
        reference.grid_lstm_step,
        weights=weights_below(cell, SCOPE),
        num_units=cell.num_units,
        **options,
    )


def assert_like_reference(depth, units=2, **options):
    """Asserts that a cell with random weights agrees with the reference. Returns the cell."""
    cell = randomise(make_float64(GridLSTMCell(units, **options), depth), scale=1.0)
    options.pop("num_unit_shards", None)
    assert_same_steps(cell, reference_step(cell, **options), depth, batch=2)
    return cell


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda options: "-".join(map(str, options.values()))
)
def test_steps(windows, options):
    """Outputs and states are the reference's with all options combined, over all windows."""
    blocks, depth = WINDOWS[windows]
    assert_like_reference(depth, **blocks, **options)


@pytest.mark.parametrize("forget_bias", [0.0, 2.0, -1.0])
def test_forget_bias(forget_bias):
    """The forget bias is the reference's."""
    assert_like_reference(4, **ONE_BLOCK, forget_bias=forget_bias)


@pytest.mark.parametrize("shards", [2, 3, 6])
def test_shards(shards):
    """A kernel cut by rows gives the numbers of the whole one."""
    cell = assert_like_reference(4, **ONE_BLOCK, num_unit_shards=shards)
    rows = [
        variable.shape[0]
        for name, variable in cell.tf1_variables().items()
        if f"{SCOPE}/W_f_0_" in name
    ]
    assert rows == [6 // shards] * shards


def test_uneven_shards():
    """The first shards take the rows that are left over."""
    cell = assert_like_reference(4, **ONE_BLOCK, num_unit_shards=4)
    shards = [cell.tf1_variables()[f"rnn/{SCOPE}/W_t_0_{shard}"] for shard in range(4)]
    assert [shard.shape[0] for shard in shards] == [2, 2, 1, 1]


@few_examples
@given(
    units=st.integers(1, 4),
    feature_size=st.integers(1, 3),
    skip=st.integers(1, 3),
    windows=st.integers(1, 4),
    rest=st.integers(0, 2),
)
def test_sizes(units, feature_size, skip, windows, rest):
    """Outputs and states are the reference's, whatever the windows; a rest is not read."""
    depth = feature_size + (windows - 1) * skip + min(rest, skip - 1)
    assert_like_reference(
        depth,
        units,
        use_peepholes=True,
        feature_size=feature_size,
        frequency_skip=skip,
        num_frequency_blocks=[windows],
    )


def test_clip_binds():
    """Where the clip binds, c along time stands exactly at it."""
    cell = randomise(make_float64(GridLSTMCell(3, cell_clip=0.2, **ONE_BLOCK), 4), scale=2.0)
    _, state = cell(tf.ones([2, 4], tf.float64), cell.zero_state(2, tf.float64))
    assert np.max(np.abs(state[::2])) == 0.2


def test_state_size():
    """The state is a namedtuple, block by block and frequency by frequency."""
    size = GridLSTMCell(5, **BLOCKS).state_size
    assert type(size).__name__ == "GridLSTMStateTuple"
    assert size._fields == (
        "state_f00_b00_c",
        "state_f00_b00_m",
        "state_f01_b00_c",
        "state_f01_b00_m",
        "state_f00_b01_c",
        "state_f00_b01_m",
        "state_f00_b02_c",
        "state_f00_b02_m",
        "state_f01_b02_c",
        "state_f01_b02_m",
        "state_f02_b02_c",
        "state_f02_b02_m",
    )
    assert tuple(size) == (5,) * 12


def test_new_state_is_a_namedtuple():
    """The new state has the namedtuple of the state size, whatever container was given."""
    cell = GridLSTMCell(2, **ONE_BLOCK)
    _, state = cell(tf.ones([1, 4]), [tf.zeros([1, 2])] * 6)
    assert type(state) is type(cell.state_size)


def test_output_size():
    """The output has two values a unit and frequency."""
    cell = GridLSTMCell(5, **BLOCKS)
    assert cell.output_size == 2 * 5 * 6
    assert cell(tf.ones([3, 8]), cell.zero_state(3, tf.float32))[0].shape == (3, 60)


@pytest.mark.parametrize("windows", WINDOWS)
def test_concatenated_state(windows):
    """With `state_is_tuple=False` the state is one tensor in the order of the namedtuple."""
    blocks, depth = WINDOWS[windows]
    cell = randomise(make_float64(GridLSTMCell(2, use_peepholes=True, **blocks), depth))
    joined = GridLSTMCell(2, use_peepholes=True, state_is_tuple=False, **blocks)
    make_float64(joined, depth).set_weights(cell.get_weights())
    leaves = len(cell.state_size)
    assert joined.state_size == 2 * leaves
    generator = np.random.default_rng(0)
    inputs, state = draw(generator, (3, depth)), draw(generator, (3, 2 * leaves))
    expected, expected_state = cell(inputs, np.split(state, leaves, axis=1))
    output, new_state = joined(inputs, state)
    assert_close(output, expected, "output")
    assert_close(new_state, np.concatenate(expected_state, axis=1), "state")


def test_variables():
    """Names and shapes are TF1's, block by block."""
    blocks = {**BLOCKS, "num_frequency_blocks": [2, 1], "feature_size": 3, "frequency_skip": 1}
    blocks |= {"start_freqindex_list": [0, 3], "end_freqindex_list": [4, 6]}
    cell = make_float64(GridLSTMCell(2, use_peepholes=True, **blocks), 6)
    expected = {}
    for block in (0, 1):
        for direction in "ft":
            expected[f"W_{direction}_{block}_0"] = (7, 8)
            expected[f"B_{direction}_{block}"] = (8,)
        for gate, seen in itertools.product("FIO", ("freqf", "freqt", "timef", "timet")):
            expected[f"W_{gate}_diag_{seen}_{block}"] = (2,)
    assert dict(named_shapes(cell)) == {
        f"rnn/{SCOPE}/{name}": shape for name, shape in expected.items()
    }


def test_variables_of_shared_weights():
    """Sharing leaves the variables of the frequency alone."""
    cell = GridLSTMCell(2, True, True, **ONE_BLOCK)
    names = {name.rpartition("/")[2] for name, _ in named_shapes(make_float64(cell, 4))}
    peepholes = {f"W_{gate}_diag_{seen}_0" for gate in "FIO" for seen in ("freqf", "freqt")}
    assert names == {"W_f_0_0", "B_f_0", *peepholes}


def test_variables_of_coupled_gates():
    """Coupled gates leave three columns of gates and no peepholes of F."""
    cell = GridLSTMCell(2, use_peepholes=True, couple_input_forget_gates=True, **ONE_BLOCK)
    shapes = {name.rpartition("/")[2]: shape for name, shape in named_shapes(make_float64(cell, 4))}
    assert shapes["W_f_0_0"] == shapes["W_t_0_0"] == (6, 6)
    assert shapes["B_f_0"] == (6,)
    assert not any(name.startswith("W_F_") for name in shapes)


def test_initial_values():
    """The initialiser makes everything but the biases, which start at 0."""
    cell = GridLSTMCell(
        2, use_peepholes=True, kernel_initializer=tf.constant_initializer(0.5), **ONE_BLOCK
    )
    for name, weight in weights_below(make_float64(cell, 4), SCOPE).items():
        expected = 0.0 if name.startswith("B_") else 0.5
        np.testing.assert_array_equal(weight, np.full(weight.shape, expected), err_msg=name)


def test_variables_start_apart():
    """No two kernels or peepholes start with the same numbers."""
    weights = weights_below(make_float64(GridLSTMCell(2, True, **ONE_BLOCK), 4), SCOPE)
    drawn = [tuple(weight.ravel()) for name, weight in weights.items() if name.startswith("W_")]
    assert len(set(drawn)) == len(drawn) == 14


def test_initializer_is_ignored():
    """`initializer` is taken and never used, as in TF1."""
    cell = make_float64(GridLSTMCell(2, initializer="ones", **ONE_BLOCK), 4)
    assert np.ptp(weights_below(cell, SCOPE)["W_f_0_0"]) > 0


RISING = np.array([[1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3], [3.0, 3.1, 3.2, 3.3]])
COUPLED_OUTPUT = [
    [0.416383, 0.403238, 0.524020, 0.565425, 0.557865, 0.609699],
    [0.627331, 0.622393, 0.688342, 0.708078, 0.694245, 0.715171],
    [0.711050, 0.709197, 0.736533, 0.744264, 0.737390, 0.745250],
]
COUPLED_STATE = [
    [0.625556, 0.416383, 0.759134, 0.524020, 0.798795, 0.557865],
    [0.875488, 0.627331, 0.936432, 0.688342, 0.941961, 0.694245],
    [0.957327, 0.711050, 0.979522, 0.736533, 0.980245, 0.737390],
]
SHARED_OUTPUT = [
    [0.464130, 0.419165, 0.593283, 0.738350, 0.661638, 0.866774],
    [0.669636, 0.628966, 0.736057, 0.895927, 0.755559, 0.954359],
    [0.751109, 0.711716, 0.778357, 0.940779, 0.784530, 0.980604],
]
SHARED_STATE = [
    [0.710660, 0.464130, 0.877293, 0.593283, 0.958505, 0.661638],
    [0.967579, 0.669636, 1.038811, 0.736057, 1.058201, 0.755559],
    [1.053842, 0.751109, 1.079919, 0.778357, 1.085620, 0.784530],
]
BACKWARD_OUTPUT = [
    [0.520789, 0.476968, 0.604341, 0.760207, 0.635773, 0.850218],
    [0.692621, 0.652363, 0.737517, 0.899558, 0.745984, 0.946840],
    [0.759940, 0.720652, 0.778552, 0.941606, 0.781035, 0.977731],
]


def published_step(inputs, **options):
    """Returns output and state of one step of the cells of contrib's tests, each value once.

    All weights are 0.5, all biases 0 and all states 0.1, so that the two units are equal.
    """
    cell = GridLSTMCell(2, kernel_initializer=tf.constant_initializer(0.5), **ONE_BLOCK, **options)
    state = [tf.fill([3, 2], 0.1)] * 6
    output, state = cell(tf.constant(inputs, tf.float32), state)
    return output.numpy(), np.concatenate(state, axis=1)


def assert_published(values, rows):
    """Asserts the published numbers, each of which stands for two equal units."""
    np.testing.assert_allclose(values, np.repeat(rows, 2, axis=1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("shared", [False, True])
def test_published_coupled_gates(shared):
    """Coupled gates give the published numbers; equal weights make sharing the same."""
    output, state = published_step(
        np.repeat([[1.0], [2.0], [3.0]], 4, axis=1),
        couple_input_forget_gates=True,
        share_time_frequency_weights=shared,
    )
    assert_published(output, COUPLED_OUTPUT)
    assert_published(state, COUPLED_STATE)


def test_published_shared_weights():
    """Shared weights give the published numbers, in both directions of the inputs."""
    output, state = published_step(RISING, share_time_frequency_weights=True)
    assert_published(output, SHARED_OUTPUT)
    assert_published(state, SHARED_STATE)
    output, _ = published_step(RISING[:, ::-1], share_time_frequency_weights=True)
    assert_published(output, BACKWARD_OUTPUT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Must specify num_frequency_blocks"),
        ({"num_frequency_blocks": []}, "Must specify num_frequency_blocks"),
        ({"num_frequency_blocks": [1, 2]}, "Length of num_frequency_blocks is not 1, but .* 2"),
        (
            {
                "num_frequency_blocks": [1, 2],
                "start_freqindex_list": [0, 1],
                "end_freqindex_list": [2],
            },
            "start and end freqindex_list does not match: 2 and 1",
        ),
        (
            {
                "num_frequency_blocks": [1],
                "start_freqindex_list": [0, 1],
                "end_freqindex_list": [2, 3],
            },
            "not equal to start_freqindex_list: 1 and 2",
        ),
        ({"num_frequency_blocks": [0]}, r"Received num_frequency_blocks=0, expected a positive"),
        ({"num_frequency_blocks": [1], "num_unit_shards": 0}, "Received num_unit_shards=0"),
        ({"num_frequency_blocks": [1], "reuse": True}, "Received reuse=True"),
    ],
)
def test_wrong_arguments(options, message):
    """Blocks that do not fit each other are refused at once."""
    with pytest.raises(ValueError, match=message):
        GridLSTMCell(2, feature_size=2, frequency_skip=1, **options)


@pytest.mark.parametrize(("depth", "fitting"), [(3, 2), (6, 5)])
def test_wrong_number_of_windows(depth, fitting):
    """Windows that the inputs do not give are refused with both numbers."""
    with pytest.raises(ValueError, match=f"requires 3 but gets {fitting}, please check"):
        GridLSTMCell(2, **ONE_BLOCK).build((None, depth))


def test_too_many_shards():
    """More shards than rows are refused."""
    with pytest.raises(ValueError, match="Too many shards: 6 rows, num_unit_shards=7"):
        GridLSTMCell(2, num_unit_shards=7, **ONE_BLOCK).build((None, 4))


def test_argument_order():
    """Arguments come in TF1's order."""
    cell = GridLSTMCell(2, True, True, 0.5, None, 1, 2.0, 2, 3, [2, 1], [0, 1], [5, 3], True, False)
    assert cell.use_peepholes
    assert cell.share_time_frequency_weights
    assert (cell.cell_clip, cell.num_unit_shards, cell.forget_bias) == (0.5, 1, 2.0)
    assert (cell.feature_size, cell.frequency_skip) == (2, 3)
    assert cell.num_frequency_blocks == [2, 1]
    assert (cell.start_freqindex_list, cell.end_freqindex_list) == ([0, 1], [5, 3])
    assert cell.couple_input_forget_gates
    assert cell.state_size == 12
