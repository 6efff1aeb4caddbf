"""Dropout around a cell."""

import contextlib
import hashlib

import keras
import numpy as np
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.base import PACKAGE, RNNCell, is_mixed
from rnn_mnist_tf.rnn_cell.call_context import is_inside
from rnn_mnist_tf.rnn_cell.checks import check_training
from rnn_mnist_tf.rnn_cell.inner import call_cell
from rnn_mnist_tf.rnn_cell.lstm_state import LSTMStateTuple
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes
from rnn_mnist_tf.rnn_cell.wrappers import CellWrapper


def dropout(value, keep_prob, seed, generator):
    """Keeps entries with probability `keep_prob`, divided by it, and zeroes the others.

    Args:
        value: a tensor.
        keep_prob: a number or a scalar tensor in [0, 1].
        seed: an int that tells this use of the generator from its others, or None.
        generator: a `keras.random.SeedGenerator`, whose state is what makes draws differ.

    >>> generator = keras.random.SeedGenerator(1)
    >>> float(tf.reduce_mean(dropout(tf.ones([100, 100]), 0.5, None, generator))) // 0.1
    9.0
    """
    noise = _uniform(tf.shape(value), value.dtype, seed, generator)
    return variational_dropout(value, keep_prob, noise)


def variational_dropout(value, keep_prob, noise):
    """Returns `value / keep_prob * floor(keep_prob + noise)`.

    Args:
        value: a tensor.
        keep_prob: a number or a scalar tensor in [0, 1].
        noise: uniform in [0, 1), of a shape that broadcasts to that of `value`.

    >>> variational_dropout(tf.ones([1, 2]), 0.5, tf.constant([[0.2, 0.7]])).numpy().tolist()
    [[0.0, 2.0]]
    """
    noise = tf.convert_to_tensor(noise)
    kept = tf.floor(tf.cast(keep_prob, noise.dtype) + noise) > 0  # in the noise's precision
    keep_prob = tf.cast(keep_prob, value.dtype)
    return tf.where(kept, tf.math.divide_no_nan(value, keep_prob), tf.zeros_like(value))


def _uniform(shape, dtype, seed, generator):
    drawn = tf.cast(generator.next(), tf.int64)
    drawn = tf.bitwise.bitwise_xor(drawn, tf.constant([seed or 0, 0], tf.int64))
    # Half precision rounds up to 1, which would keep everything.
    dtype = dtype if dtype in (tf.float32, tf.float64) else tf.float32
    return tf.random.stateless_uniform(shape, drawn, dtype=dtype)


def default_state_filter(state):
    """Says which parts of a state are dropped: everything, but never the c of an LSTM.

    >>> default_state_filter(LSTMStateTuple(1, 2))
    LSTMStateTuple(c=False, h=True)
    """
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not isinstance(state, tf.TensorArray)


