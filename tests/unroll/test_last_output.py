"""`outputs[:, -1]`, the last relevant output, and the parts of the state."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from rnn_mnist_tf import compare_last_output, last_relevant_output
from rnn_mnist_tf.rnn_cell import BasicLSTMCell, GRUCell, LSTMCell, MultiRNNCell, RNNCell
from tests.modes import traced

INPUTS = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    batch=st.integers(1, 4), time=st.integers(0, 5), in_graph=st.booleans(), data=st.data()
)
def test_last_relevant_output(batch, time, in_graph, data):
    """The output at length - 1, zeros for no steps, the last for too many."""
    time_major = data.draw(st.booleans())
    lengths = data.draw(st.lists(st.integers(0, 7), min_size=batch, max_size=batch))
    outputs = np.random.default_rng(1).normal(size=(batch, time, 2))
    expected = np.zeros((batch, 2))
    for row, length in enumerate(lengths):
        if min(length, time):
            expected[row] = outputs[row, min(length, time) - 1]
    given = outputs.swapaxes(0, 1) if time_major else outputs
    function = traced(last_relevant_output, in_graph)
    np.testing.assert_array_equal(function(given, tf.constant(lengths), time_major), expected)


def test_last_relevant_output_without_lengths():
    """Without lengths it is the last one."""
    np.testing.assert_array_equal(last_relevant_output(INPUTS), INPUTS[:, -1])
    np.testing.assert_array_equal(last_relevant_output(INPUTS, time_major=True), INPUTS[-1])


def test_last_relevant_output_of_more_dimensions():
    """Whatever an output is made of."""
    outputs = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    for lengths in ([2, 3], [2.0, 3.0]):  # the loops take both
        np.testing.assert_array_equal(last_relevant_output(outputs, lengths)[0], outputs[0, 1])


@pytest.mark.parametrize(
    ("outputs", "lengths", "message"),
    [
        (np.zeros(3), None, "expected \\[batch, time"),
        (INPUTS, [True, False, True], "whole numbers"),
        (INPUTS, [[1], [2], [3]], "one for each row"),
        (INPUTS, [1], "one for each row"),
    ],
)
def test_last_relevant_output_errors(outputs, lengths, message):
    """What is neither outputs nor lengths is refused."""
    with pytest.raises(ValueError, match=message):
        last_relevant_output(outputs, lengths)


def parts_that(comparison, field):
    """Returns the paths of the parts for which a field is true."""
    return [part.path for part in comparison.parts if getattr(part, field)]


def test_one_gru_is_its_last_output():
    """A bare state of one layer."""
    comparison = compare_last_output(GRUCell(5), INPUTS)
    assert comparison.state_is_last_output
    assert comparison.verdict == "the state is outputs[:, -1]"


def test_only_h_of_the_last_layer():
    """A stack of LSTMs."""
    comparison = compare_last_output(MultiRNNCell([BasicLSTMCell(5), BasicLSTMCell(5)]), INPUTS)
    assert not comparison.state_is_last_output
    assert parts_that(comparison, "same") == ["state[1].h"]
    assert [part.path for part in comparison.parts][:2] == ["state[0].c", "state[0].h"]
    assert all(part.difference > 0 for part in comparison.parts if not part.same)


def test_another_shape_has_no_difference():
    """c of a projected LSTM cannot be compared."""
    comparison = compare_last_output(LSTMCell(5, num_proj=3), INPUTS)
    assert [part.difference is None for part in comparison.parts] == [True, False]


def test_lengths():
    """For shorter rows the last output is zero, and the state is the last relevant one."""
    comparison = compare_last_output(GRUCell(5), INPUTS, sequence_length=[6, 2, 1])
    assert parts_that(comparison, "same") == []
    assert parts_that(comparison, "same_as_last_relevant") == ["state"]
    np.testing.assert_array_equal(comparison.outputs[1:, -1], 0)


def test_backward():
    """The backward half ends at step 0."""
    comparison = compare_last_output(GRUCell(5), INPUTS, cell_bw=GRUCell(5))
    assert parts_that(comparison, "same_as_first") == ["state"]
    assert "outputs[:, 0]" in comparison.verdict


class Negating(RNNCell):
    """A cell whose state is minus its output."""

    state_size = output_size = 4

    def call(self, inputs, state):
        """Adds the inputs to the state, negated."""
        total = state - inputs
        return -total, total


def test_a_cell_of_ones_own():
    """Any cell is answered for."""
    comparison = compare_last_output(Negating(), INPUTS)
    assert not comparison.state_is_last_output
    np.testing.assert_allclose(comparison.state, -INPUTS.sum(axis=1), rtol=1e-6)
