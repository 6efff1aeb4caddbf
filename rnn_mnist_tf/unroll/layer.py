"""`DynamicRNN`: the loop as a Keras layer, for functional models and for saving."""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import PACKAGE, RNNCell
from rnn_mnist_tf.rnn_cell.inner import build_inner, serialize_cell, with_cell
from rnn_mnist_tf.unroll.dynamic import IMPLEMENTATIONS, check_cell, dynamic_rnn
from rnn_mnist_tf.unroll.sequence import lengths_of_mask


@keras.saving.register_keras_serializable(PACKAGE)
class DynamicRNN(keras.layers.Layer):
    """`dynamic_rnn` around a cell, as a Keras layer: `outputs, state = layer(inputs)`.

    Args:
        cell: an `RNNCell`.
        time_major: whether the time axis comes first, in inputs and outputs.
        return_state: whether the call gives `(outputs, state)` or the outputs alone.
        implementation: see `dynamic_rnn`.
        scope: see `dynamic_rnn`. Two layers that are the halves of a bidirectional loop have TF1's
            names with `bidirectional_rnn/fw` and `bidirectional_rnn/bw`.

    Call arguments:
        inputs: `[batch, time, input_size]`, or `[time, batch, input_size]` if `time_major`.
        sequence_length: None or whole numbers `[batch]`.
        initial_state: None or a nest of tensors; lists and tuples with the right leaves are
            repacked as `cell.state_size`.
        training: Keras's; None means False, so that here dropout is off unless training.
        mask, inputs_mask: Keras's, of the layer before, in place of `sequence_length`; padding has
            to be at the end of each row. Keras gives the second where there are more tensors. After
            a row's end outputs are zero, and masked too.

    A cell in two layers of a saved model is one again where it is loaded. But Keras's `clone_model`
    copies layer by layer, and gives each its own.

    Raises:
        TypeError: `cell` is not a cell.
        ValueError: an unknown implementation; see also `dynamic_rnn`.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell, MultiRNNCell
    >>> inputs = keras.Input((28, 28))
    >>> outputs, state = DynamicRNN(MultiRNNCell([GRUCell(8), GRUCell(4)]))(inputs)
    >>> outputs.shape, [leaf.shape for leaf in state]
    ((None, 28, 4), [(None, 8), (None, 4)])
    """

    def __init__(
        self,
        cell,
        time_major=False,
        return_state=True,
        implementation="auto",
        scope=None,
        **kwargs,
    ):
        cell = check_cell(cell)
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(
                f"Received implementation={implementation!r}, expected one of {IMPLEMENTATIONS}."
            )
        super().__init__(**kwargs)
        self.cell = cell
        self.time_major = bool(time_major)
        self.return_state = bool(return_state)
        self.implementation = implementation
        self.scope = getattr(scope, "name", scope)
        self.supports_masking = True

    def build(self, inputs_shape):
        """Builds the cell for one step of the inputs."""
        if isinstance(self.cell, RNNCell):
            self.cell.adopt_dtype(self.dtype_policy)
            self.cell.set_scope(self.scope)
        build_inner(self.cell, self._step_shape(inputs_shape))

    def _step_shape(self, shape):
        """The shape of one step's inputs, nested like `shape`."""
        return nest.map_shapes(
            lambda one: (one[1] if self.time_major else one[0], *one[2:]),
            shape,
        )

    def compute_output_shape(self, inputs_shape):
        """Returns the shapes of `(outputs, state)`, or of the outputs alone."""
        first = nest.first_shape(inputs_shape)
        batch = first[1 if self.time_major else 0]
        outputs = nest.sizes_to_shapes(self.cell.output_size, *first[:2])
        state = nest.sizes_to_shapes(self.cell.state_size, batch)
        return (outputs, state) if self.return_state else outputs

    def compute_output_spec(self, *args, **kwargs):
        """Returns shapes and dtypes of what `call` gives, by tracing it."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def compute_mask(self, inputs, previous_mask):
        """Returns the inputs' mask for the outputs; none for the state."""
        del inputs
        mask = _find_mask(previous_mask)
        masks = tf.nest.map_structure(lambda _: mask, self.cell.output_size)
        if not self.return_state:
            return masks
        return masks, tf.nest.map_structure(lambda _: None, self.cell.state_size)

    def __call__(self, inputs, *arguments, **options):
        """Runs the layer; lengths become whole first, as Keras would cut them to half precision."""
        if arguments:
            arguments = (_whole(arguments[0]), *arguments[1:])
        if "sequence_length" in options:
            options["sequence_length"] = _whole(options["sequence_length"])
        return super().__call__(inputs, *arguments, **options)

    def call(
        self,
        inputs,
        sequence_length=None,
        initial_state=None,
        training=None,
        mask=None,
        inputs_mask=None,
    ):
        """Runs `dynamic_rnn`."""
        mask = _find_mask((mask, inputs_mask))
        if sequence_length is None and mask is not None:
            self.supports_jit = False  # `lengths_of_mask` says why
            sequence_length = lengths_of_mask(mask, self.time_major)
        if initial_state is not None:
            leaves = tf.nest.flatten(initial_state)
            if len(leaves) != len(tf.nest.flatten(self.cell.state_size)):
                raise ValueError(
                    f"Received initial_state {nest.describe(initial_state)}, expected the leaves "
                    f"of state_size={self.cell.state_size}."
                )
            initial_state = tf.nest.pack_sequence_as(self.cell.state_size, leaves)
        outputs, state = dynamic_rnn(
            self.cell,
            inputs,
            sequence_length,
            initial_state,
            dtype=self.compute_dtype,
            time_major=self.time_major,
            training=bool(training) if training is None else training,
            scope=self.scope,
            implementation=self.implementation,
        )
        return (outputs, state) if self.return_state else outputs

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "cell": serialize_cell(self.cell),
            "time_major": self.time_major,
            "return_state": self.return_state,
            "implementation": self.implementation,
            "scope": self.scope,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the layer that `get_config` described."""
        return cls(**with_cell(config, custom_objects))


def _whole(lengths):
    """Lengths of floating point as int32, and any others as they are."""
    dtype = keras.backend.standardize_dtype(getattr(lengths, "dtype", "int32"))
    return keras.ops.cast(lengths, "int32") if keras.backend.is_float_dtype(dtype) else lengths


def _find_mask(masks):
    """The first mask of a nest, in which None stands for inputs without one."""
    return next((mask for mask in tf.nest.flatten(masks) if mask is not None), None)
