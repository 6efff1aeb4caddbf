"""Keras's own cells with TF1's structures."""

import contextlib
import re

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import PACKAGE, RNNCell
from rnn_mnist_tf.rnn_cell.checks import serialize_activation
from rnn_mnist_tf.rnn_cell.inner import (
    build_inner,
    call_cell,
    initial_state_of,
    run_scope_of,
    serialize_cell,
    track_for_checkpoints,
    with_cell,
    zero_state_of,
)
from rnn_mnist_tf.rnn_cell.lstm_state import LSTMStateTuple
from rnn_mnist_tf.rnn_cell.tf1_names import snake_case


def as_rnn_cell(cell):
    """Returns a Keras cell as a `KerasCell`, and any other cell as it is, its constructor done.

    >>> as_rnn_cell(keras.layers.LSTMCell(4)).state_size
    LSTMStateTuple(c=4, h=4)
    """
    if isinstance(cell, RNNCell):
        cell.finish_init()
    return KerasCell(cell) if _has_state_of_keras(cell) else cell


def _has_state_of_keras(cell):
    """Whether a cell is one of Keras's, or derived from one and has the state that it had."""
    if isinstance(cell, keras.layers.StackedRNNCells):
        return True
    if not isinstance(cell, KerasCell.TAKEN):
        return False
    parts = 2 if isinstance(cell, keras.layers.LSTMCell) else 1
    return tf.nest.flatten(cell.state_size) == [cell.units] * parts


def _named(layer):
    """The variables of a layer of a stack, which may be a user's cell."""
    if isinstance(layer, RNNCell):
        return layer.tf1_named_variables()
    return [(f"{_uncounted(layer)}/{variable.name}", variable) for variable in layer.weights]


def _uncounted(cell):
    """A Keras cell's name without the number that Keras gives: `lstm_cell_2` is `lstm_cell`."""
    own = snake_case(type(cell).__name__)
    return own if re.fullmatch(rf"{own}(_\d+)?", cell.name) else cell.name


