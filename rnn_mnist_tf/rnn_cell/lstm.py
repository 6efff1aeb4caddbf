"""The LSTM cells: the basic one, and the one with peepholes, clipping and projection."""

import warnings

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import PACKAGE
from rnn_mnist_tf.rnn_cell.checks import (
    check_clip,
    check_units,
    get_activation,
    get_initializer,
    refuse_reuse,
    serialize_activation,
)
from rnn_mnist_tf.rnn_cell.layer_cell import LayerRNNCell
from rnn_mnist_tf.rnn_cell.lstm_state import LSTMStateTuple
from rnn_mnist_tf.rnn_cell.tf1_attributes import tf1_attributes


def lstm_step(
    inputs,
    c,
    h,
    kernel,
    bias,
    *,
    forget_bias=1.0,
    activation=tf.tanh,
    peepholes=None,
    cell_clip=None,
    projection=None,
    proj_clip=None,
):
    """One step of the LSTM (Hochreiter and Schmidhuber 1997, Gers et al. 2000, Sak et al. 2014).

        i, j, f, o = split([x, h] K + b)
        c' = sigmoid(f + forget_bias + w_f c) c + sigmoid(i + w_i c) activation(j)
        c' = clip(c', -cell_clip, cell_clip)
        h' = sigmoid(o + w_o c') activation(c')
        h' = clip(h' P, -proj_clip, proj_clip)

    The peepholes of i and f see the old c, the one of o the new, clipped c'.

    Args:
        inputs: `x`, `[batch, input_size]`.
        c: `[batch, num_units]`.
        h: `[batch, output_size]`, projected if there is a projection.
        kernel: `K`, `[input_size + output_size, 4 num_units]`, columns i, j, f, o.
        bias: `b`, `[4 num_units]`; `forget_bias` is not in it.
        forget_bias: added to f before the sigmoid.
        activation: a function of a tensor.
        peepholes: None or `(w_f, w_i, w_o)`, each `[num_units]`.
        cell_clip: None or a number; 0.0 clips to zero.
        projection: None or `P`, `[num_units, num_proj]`.
        proj_clip: None or a number, for the projected h'.

    Returns:
        `(c', h')`, `[batch, num_units]` and `[batch, output_size]`.

    >>> c, h = lstm_step(tf.ones([1, 1]), tf.ones([1, 1]), tf.ones([1, 1]), tf.zeros([2, 4]),
    ...                  tf.zeros([4]), forget_bias=0.0)
    >>> float(c[0, 0])
    0.5
    """
    gates = tf.nn.bias_add(tf.matmul(tf.concat([inputs, h], 1), kernel), bias)
    i, j, f, o = tf.split(gates, 4, axis=1)
    f = f + tf.cast(forget_bias, f.dtype)
    if peepholes is not None:
        w_f, w_i, w_o = peepholes
        f, i = f + w_f * c, i + w_i * c
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * activation(j)
    if cell_clip is not None:
        c = tf.clip_by_value(c, -cell_clip, cell_clip)
    if peepholes is not None:
        o = o + w_o * c
    h = tf.sigmoid(o) * activation(c)
    if projection is not None:
        h = tf.matmul(h, projection)
        if proj_clip is not None:
            h = tf.clip_by_value(h, -proj_clip, proj_clip)
    return c, h


