"""Attention over a cell's own last outputs."""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import PACKAGE
from rnn_mnist_tf.rnn_cell.checks import (
    assert_like_rnncell,
    check_units,
    get_initializer,
    refuse_reuse,
)
from rnn_mnist_tf.rnn_cell.inner import (
    build_inner,
    call_cell,
    named_variables_of,
    run_scope_of,
    serialize_cell,
    with_cell,
    zero_state_of,
)
from rnn_mnist_tf.rnn_cell.keras_cell import as_rnn_cell
from rnn_mnist_tf.rnn_cell.layer_cell import LayerRNNCell
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes


def attention_read(query, memory, attn_w, attn_v, kernel, bias):
    """Reads a memory by additive attention (Bahdanau et al. 2015).

        e_l = sum_k v_k tanh((M_l W)_k + (q K + b)_k)
        d   = sum_l softmax(e)_l M_l

    Args:
        query: `q`, `[batch, query_size]`.
        memory: `M`, `[batch, length, attn_size]`.
        attn_w: `W`, `[attn_size, attn_vec_size]`.
        attn_v: `v`, `[attn_vec_size]`.
        kernel, bias: `K`, `[query_size, attn_vec_size]`, and `b`, `[attn_vec_size]`.

    Returns:
        `d`, `[batch, attn_size]`.

    >>> memory = tf.constant([[[1.0], [3.0]]])
    >>> zeros = tf.zeros([1, 1]), tf.zeros([1]), tf.zeros([2, 1]), tf.zeros([1])
    >>> attention_read(tf.ones([1, 2]), memory, *zeros).numpy().tolist()
    [[2.0]]
    """
    query = tf.nn.bias_add(tf.matmul(query, kernel), bias)[:, None]
    energies = tf.reduce_sum(attn_v * tf.tanh(tf.matmul(memory, attn_w) + query), axis=2)
    weights = tf.nn.softmax(energies)[:, :, None]
    return tf.reduce_sum(weights * memory, axis=1)