@keras.saving.register_keras_serializable(PACKAGE)
class KerasCell(RNNCell):
    """A Keras cell whose states have TF1's structure.

    | Keras                       | its state       | the state here               |
    |-----------------------------|-----------------|------------------------------|
    | `SimpleRNNCell`, `GRUCell`  | `[h]`           | `h`                          |
    | `LSTMCell`                  | `[h, c]`        | `LSTMStateTuple(c, h)`       |
    | `StackedRNNCells`           | a list of these | the tuple of its cells'      |

    The loops make one on their own. Dropout is Keras's: on in training, one mask a run. Other cells
    of a stack, this package's or a user's, are run as they are.

    Args:
        cell: a `keras.layers.SimpleRNNCell`, `GRUCell`, `LSTMCell` or `StackedRNNCells`.

    Raises:
        TypeError: another cell.

    >>> cell = KerasCell(keras.layers.LSTMCell(4))
    >>> output, state = cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
    >>> bool(tf.reduce_all(output == state.h))
    True
    """

    TAKEN = (
        keras.layers.SimpleRNNCell,
        keras.layers.GRUCell,
        keras.layers.LSTMCell,
        keras.layers.StackedRNNCells,
    )

    def __init__(self, cell, name=None, dtype=None, **kwargs):
        if not isinstance(cell, self.TAKEN):
            raise TypeError(
                f"Received cell={cell!r}, expected one of "
                f"{', '.join(kind.__name__ for kind in self.TAKEN)} of keras.layers."
            )
        super().__init__(name=name, dtype=cell.dtype_policy if dtype is None else dtype, **kwargs)
        self.cell = cell
        self._in_run = False
        self.built = cell.built
        # A stack is run cell by cell, as Keras's own call loses the structure of a stack of one.
        # Past Keras's bookkeeping, which has the cells already.
        layers = None
        if isinstance(cell, keras.layers.StackedRNNCells):
            track_for_checkpoints(self, cell.cells)
            layers = [as_rnn_cell(inner) for inner in cell.cells]
        self.__dict__["_layers_of_stack"] = layers

    @property
    def state_size(self):
        """The sizes in TF1's structure."""
        if self._layers_of_stack is not None:
            return tuple(layer.state_size for layer in self._layers_of_stack)
        if isinstance(self.cell, keras.layers.LSTMCell):
            return LSTMStateTuple(self.cell.units, self.cell.units)
        return self.cell.units

    @property
    def output_size(self):
        """The Keras cell's."""
        return self.cell.output_size

    def zero_state(self, batch_size, dtype):
        """Returns the Keras cell's start: zeros, if it is not a user's. Of a stack its cells'."""
        if self._layers_of_stack is not None:
            return tuple(zero_state_of(layer, batch_size, dtype) for layer in self._layers_of_stack)
        start = initial_state_of(self.cell, batch_size, dtype)
        if isinstance(self.cell, keras.layers.LSTMCell):
            h, c = start
            return LSTMStateTuple(c, h)
        return tf.nest.flatten(start)[0]

    def build(self, inputs_shape):
        """Builds the Keras cell."""
        build_inner(self.cell, inputs_shape)

    def call(self, inputs, state, training=None):
        """Runs the Keras cell on `[h, c]` or `[h]`."""
        if self._layers_of_stack is not None:
            output, states = inputs, []
            for layer, layer_state in zip(self._layers_of_stack, state):
                output, new_state = call_cell(layer, output, layer_state, training)
                states.append(new_state)
            return output, tuple(states)
        training = bool(training)
        if not self._in_run:
            self._forget_masks()
        if isinstance(self.cell, keras.layers.LSTMCell):
            output, (h, c) = self.cell(inputs, [state.h, state.c], training=training)
            return output, LSTMStateTuple(c, h)
        output, new_state = self.cell(inputs, [state], training=training)
        return output, new_state[0] if isinstance(new_state, (list, tuple)) else new_state

    @contextlib.contextmanager
    def run_scope(self, batch_size, inputs_shape, training=None):
        """Draws Keras's dropout masks before the loop, which could not keep what it draws."""
        if self._layers_of_stack is not None:
            with contextlib.ExitStack() as stack:
                for layer in self._layers_of_stack:
                    stack.enter_context(run_scope_of(layer, batch_size, inputs_shape, training))
                    inputs_shape = (inputs_shape[0], getattr(layer, "output_size", None))
                yield
            return
        cell = self.cell
        # A cell of a user's, around this one, may give it other inputs than its own.
        depth = cell.kernel.shape[0] if cell.built else inputs_shape[-1]
        inputs = tf.zeros([batch_size, depth], self.compute_dtype)
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(tf.zeros([batch_size, cell.units], self.compute_dtype))
        self._in_run = True
        try:
            yield
        finally:
            self._in_run = False
            self._forget_masks()

    def _forget_masks(self):
        self.cell.reset_dropout_mask()
        self.cell.reset_recurrent_dropout_mask()

    def tf1_named_variables(self):
        """Returns the Keras cell's variables under their own names; TF1 has none for them.

        The name that was given to this cell stands before them, or the Keras cell's, without a
        number behind its class: Keras counts the cells of a process, and a name has to be the same
        in the next one.
        """
        scope = self.tf1_scope if self._has_own_name else _uncounted(self.cell)
        if self._layers_of_stack is None:
            return [(f"{scope}/{variable.name}", variable) for variable in self.cell.weights]
        return [
            (f"{scope}/cell_{index}/{name}", variable)
            for index, layer in enumerate(self._layers_of_stack)
            for name, variable in _named(layer)
        ]

    def get_config(self):
        """Returns the constructor's arguments."""
        for cell in getattr(self.cell, "cells", [self.cell]):
            for name in ("activation", "recurrent_activation"):
                if hasattr(cell, name):
                    serialize_activation(getattr(cell, name))  # raises where Keras does not
        return {**super().get_config(), "cell": serialize_cell(self.cell)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the cell that `get_config` described."""
        return cls(**with_cell(config, custom_objects))
