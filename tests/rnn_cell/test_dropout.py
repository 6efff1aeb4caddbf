"""`DropoutWrapper`: statistics, scaling, seeds, masks of a whole run, and when it drops."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)
from rnn_mnist_tf.rnn_cell.dropout import dropout, variational_dropout
from tests.modes import EAGER_AND_GRAPH, traced

UNITS = 40


class Passes(RNNCell):
    """A cell that gives its inputs as output and counts its steps in its state."""

    def __init__(self, units=UNITS, **options):
        super().__init__(**options)
        self.units = units

    @property
    def state_size(self):
        return self.units

    @property
    def output_size(self):
        return self.units

    def call(self, inputs, state):
        return inputs, state + 1


def fraction_kept(values):
    """Returns the fraction of entries that are not zero."""
    return np.mean(np.asarray(values, np.float64) != 0)


def assert_fraction(values, keep_prob):
    """Asserts that the kept fraction is within 5 sigma of the keep probability."""
    sigma = np.sqrt(keep_prob * (1 - keep_prob) / np.size(values))
    assert abs(fraction_kept(values) - keep_prob) <= 5 * sigma


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("keep_prob", [0.9, 0.5, 0.1, 0.01])
def test_kept_fraction(keep_prob, dtype):
    """As many entries are kept as the probability says, in every dtype."""
    ones = tf.ones([1000, 500], dtype)
    dropped = dropout(ones, keep_prob, None, keras.random.SeedGenerator(3))
    assert dropped.dtype == dtype
    assert_fraction(tf.cast(dropped, tf.float32), keep_prob)


@pytest.mark.parametrize("part", ["input", "output", "state"])
def test_scaling(part):
    """Kept values are divided by the keep probability, the others are zero."""
    wrapper = DropoutWrapper(Passes(), seed=1, **{f"{part}_keep_prob": 0.25})
    output, state = wrapper(tf.fill([500, UNITS], 3.0), tf.fill([500, UNITS], 2.0))
    values = (state if part == "state" else output).numpy()
    assert_fraction(values, 0.25)
    np.testing.assert_array_equal(values[values != 0], 12.0)
    other = (output if part == "state" else state).numpy()
    np.testing.assert_array_equal(other, 3.0)


def test_parts_and_steps_are_independent():
    """Output and state, rows and steps have masks that know nothing of each other."""
    wrapper = DropoutWrapper(Passes(), output_keep_prob=0.5, state_keep_prob=0.5, seed=1)
    ones = tf.ones([500, UNITS])
    output, state = wrapper(ones, ones)
    later_output, later_state = wrapper(ones, ones)
    kept = [np.ravel(part) != 0 for part in (output, state, later_output, later_state)]
    correlations = np.corrcoef(kept)[np.triu_indices(4, 1)]
    assert np.max(np.abs(correlations)) < 5 / np.sqrt(ones.numpy().size)
    rows = np.corrcoef(output.numpy() != 0)[np.triu_indices(50, 1)]
    assert abs(np.mean(rows)) < 0.05


def test_inputs_and_outputs_are_independent():
    """What is dropped going in and coming out is kept with the product of the probabilities."""
    wrapper = DropoutWrapper(Passes(), 0.5, 0.4, seed=1)
    output, _ = wrapper(tf.ones([500, UNITS]), tf.ones([500, UNITS]))
    assert_fraction(output, 0.2)


def test_keep_probability_of_one_draws_nothing():
    """A number of exactly 1 leaves values and generator alone."""
    wrapper = DropoutWrapper(GRUCell(3), 1.0, 1, 1.0, seed=1)
    inputs, state = tf.random.normal([2, 4]), tf.random.normal([2, 3])
    before = wrapper.seed_generator.state.numpy()
    output, _ = wrapper(inputs, state)
    expected, _ = wrapper.wrapped_cell(inputs, state)
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(wrapper.seed_generator.state.numpy(), before)


@pytest.mark.parametrize("keep_prob", [0.0, 0.3, 1.0])
def test_keep_probability_as_a_tensor(keep_prob):
    """A scalar tensor is a probability like a number, read at each step."""
    probability = tf.Variable(1.0)
    wrapper = DropoutWrapper(Passes(), output_keep_prob=probability, seed=1)
    step = tf.function(lambda: wrapper(tf.ones([500, UNITS]), tf.zeros([500, UNITS]))[0])
    assert fraction_kept(step()) == 1
    probability.assign(keep_prob)
    assert_fraction(step(), keep_prob)
    wrapper = DropoutWrapper(Passes(), output_keep_prob=tf.constant(keep_prob), seed=1)
    output, _ = wrapper(tf.ones([500, UNITS]), tf.zeros([500, UNITS]))
    assert_fraction(output, keep_prob)
    # A constant is the number that it holds: it can be saved, and is checked.
    config = wrapper.get_config()
    assert config["output_keep_prob"] == pytest.approx(keep_prob)
    with pytest.raises(ValueError, match="output_keep_prob must be between 0 and 1"):
        DropoutWrapper(Passes(), output_keep_prob=tf.constant(1 + keep_prob + 0.1))


def run(wrapper, training=None, steps=6):
    """Returns the outputs of a run over ones, `[2, steps, units]`."""
    outputs, _ = dynamic_rnn(
        wrapper, tf.ones([2, steps, UNITS]), dtype=tf.float32, training=training
    )
    return outputs.numpy()


@pytest.mark.parametrize("variational", [False, True], ids=["per_step", "variational"])
def test_seed_reproduces(variational):
    """Two wrappers of one seed drop alike, run after run; another seed drops otherwise."""

    def two_runs(seed):
        wrapper = DropoutWrapper(
            Passes(),
            output_keep_prob=0.5,
            variational_recurrent=variational,
            dtype=tf.float32,
            seed=seed,
        )
        return np.stack([run(wrapper), run(wrapper)])

    np.testing.assert_array_equal(two_runs(7), two_runs(7))
    assert not np.array_equal(two_runs(7), two_runs(8))
    assert not np.array_equal(two_runs(None), two_runs(None))


@EAGER_AND_GRAPH
def test_each_step_and_run_draws_anew(in_graph):
    """Without variational masks no two rows, steps or runs are alike."""
    wrapper = DropoutWrapper(Passes(), output_keep_prob=0.5, seed=1)
    inputs = tf.ones([2, 6, UNITS])

    def outputs():
        return dynamic_rnn(wrapper, inputs, dtype=tf.float32)[0]

    outputs = traced(outputs, in_graph)
    rows = np.reshape([outputs().numpy(), outputs().numpy()], (24, UNITS))
    assert len(np.unique(rows, axis=0)) == 24


def make_variational(**options):
    """Returns a wrapper with masks of a whole run."""
    options = {"output_keep_prob": 0.5, "input_size": UNITS, "seed": 1, **options}
    return DropoutWrapper(Passes(), variational_recurrent=True, dtype=tf.float32, **options)


@EAGER_AND_GRAPH
def test_variational_mask_serves_one_run(in_graph):
    """All rows and steps of a run share one mask, and the next run has another."""
    wrapper = make_variational()
    inputs = tf.ones([2, 6, UNITS])

    def outputs():
        return dynamic_rnn(wrapper, inputs, dtype=tf.float32)[0]

    outputs = traced(outputs, in_graph)
    masks = [np.unique(np.reshape(outputs(), (12, UNITS)), axis=0) for _ in range(3)]
    assert [len(mask) for mask in masks] == [1, 1, 1]
    assert len(np.unique(np.concatenate(masks), axis=0)) == 3
    assert set(np.unique(masks)) == {0.0, 2.0}


def test_variational_mask_of_steps_by_hand():
    """Steps by hand share the mask that was drawn with the wrapper, also after a run."""
    wrapper = make_variational()
    ones = tf.ones([3, UNITS])
    first, _ = wrapper(ones, ones)
    run(wrapper)
    second, _ = wrapper(ones, ones)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first, axis=0)) == 1


def test_variational_masks_of_the_parts_differ():
    """Input, output and state have masks of their own."""
    ones = tf.ones([1, UNITS])
    masks = []
    for part in ("input", "output", "state"):
        wrapper = make_variational(**{"output_keep_prob": 1.0, f"{part}_keep_prob": 0.5})
        output, state = wrapper(ones, ones)
        masks.append(np.ravel(state if part == "state" else output) != 0)
    assert len(np.unique(masks, axis=0)) == 3


def test_variational_fraction():
    """Over many runs each entry is kept as often as the probability says."""
    wrapper = make_variational(output_keep_prob=0.8)
    runs = np.stack([run(wrapper, steps=1)[0, 0] for _ in range(200)])
    assert_fraction(runs, 0.8)


def test_variational_formula():
    """A value is divided and kept where floor(keep_prob + noise) is 1."""
    noise = tf.constant([[0.0, 0.69, 0.71, 0.99]])
    dropped = variational_dropout(tf.fill([2, 4], 3.0), 0.3, noise)
    np.testing.assert_allclose(dropped, [[0, 0, 10, 10]] * 2, rtol=1e-6)


NESTS = {
    "alone": lambda: DropoutWrapper(GRUCell(UNITS), output_keep_prob=0.5, seed=1),
    "in_a_stack": lambda: MultiRNNCell([NESTS["alone"]()]),
    "in_a_residual": lambda: ResidualWrapper(
        NESTS["alone"](), residual_fn=lambda inputs, output: output
    ),
    "in_dropout": lambda: DropoutWrapper(NESTS["alone"]()),
}
TRAINING = pytest.mark.parametrize("training", [None, False, True])


@pytest.mark.parametrize("nest", NESTS)
@TRAINING
def test_bare_loops_drop_unless_told_not_to(nest, training):
    """A step and a bare `dynamic_rnn` drop always, as TF1 did, unless `training=False`."""
    cell = NESTS[nest]()
    inputs = tf.ones([8, 5, 3])
    output, _ = cell(inputs[:, 0], cell.zero_state(8, tf.float32), training=training)
    outputs, _ = dynamic_rnn(cell, inputs, dtype=tf.float32, training=training)
    for values in (output, outputs):
        drops = fraction_kept(values) < 1
        assert drops == (training is not False)


def dynamic_layer(cell):
    """Returns a `DynamicRNN` that gives outputs alone."""
    return DynamicRNN(cell, return_state=False)


def keras_layer(cell):
    """Returns Keras's own `RNN` that gives outputs alone."""
    return keras.layers.RNN(cell, return_sequences=True)


