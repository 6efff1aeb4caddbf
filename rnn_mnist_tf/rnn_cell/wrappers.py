"""Cells around a cell: the residual connection, the device."""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import PACKAGE, RNNCell
from rnn_mnist_tf.rnn_cell.checks import assert_like_rnncell
from rnn_mnist_tf.rnn_cell.inner import (
    build_inner,
    call_cell,
    named_variables_of,
    run_scope_of,
    serialize_cell,
    step_output_shape_of,
    with_cell,
    zero_state_of,
)
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes


@tf1_attributes("cell")
class CellWrapper(RNNCell):
    """A cell around one other cell: sizes, states and variables are the inner one's.

    Args:
        cell: the inner cell.
        name: of the Keras layer; TF1 gives wrappers no scope.
        dtype: see `RNNCell`.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> CellWrapper(GRUCell(4)).state_size
    4
    """

    def __init__(self, cell, name=None, dtype=None, **kwargs):
        assert_like_rnncell(cell)
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.cell = as_rnn_cell(cell)

    @property
    def wrapped_cell(self):
        """The inner cell."""
        return self.cell

    @property
    def wrapped_cells(self):
        """The inner cell, in a list."""
        return [self.cell]

    @property
    def state_size(self):
        """The inner cell's."""
        return self.cell.state_size

    @property
    def output_size(self):
        """The inner cell's."""
        return self.cell.output_size

    def zero_state(self, batch_size, dtype):
        """Returns the inner cell's."""
        return zero_state_of(self.cell, batch_size, dtype)

    def run_scope(self, batch_size, inputs_shape, training=None):
        """Surrounds one run of a loop: the inner cell's own."""
        return run_scope_of(self.cell, batch_size, inputs_shape, training)

    def check_step(self, inputs, state, name="state"):
        """Raises `ValueError` for what the inner cell cannot take."""
        if isinstance(self.cell, RNNCell):
            self.cell.check_step(inputs, state, name)

    def build(self, inputs_shape):
        """Builds the inner cell."""
        build_inner(self.cell, inputs_shape)

    def step_output_shape(self, inputs_shape):
        """Returns the inner cell's."""
        if type(self).output_size is not CellWrapper.output_size:
            return super().step_output_shape(inputs_shape)
        return step_output_shape_of(self.cell, inputs_shape)

    def take_scope(self, scope):
        """Names the inner cell's variables, as TF1 hands the scope of a step on to it."""
        if isinstance(self.cell, RNNCell):
            self.cell.take_scope(scope)

    def tf1_named_variables(self):
        """Returns the inner cell's."""
        return named_variables_of(self.cell)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "cell": serialize_cell(self.cell)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapper that `get_config` described."""
        return cls(**with_cell(config, custom_objects))


@keras.saving.register_keras_serializable(PACKAGE)
class ResidualWrapper(CellWrapper):
    """Adds a cell's inputs to its output: `y' = x + y`; the state stays the inner cell's.

    Args:
        cell: the inner cell; its output has the inputs' structure and sizes.
        residual_fn: None, or a function `(inputs, outputs) -> outputs` in place of the sum.
        name: of the Keras layer.
        dtype: see `RNNCell`.

    Raises:
        TypeError: not a cell.
        ValueError: inputs and outputs of different structure or shape.

    Source: `tf.nn.rnn_cell.ResidualWrapper` of TensorFlow 1; https://arxiv.org/abs/1609.08144.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> output, state = ResidualWrapper(GRUCell(3))(tf.ones([1, 3]), tf.zeros([1, 3]))
    >>> bool(tf.reduce_all(output == 1 + state))
    True
    """

    def __init__(self, cell, residual_fn=None, name=None, dtype=None, **kwargs):
        super().__init__(cell, name=name, dtype=dtype, **kwargs)
        self.residual_fn = residual_fn

    def call(self, inputs, state, training=None):
        """Runs the inner cell and adds its inputs."""
        output, new_state = call_cell(self.cell, inputs, state, training)
        return (self.residual_fn or _add)(inputs, output), new_state

    def step_output_shape(self, inputs_shape):
        """Returns the inner cell's, or what `residual_fn`, traced once, makes of it."""
        output_shape = super().step_output_shape(inputs_shape)
        if self.residual_fn is None:
            return output_shape
        shapes = inputs_shape, output_shape
        known = self.__dict__.setdefault("_shapes_of_residual", {})
        if str(shapes) not in known:
            specs = nest.map_shapes(lambda one: tf.TensorSpec(one, self.compute_dtype), shapes)
            traced = tf.function(self.residual_fn, autograph=False).get_concrete_function(*specs)
            outputs = traced.structured_outputs
            known[str(shapes)] = tf.nest.map_structure(lambda one: tuple(one.shape), outputs)
        return known[str(shapes)]

    def get_config(self):
        """Returns the constructor's arguments."""
        residual_fn = self.residual_fn
        return {
            **super().get_config(),
            "residual_fn": residual_fn and keras.saving.serialize_keras_object(residual_fn),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapper that `get_config` described."""
        residual_fn = config["residual_fn"]
        if residual_fn is not None:
            residual_fn = keras.saving.deserialize_keras_object(
                residual_fn, custom_objects=custom_objects
            )
        return super().from_config({**config, "residual_fn": residual_fn}, custom_objects)


@keras.saving.register_keras_serializable(PACKAGE)
class DeviceWrapper(CellWrapper):
    """Places a cell's variables, its steps and its zero states on a device.

    Args:
        cell: the inner cell.
        device: what `tf.device` takes, such as `/cpu:0`; to be saved, a text.
        name: of the Keras layer.
        dtype: see `RNNCell`.

    Raises:
        TypeError: not a cell.

    Source: `tf.nn.rnn_cell.DeviceWrapper` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> output, state = DeviceWrapper(GRUCell(4), "/cpu:0")(tf.ones([1, 3]), tf.zeros([1, 4]))
    >>> output.device.split("/")[-1]
    'device:CPU:0'
    """

    def __init__(self, cell, device, name=None, dtype=None, **kwargs):
        super().__init__(cell, name=name, dtype=dtype, **kwargs)
        self.device = device

    def zero_state(self, batch_size, dtype):
        """Returns the inner cell's, on the device."""
        with tf.device(self.device):
            return super().zero_state(batch_size, dtype)

    def build(self, inputs_shape):
        """Builds the inner cell on the device."""
        with tf.device(self.device):
            super().build(inputs_shape)

    def call(self, inputs, state, training=None):
        """Runs the inner cell on the device."""
        with tf.device(self.device):
            return call_cell(self.cell, inputs, state, training)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "device": self.device}


def _add(inputs, output):
    tf.nest.assert_same_structure(inputs, output)

    def add(x, y):
        if not x.shape.is_compatible_with(y.shape):
            raise ValueError(
                f"Received inputs of shape {x.shape} and outputs of shape {y.shape}, expected one "
                "shape for a residual sum. Set num_units to the size of the inputs, or pass "
                "residual_fn."
            )
        return x + y

    return tf.nest.map_structure(add, inputs, output)