@tf1_attributes(
    *("num_units", "use_peepholes", "cell_clip", "initializer", "num_proj", "proj_clip"),
    *("forget_bias", "state_is_tuple", "activation", "state_size", "output_size"),
    *("kernel", "bias", "w_f_diag", "w_i_diag", "w_o_diag"),
    proj_kernel="projection_kernel",
)
@keras.saving.register_keras_serializable(PACKAGE)
class LSTMCell(LayerRNNCell):
    """The LSTM with optional peepholes, cell clipping and projection; see `lstm_step`.

    State: `LSTMStateTuple(c, h)`, `[batch, num_units]` and `[batch, num_proj or num_units]`, or
    both side by side in one tensor, c first, with `state_is_tuple=False`. The output is h.
    Variables: `kernel` `[input_size + (num_proj or num_units), 4 num_units]` with the columns
    i, j, f, o, `bias` `[4 num_units]`, peepholes `w_f_diag`, `w_i_diag`, `w_o_diag`
    `[num_units]`, `projection_kernel` `[num_units, num_proj]`.

    Args:
        num_units: the size of c.
        use_peepholes: whether the gates see c.
        cell_clip: None, or c is clipped to `[-cell_clip, cell_clip]` before the output gate sees
            it; 0.0 is a real clip.
        initializer: of kernel, peepholes and projection, Glorot uniform by default.
        num_proj: None, or the size that h is projected to.
        proj_clip: None, or the projected h is clipped; without `num_proj` it does nothing.
        num_unit_shards, num_proj_shards: warned of; variables are whole, numbers the same.
        forget_bias: added to the forget gate at run time, never stored in the bias.
        state_is_tuple: whether the state is an `LSTMStateTuple`.
        activation: a callable or a Keras name; tanh if nothing is given.
        reuse: refused if true; call the same cell object again instead.
        name: the scope in `tf1_variables`, by default `lstm_cell`.
        dtype: see `RNNCell`.
        bias_initializer: Keras's, zeros by default.

    Source: `tf.nn.rnn_cell.LSTMCell` of TensorFlow 1; https://arxiv.org/abs/1402.1128.

    >>> cell = LSTMCell(4, use_peepholes=True, num_proj=3)
    >>> output, state = cell(tf.ones([2, 5]), cell.zero_state(2, tf.float32))
    >>> output.shape, state.c.shape, state.h is output
    (TensorShape([2, 3]), TensorShape([2, 4]), True)
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        cell_clip=None,
        initializer=None,
        num_proj=None,
        proj_clip=None,
        num_unit_shards=None,
        num_proj_shards=None,
        forget_bias=1.0,
        state_is_tuple=True,
        activation=None,
        reuse=None,
        name=None,
        dtype=None,
        *,
        bias_initializer=None,
        **kwargs,
    ):
        refuse_reuse(reuse)
        for argument, shards in (
            ("num_unit_shards", num_unit_shards),
            ("num_proj_shards", num_proj_shards),
        ):
            if shards not in (None, 1):
                warnings.warn(
                    f"Received {argument}={shards!r}: variables are whole here; the numbers are "
                    "the same.",
                    stacklevel=2,
                )
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_units = check_units(num_units)
        self.use_peepholes = bool(use_peepholes)
        self.cell_clip = check_clip(cell_clip, "cell_clip")
        self.initializer = get_initializer(initializer, "glorot_uniform")
        self.num_proj = None if num_proj is None else check_units(num_proj, "num_proj")
        self.proj_clip = check_clip(proj_clip, "proj_clip")
        self.forget_bias = float(forget_bias)
        self.state_is_tuple = bool(state_is_tuple)
        self.activation = get_activation(activation)
        self.bias_initializer = get_initializer(bias_initializer, "zeros")

    @property
    def state_size(self):
        """`LSTMStateTuple(num_units, output_size)`, or the sum with `state_is_tuple=False`."""
        if self.state_is_tuple:
            return LSTMStateTuple(self.num_units, self.output_size)
        return self.num_units + self.output_size

    @property
    def output_size(self):
        """`num_proj` if given, else `num_units`."""
        return self.num_units if self.num_proj is None else self.num_proj

    def build(self, inputs_shape):
        """Makes the variables, in TF1's order."""
        rows = self.input_depth(inputs_shape) + self.output_size
        self.kernel = self.add_weight(
            name="kernel", shape=(rows, 4 * self.num_units), initializer=self.initializer
        )
        self.bias = self.add_weight(
            name="bias", shape=(4 * self.num_units,), initializer=self.bias_initializer
        )
        if self.use_peepholes:
            for name in ("w_f_diag", "w_i_diag", "w_o_diag"):
                diagonal = self.add_weight(
                    name=name, shape=(self.num_units,), initializer=self.initializer
                )
                setattr(self, name, diagonal)
        if self.num_proj is not None:
            self.projection_kernel = self.add_weight(
                name="projection/kernel",
                shape=(self.num_units, self.num_proj),
                initializer=self.initializer,
            )

    @property
    def peepholes(self):
        """`(w_f_diag, w_i_diag, w_o_diag)`, or None without peepholes."""
        if not self.use_peepholes:
            return None
        return self.w_f_diag, self.w_i_diag, self.w_o_diag

    def call(self, inputs, state):
        """Applies `lstm_step`."""
        c, h = state if self.state_is_tuple else tf.split(state, [self.num_units, -1], axis=1)
        c, h = lstm_step(
            inputs,
            c,
            h,
            tf.convert_to_tensor(self.kernel),
            tf.convert_to_tensor(self.bias),
            forget_bias=self.forget_bias,
            activation=self.activation,
            peepholes=self.peepholes and [tf.convert_to_tensor(w) for w in self.peepholes],
            cell_clip=self.cell_clip,
            projection=None
            if self.num_proj is None
            else tf.convert_to_tensor(self.projection_kernel),
            proj_clip=self.proj_clip,
        )
        return h, LSTMStateTuple(c, h) if self.state_is_tuple else tf.concat([c, h], 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_units": self.num_units,
            "use_peepholes": self.use_peepholes,
            "cell_clip": self.cell_clip,
            "initializer": keras.initializers.serialize(self.initializer),
            "num_proj": self.num_proj,
            "proj_clip": self.proj_clip,
            "forget_bias": self.forget_bias,
            "state_is_tuple": self.state_is_tuple,
            "activation": serialize_activation(self.activation),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


_OPTIONS_OF_LSTM = (
    *("use_peepholes", "cell_clip", "num_proj", "proj_clip"),
    *("num_unit_shards", "num_proj_shards"),
)


@keras.saving.register_keras_serializable(PACKAGE)
class BasicLSTMCell(LSTMCell):
    """The LSTM without peepholes, clipping and projection; see `lstm_step`.

    State: `LSTMStateTuple(c, h)`, each `[batch, num_units]`, or `[batch, 2 num_units]`, c first,
    with `state_is_tuple=False`. The output is h. Variables, interchangeable with `LSTMCell`'s:
    `kernel` `[input_size + num_units, 4 num_units]` with the columns i, j, f, o, and `bias`
    `[4 num_units]`.

    Args:
        num_units: the size of c and of h.
        forget_bias: added to the forget gate at run time, never stored in the bias. Set it to 0.0
            for weights that hold it already (cuDNN, Keras, PyTorch).
        state_is_tuple: whether the state is an `LSTMStateTuple`.
        activation: a callable or a Keras name; tanh if nothing is given.
        reuse: refused if true; call the same cell object again instead.
        name: the scope in `tf1_variables`, by default `basic_lstm_cell`.
        dtype: see `RNNCell`.
        kernel_initializer: Keras's, Glorot uniform over the whole kernel by default.
        bias_initializer: Keras's, zeros by default.

    Raises:
        TypeError: an option of `LSTMCell` that this cell does not have.

    Source: `tf.nn.rnn_cell.BasicLSTMCell` of TensorFlow 1; https://arxiv.org/abs/1409.2329.

    >>> cell = BasicLSTMCell(100)
    >>> cell.build((None, 28))
    >>> cell.state_size, cell.count_params()
    (LSTMStateTuple(c=100, h=100), 51600)
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        state_is_tuple=True,
        activation=None,
        reuse=None,
        name=None,
        dtype=None,
        *,
        kernel_initializer=None,
        bias_initializer=None,
        **kwargs,
    ):
        refused = sorted(set(kwargs) & set(_OPTIONS_OF_LSTM))
        if refused:
            raise TypeError(
                f"Keyword argument not understood: {', '.join(refused)}. BasicLSTMCell has no "
                "peepholes, clipping and projection; use LSTMCell."
            )
        super().__init__(
            num_units,
            initializer=kernel_initializer,
            forget_bias=forget_bias,
            state_is_tuple=state_is_tuple,
            activation=activation,
            reuse=reuse,
            name=name,
            dtype=dtype,
            bias_initializer=bias_initializer,
            **kwargs,
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        config = super().get_config()
        for argument in set(_OPTIONS_OF_LSTM) & set(config):
            del config[argument]
        config["kernel_initializer"] = config.pop("initializer")
        return config
