"""Cells of users' as TF1's code had them: derived from its cells, or around one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf import DynamicRNN, dynamic_rnn
from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    BasicRNNCell,
    DeviceWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)
from rnn_mnist_tf.rnn_cell.basic import gru_step
from tests.modes import EAGER_AND_GRAPH, traced

INPUTS = tf.ones([2, 5, 3])


class Around(RNNCell):
    """A cell around another one."""

    def __init__(self, cell):
        super().__init__()
        self._inner = cell

    state_size = property(lambda self: self._inner.state_size)
    output_size = property(lambda self: self._inner.output_size)

    def __call__(self, inputs, state, scope=None):
        """TF1's signature."""
        return self._inner(inputs, state, scope)


class AroundWithoutInit(Around):
    """The same without the base's constructor, which in TF1 nothing needs."""

    def __init__(self, cell):
        self._inner = cell


class PlainAround:
    """The same without a base."""

    def __init__(self, cell):
        self._inner = cell

    state_size = property(lambda self: self._inner.state_size)
    output_size = property(lambda self: self._inner.output_size)

    def zero_state(self, batch_size, dtype):
        """The cell's."""
        return self._inner.zero_state(batch_size, dtype)

    def __call__(self, inputs, state, scope=None):
        """TF1's signature."""
        return self._inner(inputs, state, scope)


WRAPPERS = pytest.mark.parametrize("make", [Around, AroundWithoutInit, PlainAround])


def zeros_of(cell, training, in_graph):
    """Returns where the outputs of a run are zero, by each row and step."""
    run = traced(
        lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training)[0], in_graph
    )
    return run().numpy() == 0


@EAGER_AND_GRAPH
@WRAPPERS
@pytest.mark.parametrize(
    "place",
    [
        lambda cell: cell,
        lambda cell: MultiRNNCell([cell]),
        lambda cell: Around(ResidualWrapper(PlainAround(cell), residual_fn=lambda _, y: y)),
    ],
    ids=["alone", "stack", "nested"],
)
def test_training_reaches_the_inside(make, place, in_graph):
    """Of a call that does not take it."""
    cell = place(make(DropoutWrapper(GRUCell(50), output_keep_prob=0.5)))
    assert not zeros_of(cell, False, in_graph).any()
    assert zeros_of(cell, True, in_graph).any()
    assert zeros_of(cell, None, in_graph).any()  # as in TF1


@pytest.mark.parametrize("training", [True, False])
@WRAPPERS
def test_training_within_a_layer(make, training):
    """A layer around says it, unless the loop is told otherwise."""

    cell = make(DropoutWrapper(GRUCell(50), output_keep_prob=0.5))

    class Loop(keras.layers.Layer):
        def call(self, inputs, told, training=None):
            del training
            return dynamic_rnn(cell, inputs, dtype=tf.float32, training=told)[0]

    for told, expected in ((None, training), (True, True), (False, False)):
        outputs = Loop()(INPUTS, told=told, training=training)
        assert (outputs.numpy() == 0).any() == expected


@EAGER_AND_GRAPH
@WRAPPERS
@pytest.mark.parametrize(
    "place",
    [
        lambda cell: cell,
        DropoutWrapper,
        lambda cell: ResidualWrapper(cell, residual_fn=lambda _, y: y),
    ],
    ids=["alone", "dropout", "residual"],
)
def test_masks_of_a_run(make, place, in_graph):
    """Variational masks are one in all steps of a run, and others in the next."""
    inner = DropoutWrapper(
        GRUCell(50), output_keep_prob=0.5, variational_recurrent=True, dtype=tf.float32
    )
    cell = place(make(inner))
    first, second = (zeros_of(cell, None, in_graph) for _ in range(2))
    for dropped in (first, second):
        assert (dropped == dropped[:1, :1]).all()
    assert (first != second).any()


def test_a_constructor_that_does_not_call_the_base_s():
    """Steps, loops, stacks and names do without."""
    inner = GRUCell(4)
    cell = AroundWithoutInit(inner)
    outputs, _ = dynamic_rnn(cell, INPUTS, dtype=tf.float32)
    expected, _ = dynamic_rnn(inner, INPUTS, dtype=tf.float32)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    assert next(iter(cell.tf1_variables())) == "rnn/around_without_init/gru_cell/gates/kernel"
    assert len(cell.trainable_variables) == 4
    stack = MultiRNNCell([AroundWithoutInit(GRUCell(3)), AroundWithoutInit(GRUCell(2))])
    outputs, state = DynamicRNN(stack)(INPUTS)
    assert [leaf.shape[-1] for leaf in state] == [3, 2]


