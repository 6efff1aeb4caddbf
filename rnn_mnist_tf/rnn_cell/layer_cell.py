"""The base of the cells over matrices, which check what each step is given."""

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import RNNCell
from rnn_mnist_tf.rnn_cell.checks import check_floating


class LayerRNNCell(RNNCell):
    """A cell over matrices: inputs and states are `[batch, size]` and floating point.

    The base of this package's own cells; it checks what each step is given.

    Raises:
        ValueError: integer inputs or states; inputs that are not a matrix; a state of another
            rank, size or batch. Messages name the leaf's path.

    Source: `LayerRNNCell` in `tensorflow/python/ops/rnn_cell_impl.py` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> issubclass(GRUCell, LayerRNNCell)
    True
    """

    def check_step(self, inputs, state, name="state"):
        """Raises `ValueError` for inputs or a state that the cell cannot take."""
        first = tf.nest.flatten(inputs)[0]
        shape = tf.TensorShape(first.shape)  # a Keras tensor has a tuple
        check_floating(first, "inputs")
        if shape.rank not in (None, 2):
            raise ValueError(
                f"Received inputs of shape {shape}, expected [batch, input_size]. "
                "A cell takes one step; for a sequence use rnn_mnist_tf.dynamic_rnn."
            )
        # Nested inputs have a depth for each part, of which a cell of a user's makes what it wants.
        depth = None if tf.nest.is_nested(inputs) or not shape.rank else shape[-1]
        if self.built and None not in (depth, self._built_depth) and depth != self._built_depth:
            raise ValueError(
                f"Received inputs of {depth} features for {self.name}, expected "
                f"{self._built_depth}, for which it was built. Make a cell for each layer, and for "
                "each kind of inputs."
            )
        sizes = tf.nest.flatten(self.state_size)
        leaves = tf.nest.flatten(state)
        for path, size, leaf in zip(nest.paths(self.state_size, name), sizes, leaves):
            check_floating(leaf, path)
            expected = tf.TensorShape([shape[0] if shape.rank else None])
            expected = expected.concatenate(nest.size_to_shape(size))
            if not expected.is_compatible_with(leaf.shape):
                raise ValueError(
                    f"Received {path} of shape {tf.TensorShape(leaf.shape)}, expected {expected} "
                    "([batch of the inputs, size])."
                )
