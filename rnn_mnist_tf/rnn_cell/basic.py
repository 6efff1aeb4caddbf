"""The vanilla cell and the GRU."""

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import PACKAGE
from rnn_mnist_tf.rnn_cell.checks import (
    check_units,
    get_activation,
    get_initializer,
    refuse_reuse,
    serialize_activation,
)
from rnn_mnist_tf.rnn_cell.layer_cell import LayerRNNCell
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes


def basic_rnn_step(inputs, state, kernel, bias, activation=tf.tanh):
    """One step of the vanilla cell: `h' = activation([x, h] K + b)`.

    Args:
        inputs: `x`, `[batch, input_size]`.
        state: `h`, `[batch, num_units]`.
        kernel: `K`, `[input_size + num_units, num_units]`.
        bias: `b`, `[num_units]`.
        activation: a function of a tensor.

    Returns:
        `h'`, `[batch, num_units]`: output and next state at once.

    >>> h = basic_rnn_step(tf.ones([1, 2]), tf.ones([1, 1]), tf.ones([3, 1]), tf.zeros([1]))
    >>> round(float(h[0, 0]), 4), round(float(tf.tanh(3.0)), 4)
    (0.9951, 0.9951)
    """
    return activation(tf.nn.bias_add(tf.matmul(tf.concat([inputs, state], 1), kernel), bias))


def gru_step(
    inputs, state, gates_kernel, gates_bias, candidate_kernel, candidate_bias, activation=tf.tanh
):
    """One step of the GRU with the reset before the product (Cho et al. 2014).

        r, u = split(sigmoid([x, h] Kg + bg))
        c    = activation([x, r h] Kc + bc)
        h'   = u h + (1 - u) c

    Args:
        inputs: `x`, `[batch, input_size]`.
        state: `h`, `[batch, num_units]`.
        gates_kernel: `Kg`, `[input_size + num_units, 2 num_units]`.
        gates_bias: `bg`, `[2 num_units]`.
        candidate_kernel: `Kc`, `[input_size + num_units, num_units]`.
        candidate_bias: `bc`, `[num_units]`.
        activation: a function of a tensor.

    Returns:
        `h'`, `[batch, num_units]`: output and next state at once.

    >>> zeros = tf.zeros([2, 2]), tf.zeros([2]), tf.zeros([2, 1]), tf.zeros([1])
    >>> gru_step(tf.ones([1, 1]), tf.ones([1, 1]), *zeros).numpy()
    array([[0.5]], dtype=float32)
    """
    gates = tf.matmul(tf.concat([inputs, state], 1), gates_kernel)
    reset, update = tf.split(tf.sigmoid(tf.nn.bias_add(gates, gates_bias)), 2, axis=1)
    candidate = tf.matmul(tf.concat([inputs, reset * state], 1), candidate_kernel)
    candidate = activation(tf.nn.bias_add(candidate, candidate_bias))
    return update * state + (1 - update) * candidate