@tf1_attributes(
    *("input_keep_prob", "output_keep_prob", "state_keep_prob", "variational_recurrent"),
    *("input_size", "seed"),
)
@keras.saving.register_keras_serializable(PACKAGE)
class DropoutWrapper(CellWrapper):
    """Dropout on a cell's inputs, its new state and its output.

        x' = drop(x, input_keep_prob)
        y, s' = cell(x', s)
        s'' = drop(s', state_keep_prob), which the next step sees and the loop returns
        y' = drop(y, output_keep_prob), which the state does not see

    Kept values are divided by the keep probability. c of an `LSTMStateTuple` is never dropped;
    with `state_is_tuple=False` the state is one tensor, so its c is.

    Training: as TF1 had no training flag, a step, and a bare `dynamic_rnn`, drop always, unless
    `training=False` is passed or an enclosing Keras layer says so. `DynamicRNN` and
    `keras.layers.RNN` follow Keras: nothing is dropped unless `training=True`.

    Variational (Gal and Ghahramani 2016): with `variational_recurrent=True` one mask of shape
    `[1, size]` serves all rows and all steps. A loop of this package draws it once a run; a step
    called by hand, and Keras's own `keras.layers.RNN`, use the one drawn when the wrapper was made.

    Args:
        cell: the inner cell.
        input_keep_prob, output_keep_prob, state_keep_prob: numbers or scalar tensors in [0, 1]. A
            number of exactly 1 drops nothing and draws nothing.
        variational_recurrent: whether one mask serves the whole run.
        input_size: the size of the inputs, needed for a variational `input_keep_prob` below 1: an
            int, a `tf.TensorShape` or a nest of these.
        dtype: of the variational masks, needed for them.
        seed: an int, of everything drawn.
        dropout_state_filter_visitor: a function of a state that says what is dropped, as
            `default_state_filter` does.
        name: of the Keras layer.

    Raises:
        TypeError: not a cell; a filter that cannot be called; an `input_size` that is no size.
        ValueError: a probability outside [0, 1]; a variational wrapper without dtype or input_size.

    Source: `tf.nn.rnn_cell.DropoutWrapper` of TensorFlow 1; https://arxiv.org/abs/1512.05287.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = DropoutWrapper(GRUCell(100), output_keep_prob=0.5, seed=1)
    >>> output, state = cell(tf.ones([1, 3]), tf.zeros([1, 100]))
    >>> 30 < int(tf.math.count_nonzero(output)) < 70, int(tf.math.count_nonzero(state))
    (True, 100)
    """

    def __init__(
        self,
        cell,
        input_keep_prob=1.0,
        output_keep_prob=1.0,
        state_keep_prob=1.0,
        variational_recurrent=False,
        input_size=None,
        dtype=None,
        seed=None,
        dropout_state_filter_visitor=None,
        name=None,
        **kwargs,
    ):
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError(
                "dropout_state_filter_visitor must be callable. Received "
                f"dropout_state_filter_visitor={dropout_state_filter_visitor!r}, expected a "
                "function of a state."
            )
        super().__init__(cell, name=name, dtype=_layer_dtype(cell, dtype), **kwargs)
        self.input_keep_prob = _check_probability(input_keep_prob, "input_keep_prob")
        self.output_keep_prob = _check_probability(output_keep_prob, "output_keep_prob")
        self.state_keep_prob = _check_probability(state_keep_prob, "state_keep_prob")
        self.variational_recurrent = bool(variational_recurrent)
        self.input_size = input_size
        if input_size is not None:
            self.input_size = tf.nest.map_structure(nest.plain_size, input_size)
        self.seed = None if seed is None else int(seed)
        self.dropout_state_filter_visitor = dropout_state_filter_visitor
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self._seed_state = self.seed_generator.state.value  # for SavedModels, which look for it
        self._masks = None
        if self.variational_recurrent:
            self._check_variational(dtype)
            self._masks = self._draw_masks()

    def _check_variational(self, dtype):
        if dtype is None:
            raise ValueError(
                "When variational_recurrent=True, dtype must be provided. "
                "Received dtype=None, expected for example tf.float32."
            )
        if _should_drop(self.input_keep_prob) and self.input_size is None:
            raise ValueError(
                "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, "
                "input_size must be provided. Received input_size=None."
            )

    def call(self, inputs, state, training=None):
        """Runs the inner cell between the drops."""
        training = check_training(training)
        if training is None and is_inside(self, RNNCell):
            training = False  # as for any layer of Keras's
        if training is False:
            return call_cell(self.cell, inputs, state, training)
        if _should_drop(self.input_keep_prob):
            inputs = self._drop(inputs, "input", self.input_keep_prob)
        output, new_state = call_cell(self.cell, inputs, state, training)
        if _should_drop(self.state_keep_prob):
            visitor = self.dropout_state_filter_visitor or default_state_filter
            chosen = _traverse(visitor, new_state)
            new_state = self._drop(new_state, "state", self.state_keep_prob, chosen)
        if _should_drop(self.output_keep_prob):
            output = self._drop(output, "output", self.output_keep_prob)
        return output, new_state

    def _drop(self, values, salt, keep_prob, chosen=None):
        """Drops the leaves of `values`, or the parts that `chosen` says."""
        chosen = tf.nest.map_structure(lambda _: True, values) if chosen is None else chosen
        parts = tf.nest.flatten(chosen)
        flatten_up_to = tf.__internal__.nest.flatten_up_to
        masks = [None] * len(parts)
        if self.variational_recurrent:
            masks = flatten_up_to(chosen, self._masks[salt], check_types=False)
        dropped = [
            self._drop_one(value, salt, index, keep_prob, mask) if part else value
            for index, (part, value, mask) in enumerate(
                zip(parts, flatten_up_to(chosen, values), masks)
            )
        ]
        return tf.nest.pack_sequence_as(values, tf.nest.flatten(dropped))

    def _drop_one(self, value, salt, index, keep_prob, mask):
        if isinstance(keep_prob, float):
            keep_prob = float(np.float32(keep_prob))  # TF1 has it in float32, whatever the value
        if self.variational_recurrent:
            return variational_dropout(value, keep_prob, mask)
        return dropout(value, keep_prob, self._seed_of(salt, index), self.seed_generator)

    def _seed_of(self, salt, index):
        """TF1's seed of one use, from the wrapper's: the n-th input, state or output."""
        if self.seed is None:
            return None
        digest = hashlib.md5(f"{self.seed}{salt}_{index}".encode()).hexdigest()
        return int(digest[:8], 16) & 0x7FFFFFFF

    def _draw_masks(self):
        """Uniform noise `[1, size]` for every leaf that may be dropped, nested like the sizes."""
        sizes = {
            "input": self.input_size,
            "state": self.cell.state_size,
            "output": self.cell.output_size,
        }
        dtype = tf.as_dtype(self.compute_dtype)

        def draw(salt, index, size):
            shape, seed = [1, *nest.size_to_shape(size)], self._seed_of(salt, index)
            return _uniform(shape, dtype, seed, self.seed_generator)

        return {
            salt: tf.nest.pack_sequence_as(
                size, [draw(salt, *leaf) for leaf in enumerate(tf.nest.flatten(size))]
            )
            for salt, size in sizes.items()
            if size is not None
        }

    @contextlib.contextmanager
    def run_scope(self, batch_size, inputs_shape, training=None):
        """Draws the variational masks of one run, before the loop and for all of it."""
        kept = self._masks
        if self.variational_recurrent and training is not False:
            self._masks = self._draw_masks()
        try:
            with super().run_scope(batch_size, inputs_shape, training):
                yield
        finally:
            self._masks = kept

    def get_config(self):
        """Returns the constructor's arguments. Raises `ValueError` for tensor probabilities."""
        probabilities = {
            name: getattr(self, name)
            for name in ("input_keep_prob", "output_keep_prob", "state_keep_prob")
        }
        for name, probability in probabilities.items():
            if not isinstance(probability, float):
                raise ValueError(f"Received {name} as a tensor, expected a number to save it.")
        visitor = self.dropout_state_filter_visitor
        return {
            **super().get_config(),
            **probabilities,
            "variational_recurrent": self.variational_recurrent,
            "input_size": nest.sizes_to_config(self.input_size),
            "seed": self.seed,
            "dropout_state_filter_visitor": visitor
            and keras.saving.serialize_keras_object(visitor),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapper that `get_config` described."""
        visitor = config["dropout_state_filter_visitor"]
        if visitor is not None:
            visitor = keras.saving.deserialize_keras_object(visitor, custom_objects=custom_objects)
        restored = {
            "dropout_state_filter_visitor": visitor,
            "input_size": nest.sizes_from_config(config["input_size"]),
        }
        return super().from_config({**config, **restored}, custom_objects)


def _layer_dtype(cell, dtype):
    """The wrapper's dtype: a cell's mixed policy holds for what is around it too.

    TF1 needs `dtype` for the masks alone, which are drawn in single precision at least.
    """
    if dtype is None or not isinstance(cell, keras.layers.Layer):
        return dtype
    return cell.dtype_policy if is_mixed(cell) else dtype


def _should_drop(probability):
    return not isinstance(probability, float) or probability < 1


def _check_probability(probability, name):
    if isinstance(probability, tf.Tensor) and tf.get_static_value(probability) is not None:
        probability = float(tf.get_static_value(probability))  # as TF1 folds constants
    if tf.is_tensor(probability) or isinstance(probability, (tf.Variable, keras.Variable)):
        return probability
    if isinstance(probability, bool) or not 0 <= float(probability) <= 1:
        raise ValueError(
            f"Parameter {name} must be between 0 and 1. Received {name}={probability!r}."
        )
    return float(probability)


def _traverse(visitor, state):
    """Returns booleans in a structure that goes as deep into `state` as the visitor says."""
    decision = visitor(state)
    if not tf.nest.is_nested(state):
        return bool(decision)
    if not tf.nest.is_nested(decision):
        if not decision:
            return False
        decision = tf.nest.map_structure(lambda _: True, nest.rebuild(state, [0] * len(state)))
    keys = list(state) if isinstance(state, dict) else range(len(state))
    children = [
        _traverse(visitor, state[key]) if decision[key] is True else decision[key] for key in keys
    ]
    return nest.rebuild(state, children)
