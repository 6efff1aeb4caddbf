"""What a loop is given, checked: inputs, lengths, the state to start from."""

import functools
import typing

import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import RNNCell, is_mixed
from rnn_mnist_tf.rnn_cell.inner import cast_floating, initial_state_of
from rnn_mnist_tf.unroll.loop import in_xla


class Sequence(typing.NamedTuple):
    """Inputs with time first, and their sizes, static where they are known.

    Attributes:
        inputs: a nest of tensors `[time, batch, ...]`.
        time_steps: an int, or an int32 scalar tensor.
        batch_size: an int, or an int32 scalar tensor.

    >>> Sequence(tf.zeros([5, 2, 3]), 5, 2).step_shape
    (2, 3)
    """

    inputs: typing.Any
    time_steps: typing.Any
    batch_size: typing.Any

    @property
    def step_shape(self):
        """The static shape of one step's inputs, nested like `inputs`, batch first."""
        return tf.nest.map_structure(lambda x: tuple(x.shape[1:].as_list()), self.inputs)

    @property
    def step_spec(self):
        """Shape and dtype of one step's inputs, nested like `inputs`."""
        return tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape[1:], x.dtype), self.inputs)


def prepare_inputs(inputs, time_major=False, rank=3):
    """Returns a `Sequence`.

    Args:
        inputs: a tensor `[batch, time, ...]` (`[time, batch, ...]` if `time_major`), or a nest of
            such tensors with one batch and time.
        time_major: whether time comes first.
        rank: the least number of dimensions.

    Raises:
        ValueError: a tensor of fewer dimensions, of unknown depth, or tensors of different batch or
            time.

    >>> prepare_inputs(tf.zeros([2, 5, 3])).time_steps
    5
    """
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    flat = tf.nest.flatten(inputs)
    names = nest.paths(inputs, "inputs")
    order = "[time, batch, ...]" if time_major else "[batch, time, ...]"
    if not flat:
        raise ValueError(f"Received inputs={inputs!r}, expected at least one tensor {order}.")
    for name, tensor in zip(names, flat):
        if tensor.shape.rank is None or tensor.shape.rank < rank:
            raise ValueError(
                f"Received {name} of shape {tensor.shape}, expected at least {rank} known "
                f"dimensions, {order}. Add the missing one with tf.expand_dims."
            )
        if any(size is None for size in tensor.shape[2:]):
            raise ValueError(
                "Input size (depth of inputs) must be accessible via shape inference. Received "
                f"{name} of shape {tensor.shape}, expected its last dimensions to be known; "
                "set them with tf.ensure_shape."
            )
    if not time_major:
        flat = [swap_batch_and_time(tensor) for tensor in flat]
    time_steps, batch_size = tf.TensorShape([None]), tf.TensorShape([None])
    for name, tensor in zip(names, flat):
        try:
            time_steps = time_steps.merge_with(tensor.shape[:1])
            batch_size = batch_size.merge_with(tensor.shape[1:2])
        except ValueError as error:
            raise ValueError(
                f"Received {name} of {tensor.shape[1]} rows and {tensor.shape[0]} steps, expected "
                f"batch and time like those of {names[0]}: {flat[0].shape[1]} and "
                f"{flat[0].shape[0]}."
            ) from error
    sizes = tf.shape(flat[0])
    return Sequence(
        tf.nest.pack_sequence_as(inputs, flat),
        sizes[0] if time_steps[0] is None else time_steps[0],
        sizes[1] if batch_size[0] is None else batch_size[0],
    )


def swap_batch_and_time(tensor):
    """Swaps the first two dimensions of a tensor.

    >>> swap_batch_and_time(tf.zeros([2, 5, 3])).shape
    TensorShape([5, 2, 3])
    """
    return tf.transpose(tensor, [1, 0, *range(2, tensor.shape.rank)])


def check_lengths(sequence_length, batch_size):
    """Returns lengths as int32 `[batch]`, or None; TF1 cuts floating point ones, and so do these.

    Raises:
        ValueError: not a vector of numbers, or of another length than the batch.
        tf.errors.InvalidArgumentError: at run time, the same for a batch known only then.

    >>> check_lengths([3, 1], 2).dtype.name
    'int32'
    """
    if sequence_length is None:
        return None
    lengths = tf.convert_to_tensor(sequence_length)
    if not (lengths.dtype.is_integer or lengths.dtype.is_floating):
        raise ValueError(
            f"Received sequence_length of dtype {lengths.dtype.name}, expected whole numbers."
        )
    if lengths.shape.rank not in (None, 1):
        raise ValueError(
            "sequence_length must be a vector of length batch_size. "
            f"Received sequence_length of shape {lengths.shape}, expected ({batch_size},)."
        )
    lengths = tf.cast(lengths, tf.int32)
    static = lengths.shape[0] if lengths.shape.rank else None
    if static is not None and isinstance(batch_size, int):
        if static != batch_size:
            raise ValueError(
                f"Received sequence_length of shape {lengths.shape}, expected ({batch_size},): "
                "one length for each row. Expected shape for Tensor sequence_length is "
                f"[{batch_size}]."
            )
        return lengths
    check = tf.debugging.assert_equal(
        tf.shape(lengths), [batch_size], "Expected shape for Tensor sequence_length is [batch]."
    )
    return _after(check, lengths)