class Copied(GRUCell):
    """TF1's own GRU, with its private names, as a subclass that changes a thing."""

    def build(self, inputs_shape):
        """Makes TF1's variables by TF1's names."""
        rows = inputs_shape[-1] + self._num_units
        self._gates = [
            self.add_variable("gates/kernel", shape=[rows, 2 * self._num_units]),
            self.add_variable(
                "gates/bias",
                shape=[2 * self._num_units],
                initializer=self._bias_initializer or keras.initializers.Ones(),
            ),
        ]
        self._candidate = [
            self.add_variable("candidate/kernel", shape=[rows, self._num_units]),
            self.add_variable("candidate/bias", shape=[self._num_units], initializer="zeros"),
        ]
        self.built = True

    def call(self, inputs, state):
        """The step with the reset gate of ones."""
        weights = map(tf.convert_to_tensor, [*self._gates, *self._candidate])
        output = gru_step(inputs, state, *weights, activation=self._activation)
        return 2 * output, output


def test_a_cell_derived_from_tf1_s():
    """It has its own variables by the names that it gave them."""
    cell = Copied(4)
    outputs, _ = dynamic_rnn(cell, INPUTS, dtype=tf.float32)
    shapes = {name: tuple(one.shape) for name, one in cell.tf1_variables("").items()}
    assert shapes == {
        "copied/gates/kernel": (7, 8),
        "copied/gates/bias": (8,),
        "copied/candidate/kernel": (7, 4),
        "copied/candidate/bias": (4,),
    }
    twin = GRUCell(4)
    twin.build((None, 3))
    twin.set_weights(cell.get_weights())
    np.testing.assert_allclose(
        outputs, 2 * dynamic_rnn(twin, INPUTS, dtype=tf.float32)[0], rtol=1e-5
    )


def test_private_names_of_tf1():
    """They are there to be read, and a subclass may set them."""
    gru, lstm, vanilla = (
        GRUCell(4),
        LSTMCell(4, True, 3.0, num_proj=2, proj_clip=1.0),
        BasicRNNCell(5),
    )
    for cell in (gru, lstm, vanilla):
        cell.build((None, 3))
    assert (gru._num_units, gru._activation, gru._bias_initializer) == (4, gru.activation, None)
    assert gru._gate_kernel is gru.gates_kernel
    assert gru._candidate_bias is gru.candidate_bias
    assert (lstm._use_peepholes, lstm._cell_clip, lstm._num_proj, lstm._proj_clip) == (
        True,
        3,
        2,
        1,
    )
    assert (lstm._forget_bias, lstm._state_is_tuple) == (1.0, True)
    assert lstm._kernel is lstm.kernel
    assert lstm._proj_kernel is lstm.projection_kernel
    assert (vanilla._num_units, vanilla._bias) == (5, vanilla.bias)
    stack = MultiRNNCell([gru, vanilla])
    assert stack._cells[1] is vanilla
    assert AttentionCellWrapper(gru, 2)._cell is gru
    assert ResidualWrapper(gru)._cell is gru
    assert DropoutWrapper(gru, 0.5)._input_keep_prob == 0.5
    with pytest.raises(AttributeError, match="no attribute 'gates_kernel'"):
        assert GRUCell(4)._gate_kernel

    class Derived(BasicLSTMCell):
        def __init__(self, num_units):
            super().__init__(num_units)
            self._num_units = 2 * num_units

    assert (Derived(4)._num_units, Derived(4).num_units) == (8, 4)


class Scaled(keras.initializers.Initializer):
    """An initialiser of a user's, which Keras does not ask for a configuration."""

    def __init__(self, values):
        self.values = values

    def __call__(self, shape, dtype=None, **kwargs):
        """The values."""
        return tf.cast(tf.broadcast_to(self.values, shape), dtype)


class Shifted(keras.initializers.RandomUniform):
    """One derived from Keras's, with an argument more."""

    def __init__(self, shift):
        super().__init__(0.0, 1.0)
        self.shift = shift

    def __call__(self, shape, dtype=None):
        """Moves Keras's numbers."""
        return self.shift + super().__call__(shape, dtype)


def test_initialisers_without_configuration():
    """They keep what they were made with; those of Keras's kind draw for each variable."""
    cell = GRUCell(4, kernel_initializer=Scaled(tf.fill([7, 1], 3.0)))
    cell.build((None, 3))
    assert (cell.gates_kernel.numpy() == 3).all()
    cell = LSTMCell(4, use_peepholes=True, initializer=Shifted(10.0))
    cell.build((None, 3))
    first, second = cell.w_f_diag.numpy(), cell.w_i_diag.numpy()
    assert (first >= 10).all()
    assert (first != second).any()


class Zoneout(RNNCell):
    """A user's cell without a configuration of its own."""

    def __init__(self, num_units=4, zoneout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_units, self.zoneout = num_units, zoneout

    state_size = output_size = property(lambda self: self.num_units)

    def call(self, inputs, state):
        """Counts up by what the constructor was given."""
        return state + self.zoneout, state + self.zoneout


class Brief(Zoneout):
    """One whose constructor takes its own argument alone."""

    def __init__(self, zoneout):
        super().__init__(3, zoneout)


@pytest.mark.parametrize("make", [lambda: Zoneout(zoneout=0.25), lambda: Brief(0.25)])
def test_arguments_are_saved(make, tmp_path):
    """As Keras saves those of any layer whose arguments are numbers and texts."""
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, DynamicRNN(make(), return_state=False)(inputs))
    model.save(tmp_path / "model.keras")
    kinds = {kind.__name__: kind for kind in (Zoneout, Brief)}
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects=kinds)
    np.testing.assert_array_equal(loaded(INPUTS), model(INPUTS))
    assert loaded(INPUTS).numpy().max() == 1.25