@tf1_attributes("num_units", "activation", "kernel", "bias")
@keras.saving.register_keras_serializable(PACKAGE)
class BasicRNNCell(LayerRNNCell):
    """The vanilla cell: `h' = activation([x, h] K + b)`, and the output is `h'`.

    State: `h`, `[batch, num_units]`, bare. Variables: `kernel`
    `[input_size + num_units, num_units]`, `bias` `[num_units]`.

    Args:
        num_units: the size of the state and of the output.
        activation: a callable or a Keras name; tanh if nothing is given.
        reuse: refused if true; call the same cell object again instead.
        name: the scope in `tf1_variables`, by default `basic_rnn_cell`.
        dtype: see `RNNCell`.
        kernel_initializer: Keras's, Glorot uniform over the whole kernel by default.
        bias_initializer: Keras's, zeros by default.

    Source: `tf.nn.rnn_cell.BasicRNNCell` of TensorFlow 1; Elman 1990.

    >>> cell = BasicRNNCell(4)
    >>> output, state = cell(tf.ones([2, 3]), tf.zeros([2, 4]))
    >>> bool(tf.reduce_all(output == state)), tuple(cell.kernel.shape)
    (True, (7, 4))
    """

    def __init__(
        self,
        num_units,
        activation=None,
        reuse=None,
        name=None,
        dtype=None,
        *,
        kernel_initializer=None,
        bias_initializer=None,
        **kwargs,
    ):
        refuse_reuse(reuse)
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_units = check_units(num_units)
        self.activation = get_activation(activation)
        self.kernel_initializer = get_initializer(kernel_initializer, "glorot_uniform")
        self.bias_initializer = get_initializer(bias_initializer, "zeros")

    @property
    def state_size(self):
        """`num_units`."""
        return self.num_units

    @property
    def output_size(self):
        """`num_units`."""
        return self.num_units

    def build(self, inputs_shape):
        """Makes `kernel` and `bias`."""
        rows = self.input_depth(inputs_shape) + self.num_units
        self.kernel = self.add_weight(
            name="kernel", shape=(rows, self.num_units), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.num_units,), initializer=self.bias_initializer
        )

    def call(self, inputs, state):
        """Applies `basic_rnn_step`."""
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        output = basic_rnn_step(inputs, state, kernel, bias, self.activation)
        return output, output

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_units": self.num_units,
            "activation": serialize_activation(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


@tf1_attributes(
    *("num_units", "activation", "kernel_initializer", "bias_initializer"),
    *("candidate_kernel", "candidate_bias"),
    gate_kernel="gates_kernel",
    gate_bias="gates_bias",
)
@keras.saving.register_keras_serializable(PACKAGE)
class GRUCell(LayerRNNCell):
    """The gated recurrent unit of Cho et al. 2014, reset before the product; see `gru_step`.

    Keras's `GRUCell(reset_after=False)` computes the same; its default, `reset_after=True`, and
    PyTorch's `nn.GRU` do not, and no weights make them.

    State: `h`, `[batch, num_units]`, bare. Variables: `gates_kernel`
    `[input_size + num_units, 2 num_units]` (r, then u), `gates_bias`, `candidate_kernel`
    `[input_size + num_units, num_units]`, `candidate_bias`.

    Args:
        num_units: the size of the state and of the output.
        activation: of the candidate: a callable or a Keras name; tanh if nothing is given.
        reuse: refused if true; call the same cell object again instead.
        kernel_initializer: of both kernels, Glorot uniform by default.
        bias_initializer: of both biases; by default 1 for the gates and 0 for the candidate.
        name: the scope in `tf1_variables`, by default `gru_cell`.
        dtype: see `RNNCell`.

    Source: `tf.nn.rnn_cell.GRUCell` of TensorFlow 1; https://arxiv.org/abs/1406.1078.

    >>> cell = GRUCell(4)
    >>> output, state = cell(tf.ones([2, 3]), tf.zeros([2, 4]))
    >>> bool(tf.reduce_all(output == state)), cell.gates_bias.numpy().tolist()
    (True, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(
        self,
        num_units,
        activation=None,
        reuse=None,
        kernel_initializer=None,
        bias_initializer=None,
        name=None,
        dtype=None,
        **kwargs,
    ):
        refuse_reuse(reuse)
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_units = check_units(num_units)
        self.activation = get_activation(activation)
        self.kernel_initializer = get_initializer(kernel_initializer, "glorot_uniform")
        self.bias_initializer = bias_initializer and get_initializer(bias_initializer, None)

    @property
    def state_size(self):
        """`num_units`."""
        return self.num_units

    @property
    def output_size(self):
        """`num_units`."""
        return self.num_units

    def build(self, inputs_shape):
        """Makes the kernel and bias of the gates and of the candidate."""
        rows = self.input_depth(inputs_shape) + self.num_units
        for part, columns, default in (
            ("gates", 2 * self.num_units, "ones"),
            ("candidate", self.num_units, "zeros"),
        ):
            kernel = self.add_weight(
                name=f"{part}/kernel", shape=(rows, columns), initializer=self.kernel_initializer
            )
            bias = self.add_weight(
                name=f"{part}/bias",
                shape=(columns,),
                initializer=self.bias_initializer or default,
            )
            setattr(self, f"{part}_kernel", kernel)
            setattr(self, f"{part}_bias", bias)

    def call(self, inputs, state):
        """Applies `gru_step`."""
        gates = tf.convert_to_tensor(self.gates_kernel), tf.convert_to_tensor(self.gates_bias)
        candidate = (
            tf.convert_to_tensor(self.candidate_kernel),
            tf.convert_to_tensor(self.candidate_bias),
        )
        output = gru_step(inputs, state, *gates, *candidate, activation=self.activation)
        return output, output

    def get_config(self):
        """Returns the constructor's arguments."""
        bias_initializer = self.bias_initializer
        return {
            **super().get_config(),
            "num_units": self.num_units,
            "activation": serialize_activation(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": bias_initializer and keras.initializers.serialize(bias_initializer),
        }
