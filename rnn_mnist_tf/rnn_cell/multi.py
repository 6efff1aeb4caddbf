"""A stack of cells."""

import contextlib
import warnings

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
    track_for_checkpoints,
    zero_state_of,
)
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes
from rnn_mnist_tf.rnn_cell.tf1_names import snake_case


@tf1_attributes("cells", "state_is_tuple")
@keras.saving.register_keras_serializable(PACKAGE)
class MultiRNNCell(RNNCell):
    """A stack of cells: the output of each is the input of the next.

    State: the tuple of the cells' states, or with `state_is_tuple=False` all side by side in one
    tensor, in the order of the layers. The output is the last cell's.

    Args:
        cells: a list or tuple of cells. The same object twice shares its variables, with a
            warning.
        state_is_tuple: whether the state is a tuple.
        name: of the Keras layer; TF1's scope is `multi_rnn_cell`, or the `scope` of a step.
        dtype: see `RNNCell`.

    Raises:
        TypeError: `cells` is not a list or tuple, or holds something that is not a cell.
        ValueError: no cells; a cell with a tuple state under `state_is_tuple=False`.

    Source: `tf.nn.rnn_cell.MultiRNNCell` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
    >>> MultiRNNCell([BasicLSTMCell(100) for _ in range(2)]).state_size
    (LSTMStateTuple(c=100, h=100), LSTMStateTuple(c=100, h=100))
    """

    def __init__(self, cells, state_is_tuple=True, name=None, dtype=None, **kwargs):
        if not isinstance(cells, (list, tuple)):
            raise TypeError(
                f"Received cells={cells!r} ({type(cells).__name__}), expected a list or tuple of "
                "cells. For one cell pass [cell]."
            )
        if not cells:
            raise ValueError(
                f"Must specify at least one cell for MultiRNNCell. Received cells={cells!r}."
            )
        for index, cell in enumerate(cells):
            assert_like_rnncell(cell, f"cells[{index}]")
            if not state_is_tuple and tf.nest.is_nested(cell.state_size):
                raise ValueError(
                    "Some cells return tuples of states, but the flag state_is_tuple is not set. "
                    f"Received cells[{index}] with state_size={cell.state_size}, expected a bare "
                    "size; pass state_is_tuple=False to that cell too."
                )
        if len({id(cell) for cell in cells}) < len(cells):
            warnings.warn(
                "At least two cells provided to MultiRNNCell are the same object and will share "
                "weights.",
                stacklevel=2,
            )
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.cells = [as_rnn_cell(cell) for cell in cells]
        track_for_checkpoints(self, self.cells)
        self.state_is_tuple = bool(state_is_tuple)

    @property
    def wrapped_cells(self):
        """The cells, first layer first."""
        return list(self.cells)

    @property
    def state_size(self):
        """The tuple of the cells' state sizes, or their sum."""
        sizes = tuple(cell.state_size for cell in self.cells)
        return sizes if self.state_is_tuple else sum(sizes)

    @property
    def output_size(self):
        """The last cell's."""
        return self.cells[-1].output_size

    def zero_state(self, batch_size, dtype):
        """Returns the tuple of the cells' own zero states."""
        if not self.state_is_tuple:
            return super().zero_state(batch_size, dtype)
        return tuple(zero_state_of(cell, batch_size, dtype) for cell in self.cells)

    def build(self, inputs_shape):
        """Builds each cell for the output of the one before."""
        for cell in self.cells:
            build_inner(cell, inputs_shape)
            inputs_shape = step_output_shape_of(cell, inputs_shape)

    @contextlib.contextmanager
    def run_scope(self, batch_size, inputs_shape, training=None):
        """Surrounds one run: each cell's own, with the shape of its own inputs."""
        with contextlib.ExitStack() as stack:
            for cell in self.cells:
                stack.enter_context(run_scope_of(cell, batch_size, inputs_shape, training))
                inputs_shape = step_output_shape_of(cell, inputs_shape)
            yield

    def check_step(self, inputs, state, name="state"):
        """Raises `ValueError` for what one of the cells cannot take."""
        if not self.state_is_tuple:
            return
        dtype = tf.as_dtype(tf.nest.flatten(inputs)[0].dtype)
        if not dtype.is_floating:
            dtype = tf.as_dtype(self.compute_dtype)  # of what a cell that takes ids gives on
        shape = tf.nest.map_structure(_static_shape, inputs)
        for index, (cell, cell_state) in enumerate(zip(self.cells, state)):
            if isinstance(cell, RNNCell):
                cell.check_step(inputs, cell_state, f"{name}[{index}]")
            shape = step_output_shape_of(cell, shape)
            inputs = nest.map_shapes(lambda one: tf.TensorSpec(one, dtype), shape)

    def call(self, inputs, state, training=None):
        """Runs the cells in turn."""
        if self.state_is_tuple:
            states = state
        else:
            states = tf.split(state, [cell.state_size for cell in self.cells], axis=1)
        output, new_states = inputs, []
        for cell, cell_state in zip(self.cells, states):
            output, new_state = call_cell(cell, output, cell_state, training)
            new_states.append(new_state)
        return output, tuple(new_states) if self.state_is_tuple else tf.concat(new_states, 1)

    def step_output_shape(self, inputs_shape):
        """Returns the last cell's."""
        for cell in self.cells:
            inputs_shape = step_output_shape_of(cell, inputs_shape)
        return inputs_shape

    @property
    def tf1_scope(self):
        """See `RNNCell.tf1_scope`; the layer's name has no part in it."""
        return snake_case(type(self).__name__) if self._own_scope is None else self._own_scope

    def tf1_named_variables(self):
        """See `RNNCell.tf1_named_variables`."""
        return [
            (f"{self.tf1_scope}/cell_{index}/{name}", variable)
            for index, cell in enumerate(self.cells)
            for name, variable in named_variables_of(cell)
        ]

    def get_config(self):
        """Returns the constructor's arguments, and which cells are the same object."""
        identities = [id(cell) for cell in self.cells]
        return {
            **super().get_config(),
            "first_use": [identities.index(identity) for identity in identities],
            "cells": [serialize_cell(cell) for cell in self.cells],
            "state_is_tuple": self.state_is_tuple,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the stack that `get_config` described."""
        cells = [
            keras.saving.deserialize_keras_object(cell, custom_objects=custom_objects)
            for cell in config["cells"]
        ]
        config = {**config, "cells": [cells[index] for index in config["first_use"]]}
        del config["first_use"]
        return cls(**config)


def _static_shape(tensor):
    return tuple(tensor.shape) if tf.TensorShape(tensor.shape).rank else (None,)