def test_a_dtype_of_tensorflow_is_saved():
    """As its name."""
    config = Zoneout(zoneout=0.25, dtype=tf.float64).get_config()
    assert (config["zoneout"], Zoneout.from_config(config).compute_dtype) == (0.25, "float64")


def test_arguments_that_cannot_be_saved():
    """Are an error where the cell is saved, not where it is loaded."""
    with pytest.raises(NotImplementedError, match="implement `get_config"):
        keras.saving.serialize_keras_object(Zoneout(zoneout=tf.constant(0.25)))


class Bare(keras.layers.Layer):
    """A cell as Keras's guide writes it: one size, and the state in a list."""

    def __init__(self, units):
        super().__init__()
        self.state_size = self.output_size = units

    def get_initial_state(self, batch_size=None):
        """Returns ones."""
        return [tf.ones([batch_size, self.state_size])]

    def call(self, inputs, states):
        """Adds."""
        return states[0] + inputs, [states[0] + inputs]


class BareOfTF1(Bare):
    """The same as a layer with TF1's contract, which has its state as it is."""

    def zero_state(self, batch_size, dtype):
        """Returns ones."""
        return tf.ones([batch_size, self.state_size], dtype)

    def call(self, inputs, state):
        """Adds."""
        return state + inputs, state + inputs


@EAGER_AND_GRAPH
@pytest.mark.parametrize("training", [None, False])
@pytest.mark.parametrize("kind", [Bare, BareOfTF1])
def test_a_bare_state_of_a_layer(kind, training, in_graph):
    """Keras's contract has it in a list, and the loop gives it back bare."""

    def run(cell):
        return traced(
            lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32, training=training), in_graph
        )()

    outputs, state = run(kind(3))
    np.testing.assert_array_equal(outputs[0], np.arange(2, 7)[:, None] * np.ones([5, 3]))
    np.testing.assert_array_equal(state, np.full([2, 3], 6.0))
    _, (state, _) = run(MultiRNNCell([kind(3), DropoutWrapper(kind(3))]))
    np.testing.assert_array_equal(state, np.full([2, 3], 6.0))


@EAGER_AND_GRAPH
def test_device(in_graph):
    """Steps, states and variables are the inner cell's, placed where the wrapper says."""
    inner = GRUCell(4)
    cell = DeviceWrapper(inner, "/cpu:0")
    outputs, _ = traced(lambda: dynamic_rnn(cell, INPUTS, dtype=tf.float32), in_graph)()
    expected, _ = dynamic_rnn(inner, INPUTS, dtype=tf.float32)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    assert next(iter(cell.tf1_variables())) == "rnn/gru_cell/gates/kernel"
    graph = tf.Graph()
    with graph.as_default():
        step = DeviceWrapper(BasicRNNCell(2, name="cell"), "/device:CPU:7")
        output, _ = step(tf.ones([1, 3]), step.zero_state(1, tf.float32))
        assert step.zero_state(1, tf.float32).device.endswith("CPU:7")
    assert output.device.endswith("CPU:7")


def test_device_is_saved():
    """A text is part of the configuration."""
    config = keras.saving.serialize_keras_object(DeviceWrapper(GRUCell(4), "/cpu:0"))
    cell = keras.saving.deserialize_keras_object(config)
    assert (cell.device, cell.cell.num_units) == ("/cpu:0", 4)


class OfKeras2(Bare):
    """The same with Keras 2's signature."""

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Returns ones, in a list."""
        return [tf.ones([batch_size, self.state_size], dtype or tf.float32)]


class OfNumPy:
    """A plain cell whose start NumPy makes."""

    state_size = output_size = 3

    def zero_state(self, batch_size, dtype):
        """Returns ones."""
        return np.ones([batch_size, 3], tf.as_dtype(dtype).as_numpy_dtype)

    def __call__(self, inputs, state):
        """Adds."""
        return state + inputs, state + inputs


@EAGER_AND_GRAPH
@pytest.mark.parametrize("lengths", [None, [5, 2]])
@pytest.mark.parametrize("kind", [lambda: OfKeras2(3), OfNumPy])
def test_starts_of_other_forms(kind, lengths, in_graph):
    """A bare state in a list by Keras 2's signature, and arrays."""
    _, state = traced(lambda: dynamic_rnn(kind(), INPUTS, lengths, dtype=tf.float32), in_graph)()
    expected = np.array([[6.0], [6.0 if lengths is None else 3.0]])
    np.testing.assert_array_equal(state, expected * np.ones([2, 3]))