@pytest.mark.parametrize("make_layer", [dynamic_layer, keras_layer])
@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize(
    ("said", "drops"),
    [
        ({}, False),
        ({"training": None}, False),
        ({"training": False}, False),
        ({"training": True}, True),
    ],
    ids=["nothing", "none", "false", "true"],
)
def test_layers_follow_keras(make_layer, nest, said, drops):
    """Inside a Keras layer nothing is dropped unless training."""
    layer = make_layer(NESTS[nest]())
    inputs = tf.ones([8, 5, 3])
    assert (fraction_kept(layer(inputs, **said)) < 1) == drops
    symbolic = keras.Input((5, 3))
    model = keras.Model(symbolic, layer(symbolic))
    assert (fraction_kept(model(inputs, **said)) < 1) == drops


def test_prediction_does_not_drop():
    """`predict` gives the numbers of the cell without the wrapper."""
    cell = NESTS["alone"]()
    symbolic = keras.Input((5, 3))
    model = keras.Model(symbolic, dynamic_layer(cell)(symbolic))
    inputs = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
    expected, _ = dynamic_rnn(cell.wrapped_cell, tf.constant(inputs), dtype=tf.float32)
    np.testing.assert_allclose(model.predict(inputs, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_enclosing_keras_layer_says_so():
    """A bare `dynamic_rnn` inside a layer's call takes the layer's `training`."""

    class Encloses(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.cell = NESTS["alone"]()

        def call(self, inputs):
            return dynamic_rnn(self.cell, inputs, dtype=tf.float32)[0]

    layer = Encloses()
    inputs = tf.ones([8, 5, 3])
    assert fraction_kept(layer(inputs, training=False)) == 1
    assert fraction_kept(layer(inputs, training=True)) < 1


@pytest.mark.parametrize("variational", [False, True], ids=["per_step", "variational"])
def test_no_draw_without_training(variational):
    """With `training=False` the generator stands still, so that inference changes nothing."""
    wrapper = make_variational() if variational else DropoutWrapper(Passes(), 0.5, seed=1)
    before = wrapper.seed_generator.state.numpy()
    run(wrapper, training=False)
    np.testing.assert_array_equal(wrapper.seed_generator.state.numpy(), before)


def test_attention_around_dropout():
    """`training` reaches a wrapper inside an attention cell."""
    cell = AttentionCellWrapper(DropoutWrapper(GRUCell(UNITS), state_keep_prob=0.5, seed=1), 2)
    zeros = cell.zero_state(4, tf.float32)
    _, (kept, _, _) = cell(tf.ones([4, 3]), zeros, training=False)
    _, (dropped, _, _) = cell(tf.ones([4, 3]), zeros)
    assert fraction_kept(kept) == 1
    assert fraction_kept(dropped) < 1


@EAGER_AND_GRAPH
def test_variational_masks_where_the_filter_passes_over_a_part(in_graph):
    """Each part of the state keeps its own mask: sizes differ here."""

    def keep_lstms(state):
        return not isinstance(state, LSTMStateTuple)

    stack = MultiRNNCell([LSTMCell(8), GRUCell(UNITS)])
    wrapper = DropoutWrapper(
        stack,
        state_keep_prob=0.5,
        variational_recurrent=True,
        dtype=tf.float32,
        dropout_state_filter_visitor=keep_lstms,
    )

    def call():
        return dynamic_rnn(wrapper, tf.ones([2, 5, 3]), dtype=tf.float32)[1]

    lstm, gru = traced(call, in_graph)()
    for leaf in lstm:
        assert fraction_kept(leaf) == 1
    assert 0 < fraction_kept(gru) < 1
    np.testing.assert_array_equal(gru[0] != 0, gru[1] != 0)  # one mask for all rows


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@EAGER_AND_GRAPH
def test_variational_masks_of_a_mixed_cell(policy, in_graph):
    """TF1's `dtype` is that of the masks; the cell's policy holds for the wrapper too."""
    cell = GRUCell(UNITS, dtype=policy)
    wrapper = DropoutWrapper(
        cell, 0.5, 0.5, 0.5, variational_recurrent=True, input_size=3, dtype=tf.float32
    )

    def call():
        return dynamic_rnn(wrapper, tf.ones([2, 5, 3]), dtype=tf.float32)

    outputs, state = traced(call, in_graph)()
    assert outputs.dtype == state.dtype == policy.split("_")[1]
    assert {variable.dtype for variable in cell.trainable_variables} == {"float32"}
    assert 0 < fraction_kept(tf.cast(outputs, tf.float32)) < 1
    again = DropoutWrapper.from_config(wrapper.get_config())
    assert again.compute_dtype == wrapper.compute_dtype


@pytest.mark.parametrize(
    ("input_size", "plain"),
    [
        (tf.TensorShape([3]), 3),
        (tf.TensorShape([2, 3]), tf.TensorShape([2, 3])),
        ([3, tf.TensorShape([2, 3])], [3, tf.TensorShape([2, 3])]),
        ({"rows": tf.TensorShape([2])}, {"rows": 2}),
    ],
    ids=["vector", "matrix", "list", "dict"],
)
def test_sizes_of_inputs_survive_saving(input_size, plain):
    """A configuration in JSON gives masks of the same shapes."""
    wrapper = make_variational(input_keep_prob=0.5, input_size=input_size)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(wrapper)))
    again = keras.saving.deserialize_keras_object(config, custom_objects={"Passes": Passes})
    assert wrapper.input_size == again.input_size == plain
    masks, masks_again = (tf.nest.flatten(one._masks["input"]) for one in (wrapper, again))
    assert [mask.shape for mask in masks_again] == [mask.shape for mask in masks]


def test_a_size_that_is_none():
    """It is refused at construction."""
    with pytest.raises(TypeError, match=r"size='wide', expected an int or a tf.TensorShape"):
        make_variational(input_keep_prob=0.5, input_size="wide")