@tf1_attributes("cell", "attn_length", "attn_size", "attn_vec_size", "input_size", "state_is_tuple")
@keras.saving.register_keras_serializable(PACKAGE)
class AttentionCellWrapper(LayerRNNCell):
    """A cell that attends over its own last `attn_length` outputs.

        x' = [x, d] K1 + b1
        y, s' = cell(x', s)
        d' = attention_read([parts of s'], M)      over the memory before this step
        output = [y, d'] K2 + b2
        M' = [M without its oldest row, output]

    State: `(cell state, d, M)` with d `[batch, attn_size]` and M `[batch, attn_size attn_length]`,
    oldest first, or all side by side with `state_is_tuple=False`. The memory starts as zeros, so
    early steps attend over zeros. The output is `[batch, attn_size]`.

    Args:
        cell: the inner cell.
        attn_length: the number of outputs remembered.
        attn_size: the size of an output; the inner cell's by default.
        attn_vec_size: the size that memory and query are compared in; `attn_size` by default.
        input_size: the size of x'; that of the inputs by default.
        state_is_tuple: whether the state is a tuple.
        reuse: refused if true; call the same cell object again instead.
        name: the scope in `tf1_variables`, by default `attention_cell_wrapper`.
        dtype: see `RNNCell`. TF1's own wrapper takes float32 only.
        kernel_initializer: of everything but biases, Glorot uniform by default.

    Raises:
        TypeError: not a cell.
        ValueError: `attn_length` of 0 or less; a cell with a tuple state under
            `state_is_tuple=False`.

    Source: `tf.contrib.rnn.AttentionCellWrapper` of TensorFlow 1; https://arxiv.org/abs/1409.0473.

    >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
    >>> AttentionCellWrapper(BasicLSTMCell(8), attn_length=7).state_size
    (LSTMStateTuple(c=8, h=8), 8, 56)
    """

    def __init__(
        self,
        cell,
        attn_length,
        attn_size=None,
        attn_vec_size=None,
        input_size=None,
        state_is_tuple=True,
        reuse=None,
        name=None,
        dtype=None,
        *,
        kernel_initializer=None,
        **kwargs,
    ):
        refuse_reuse(reuse)
        assert_like_rnncell(cell)
        if not state_is_tuple and tf.nest.is_nested(cell.state_size):
            raise ValueError(
                "Cell returns tuple of states, but the flag state_is_tuple is not set. "
                f"Received a cell with state_size={cell.state_size}; pass state_is_tuple=False to "
                "it too."
            )
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}.")
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.cell = as_rnn_cell(cell)
        self.attn_length = int(attn_length)
        self.attn_size = check_units(attn_size or cell.output_size, "attn_size")
        self.attn_vec_size = check_units(attn_vec_size or self.attn_size, "attn_vec_size")
        self.input_size = None if input_size is None else check_units(input_size, "input_size")
        self.state_is_tuple = bool(state_is_tuple)
        self.kernel_initializer = get_initializer(kernel_initializer, "glorot_uniform")

    @property
    def wrapped_cells(self):
        """The inner cell, in a list."""
        return [self.cell]

    @property
    def state_size(self):
        """`(cell.state_size, attn_size, attn_size * attn_length)`, or the sum."""
        sizes = (self.cell.state_size, self.attn_size, self.attn_size * self.attn_length)
        return sizes if self.state_is_tuple else sum(sizes)

    @property
    def output_size(self):
        """`attn_size`."""
        return self.attn_size

    def zero_state(self, batch_size, dtype):
        """Returns the inner cell's zero state, and zeros."""
        if not self.state_is_tuple:
            return super().zero_state(batch_size, dtype)
        zeros = [tf.zeros([batch_size, size], tf.as_dtype(dtype)) for size in self.state_size[1:]]
        return (zero_state_of(self.cell, batch_size, dtype), *zeros)

    def build(self, inputs_shape):
        """Makes the variables of the projections and of the attention; builds the inner cell."""
        depth = self.input_depth(inputs_shape)
        width = self.input_size or depth
        query_size = sum(tf.nest.flatten(self.cell.state_size))
        self.kernel, self.bias = self._linear("input", depth + self.attn_size, width)
        build_inner(self.cell, (inputs_shape[0], width))
        self.attn_w = self.add_weight(
            name="attn_w",
            shape=(1, 1, self.attn_size, self.attn_vec_size),
            initializer=self.kernel_initializer,
        )
        self.attn_v = self.add_weight(
            name="attn_v", shape=(self.attn_vec_size,), initializer=self.kernel_initializer
        )
        self.attention_kernel, self.attention_bias = self._linear(
            "attention", query_size, self.attn_vec_size
        )
        self.output_kernel, self.output_bias = self._linear(
            "output", self.cell.output_size + self.attn_size, self.attn_size
        )

    def run_scope(self, batch_size, inputs_shape, training=None):
        """Surrounds one run: the inner cell's own, with the shape of x'."""
        inputs_shape = (inputs_shape[0], self.input_size or inputs_shape[-1])
        return run_scope_of(self.cell, batch_size, inputs_shape, training)

    def _linear(self, name, rows, columns):
        kernel = self.add_weight(
            name=f"{name}_kernel", shape=(rows, columns), initializer=self.kernel_initializer
        )
        return kernel, self.add_weight(name=f"{name}_bias", shape=(columns,), initializer="zeros")

    def call(self, inputs, state, training=None):
        """Runs the inner cell and attends over the memory."""
        if self.state_is_tuple:
            cell_state, attended, memory = state
        else:
            sizes = [self.cell.state_size, self.attn_size, self.attn_size * self.attn_length]
            cell_state, attended, memory = tf.split(state, sizes, axis=1)
        inputs = _affine([inputs, attended], self.kernel, self.bias)
        output, cell_state = call_cell(self.cell, inputs, cell_state, training)
        attended = attention_read(
            tf.concat(tf.nest.flatten(cell_state), 1),
            tf.reshape(memory, [-1, self.attn_length, self.attn_size]),
            tf.convert_to_tensor(self.attn_w)[0, 0],
            tf.convert_to_tensor(self.attn_v),
            tf.convert_to_tensor(self.attention_kernel),
            tf.convert_to_tensor(self.attention_bias),
        )
        output = _affine([output, attended], self.output_kernel, self.output_bias)
        memory = tf.concat([memory[:, self.attn_size :], output], 1)
        state = (cell_state, attended, memory)
        return output, state if self.state_is_tuple else tf.concat(state, 1)

    def tf1_named_variables(self):
        """See `RNNCell.tf1_named_variables`."""
        inner = named_variables_of(self.cell)
        named = [
            ("kernel", self.kernel),
            ("bias", self.bias),
            *inner,
            ("attention/attn_w", self.attn_w),
            ("attention/attn_v", self.attn_v),
            ("attention/kernel", self.attention_kernel),
            ("attention/bias", self.attention_bias),
            ("attn_output_projection/kernel", self.output_kernel),
            ("attn_output_projection/bias", self.output_bias),
        ]
        return [(f"{self.tf1_scope}/{name}", variable) for name, variable in named]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "cell": serialize_cell(self.cell),
            "attn_length": self.attn_length,
            "attn_size": self.attn_size,
            "attn_vec_size": self.attn_vec_size,
            "input_size": self.input_size,
            "state_is_tuple": self.state_is_tuple,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapper that `get_config` described."""
        return cls(**with_cell(config, custom_objects))


def _affine(parts, kernel, bias):
    product = tf.matmul(tf.concat(parts, 1), tf.convert_to_tensor(kernel))
    return tf.nn.bias_add(product, tf.convert_to_tensor(bias))