def lengths_of_mask(mask, time_major=False):
    """Returns the lengths of rows, int32 `[batch]`, whose padding a Keras mask marks.

    Args:
        mask: bool `[batch, time]`, or `[time, batch]` if `time_major`; true where a step counts.
        time_major: whether time comes first.

    Raises:
        ValueError: in code compiled by XLA, which ignores assertions.
        tf.errors.InvalidArgumentError: padding that is not at the end of its row.

    >>> lengths_of_mask(tf.constant([[True, True, False]])).numpy().tolist()
    [2]
    """
    if in_xla():
        raise ValueError(
            "Received a mask in code compiled by XLA, which could not check that its padding is at "
            "the end of the rows. Pass sequence_length in its place, or jit_compile=False."
        )
    mask = tf.cast(mask, tf.bool)
    mask = swap_batch_and_time(mask) if time_major else mask
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    check = tf.debugging.assert_equal(
        mask,
        tf.sequence_mask(lengths, tf.shape(mask)[1]),
        "Expected a mask whose steps that do not count are the last ones of their row.",
    )
    return _after(check, lengths)


def _after(check, tensor):
    """A tensor that is there when an assertion held, which is None where that is known."""
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(tensor)


def cell_dtype(cell, dtype):
    """Returns the dtype a cell works in: its own under a mixed policy, else the one asked for.

    Raises:
        ValueError: the cell was made, or built, with another dtype.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell_dtype(GRUCell(2, dtype="mixed_float16"), tf.float32).name
    'float16'
    """
    if not isinstance(cell, RNNCell) or dtype is None:
        return dtype
    dtype, own = tf.as_dtype(dtype), tf.as_dtype(cell.compute_dtype)
    if is_mixed(cell):
        return own
    if own != dtype:
        raise ValueError(
            f"Received dtype={dtype.name}, expected {own.name}, the dtype of {cell.name}. "
            "Give both the same."
        )
    return dtype


def starting_state(cell, sequence, initial_state, dtype):
    """Returns the state before the first step, in the structure of `cell.state_size`.

    Raises:
        ValueError: neither `initial_state` nor `dtype`; another structure than the cell's.
        tf.errors.InvalidArgumentError: at run time, other rows than the inputs'.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> starting_state(GRUCell(2), prepare_inputs(tf.zeros([3, 5, 1])), None, tf.float32).shape
    TensorShape([3, 2])
    """
    if initial_state is not None:
        packed = nest.pack_state_as(cell.state_size, initial_state, "initial_state")
        packed = tf.nest.map_structure(as_leaf, packed)
        check = functools.partial(_check_rows_at_run_time, sequence.batch_size)
        packed = tf.nest.map_structure(check, packed)
        if isinstance(cell, RNNCell) and is_mixed(cell):
            cast = functools.partial(cast_floating, cell.compute_dtype)
            return tf.nest.map_structure(cast, packed)
        check_state_dtypes(cell, packed)
        return packed
    if dtype is None:
        raise ValueError(
            "If there is no initial_state, you must give a dtype. Received initial_state=None, "
            "dtype=None; pass dtype=tf.float32."
        )
    if hasattr(cell, "get_initial_state"):
        state = initial_state_of(cell, sequence.batch_size, dtype)
    else:
        state = cell.zero_state(sequence.batch_size, dtype)
    return tf.nest.map_structure(as_leaf, state)


def _check_rows_at_run_time(batch_size, leaf):
    """A single row would be repeated for all others where the batch is not known before."""
    if isinstance(leaf, tf.TensorArray) or not leaf.shape.rank:
        return leaf
    if isinstance(batch_size, int) and leaf.shape[0] is not None:
        return leaf
    message = "The rows of initial_state are not those of the inputs."
    return _after(tf.debugging.assert_equal(tf.shape(leaf)[0], batch_size, message), leaf)


def check_state_dtypes(cell, state):
    """Raises `ValueError` for a floating point state of another dtype than the cell's.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = GRUCell(2, dtype="float32", name="cell")
    >>> check_state_dtypes(cell, tf.zeros([3, 2], tf.float64))
    Traceback (most recent call last):
    ValueError: Received initial_state of dtype float64, expected float32, the dtype of cell. \
Cast it first.
    """
    if not isinstance(cell, RNNCell):
        return
    for path, leaf in zip(nest.paths(cell.state_size, "initial_state"), tf.nest.flatten(state)):
        dtype = tf.as_dtype(leaf.dtype)
        if dtype.is_floating and dtype.name != cell.compute_dtype:
            raise ValueError(
                f"Received {path} of dtype {dtype.name}, expected {cell.compute_dtype}, the dtype "
                f"of {cell.name}. Cast it first."
            )


def as_leaf(value):
    """Returns a leaf of inputs or a state as a tensor, or as the `tf.TensorArray` that it is.

    >>> as_leaf(1.0).dtype.name
    'float32'
    """
    return value if isinstance(value, tf.TensorArray) else tf.convert_to_tensor(value)


def output_dtype(state, dtype):
    """Returns the dtype of the outputs: `dtype`, or the one that all state tensors share.

    Raises:
        ValueError: state tensors of different dtypes and no `dtype`.

    >>> output_dtype((tf.zeros([1, 1]), tf.zeros([1, 2])), None).name
    'float32'
    """
    if dtype is not None:
        return tf.as_dtype(dtype)
    dtypes = {tf.as_dtype(leaf.dtype) for leaf in tf.nest.flatten(state)}
    if len(dtypes) != 1:
        raise ValueError(
            "State has tensors of different inferred_dtypes. Unable to infer a single "
            f"representative dtype. Received {nest.describe(state)}; pass dtype."
        )
    return dtypes.pop()
