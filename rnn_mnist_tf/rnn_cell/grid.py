"""The time-frequency grid LSTM of TensorFlow 1's contrib."""

import collections
import functools

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell.base import PACKAGE
from rnn_mnist_tf.rnn_cell.checks import check_clip, check_units, get_initializer, refuse_reuse
from rnn_mnist_tf.rnn_cell.layer_cell import LayerRNNCell


@functools.cache
def grid_state_tuple(num_frequency_blocks):
    """Returns the namedtuple of a grid's state: `state_f00_b00_c`, `state_f00_b00_m`, ...

    >>> grid_state_tuple((1, 1))._fields
    ('state_f00_b00_c', 'state_f00_b00_m', 'state_f00_b01_c', 'state_f00_b01_m')
    """
    fields = [
        f"state_f{frequency:02d}_b{block:02d}_{part}"
        for block, count in enumerate(num_frequency_blocks)
        for frequency in range(count)
        for part in "cm"
    ]
    return collections.namedtuple("GridLSTMStateTuple", fields)


def grid_lstm_step(
    features,
    time_states,
    time_weights,
    frequency_weights,
    *,
    forget_bias=1.0,
    cell_clip=None,
    couple_input_forget_gates=False,
):
    """One step of one block: at each frequency one LSTM along time and one along frequency.

    For each frequency, with (c_t, m_t) from the step before and (c_f, m_f) from the frequency
    before, zeros at first, for both directions D in {T, F}:

        i, j, f, o = split([x_f, m_t, m_f] W_D + B_D)
        i_D = sigmoid(i + wI_Df c_f + wI_Dt c_t)
        f_D = sigmoid(f + forget_bias + wF_Df c_f + wF_Dt c_t)     or 1 - i_D, coupled
        c_D = clip(f_D c_d + i_D tanh(j)),  d the direction itself
        m_D = sigmoid(o + wO_Df c_F + wO_Dt c_T) tanh(c_D)

    Args:
        features: the inputs of each frequency, tensors `[batch, feature_size]`.
        time_states: `(c_t, m_t)` of each frequency, `[batch, num_units]` each.
        time_weights, frequency_weights: dicts with `kernel`
            `[feature_size + 2 num_units, gates num_units]`, `bias`, and either no peepholes or
            `I_f`, `I_t`, `O_f`, `O_t` and, uncoupled, `F_f`, `F_t`, each `[num_units]`.
        forget_bias: added to f before the sigmoid.
        cell_clip: None or a number.
        couple_input_forget_gates: whether f = 1 - i; then there are three gates, i, j, o.

    Returns:
        `(outputs, time_states)`: for each frequency `[m_T, m_F]`, and `(c_T, m_T)`.

    >>> weights = {"kernel": tf.zeros([3, 4]), "bias": tf.zeros([4])}
    >>> ones = tf.ones([1, 1])
    >>> outputs, states = grid_lstm_step([ones], [(ones, ones)], weights, weights, forget_bias=0.0)
    >>> float(states[0][0][0, 0])
    0.5
    """
    options = (forget_bias, cell_clip, couple_input_forget_gates)
    c_frequency, m_frequency = (tf.zeros_like(leaf) for leaf in time_states[0])
    outputs, new_states = [], []
    for x, (c_time, m_time) in zip(features, time_states):
        joined = tf.concat([x, m_time, m_frequency], 1)
        old = (c_frequency, c_time)
        new_c_frequency, o_frequency = _grid_memory(
            joined, frequency_weights, old, c_frequency, *options
        )
        new_c_time, o_time = _grid_memory(joined, time_weights, old, c_time, *options)
        new = (new_c_frequency, new_c_time)
        m_frequency = _grid_output(o_frequency, frequency_weights, new, new_c_frequency)
        m_time = _grid_output(o_time, time_weights, new, new_c_time)
        c_frequency = new_c_frequency
        outputs.append([m_time, m_frequency])
        new_states.append((new_c_time, m_time))
    return outputs, new_states


def _peep(gate, weights, name, memories):
    """Adds what a gate sees of the memories along frequency and time."""
    if f"{name}_f" not in weights:
        return gate
    c_frequency, c_time = memories
    return gate + weights[f"{name}_f"] * c_frequency + weights[f"{name}_t"] * c_time


def _grid_memory(joined, weights, memories, own, forget_bias, cell_clip, coupled):
    """Returns the new memory of one direction, and its output gate before peepholes."""
    gates = tf.nn.bias_add(tf.matmul(joined, weights["kernel"]), weights["bias"])
    if coupled:
        i, j, o = tf.split(gates, 3, axis=1)
        i = tf.sigmoid(_peep(i, weights, "I", memories))
        f = 1 - i
    else:
        i, j, f, o = tf.split(gates, 4, axis=1)
        i = tf.sigmoid(_peep(i, weights, "I", memories))
        f = tf.sigmoid(_peep(f + tf.cast(forget_bias, f.dtype), weights, "F", memories))
    c = f * own + i * tf.tanh(j)
    if cell_clip is not None:
        c = tf.clip_by_value(c, -cell_clip, cell_clip)
    return c, o


def _grid_output(o, weights, memories, own):
    return tf.sigmoid(_peep(o, weights, "O", memories)) * tf.tanh(own)


@keras.saving.register_keras_serializable(PACKAGE)
class GridLSTMCell(LayerRNNCell):
    """The time-frequency LSTM of Sainath and Li 2016: an LSTM along time and one along frequency.

    Not the N-dimensional Grid LSTM of Kalchbrenner et al. 2015. See `grid_lstm_step`.

    Each block k reads `num_frequency_blocks[k]` windows of the inputs, `feature_size` wide,
    `frequency_skip` apart. State: a namedtuple with `state_f00_b00_c`, `state_f00_b00_m`, ...,
    each `[batch, num_units]`, block by block and frequency by frequency, or all side by side in
    one tensor with `state_is_tuple=False`. Output: for each frequency m along time, then m along
    frequency, `[batch, 2 num_units frequencies]`.

    One difference from TF1: with `state_is_tuple=False` and several blocks, TF1 reads every
    block's state from the first columns; here each block reads its own.

    Args:
        num_units: the size of each c and m.
        use_peepholes: whether the gates see c.
        share_time_frequency_weights: whether time uses the frequency's variables.
        cell_clip: None, or c is clipped.
        initializer: stored and never used, as in TF1; pass `kernel_initializer`.
        num_unit_shards: into how many variables each kernel is cut, by rows.
        forget_bias: added to the forget gates at run time.
        feature_size: the width of a window.
        frequency_skip: the distance between windows.
        num_frequency_blocks: a list, the number of windows of each block.
        start_freqindex_list, end_freqindex_list: where each block begins and ends in the inputs;
            without them there is one block, over all of the inputs.
        couple_input_forget_gates: whether the forget gate is one minus the input gate.
        state_is_tuple: whether the state is a namedtuple.
        reuse: refused if true; call the same cell object again instead.
        name: the scope in `tf1_variables`, by default `grid_lstm_cell`.
        dtype: see `RNNCell`.
        kernel_initializer: of kernels and peepholes, Glorot uniform by default.

    Raises:
        ValueError: no `num_frequency_blocks`; a negative clip; index lists of other lengths; at
            `build`, a number of windows that the inputs do not give.

    Source: `tf.contrib.rnn.GridLSTMCell` of TensorFlow 1; Sainath and Li, "Modeling Time-Frequency
    Patterns with LSTM vs. Convolutional Architectures for LVCSR Tasks", Interspeech 2016.

    >>> cell = GridLSTMCell(8, feature_size=7, frequency_skip=7, num_frequency_blocks=[4])
    >>> output, state = cell(tf.ones([2, 28]), cell.zero_state(2, tf.float32))
    >>> output.shape, state._fields[:2]
    (TensorShape([2, 64]), ('state_f00_b00_c', 'state_f00_b00_m'))
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        share_time_frequency_weights=False,
        cell_clip=None,
        initializer=None,
        num_unit_shards=1,
        forget_bias=1.0,
        feature_size=None,
        frequency_skip=None,
        num_frequency_blocks=None,
        start_freqindex_list=None,
        end_freqindex_list=None,
        couple_input_forget_gates=False,
        state_is_tuple=True,
        reuse=None,
        name=None,
        dtype=None,
        *,
        kernel_initializer=None,
        **kwargs,
    ):
        refuse_reuse(reuse)
        if not num_frequency_blocks:
            raise ValueError(
                "Must specify num_frequency_blocks. Received "
                f"num_frequency_blocks={num_frequency_blocks!r}, expected a list, for example [4] "
                "for four windows."
            )
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_units = check_units(num_units)
        self.use_peepholes = bool(use_peepholes)
        self.share_time_frequency_weights = bool(share_time_frequency_weights)
        self.cell_clip = check_clip(cell_clip, "cell_clip")
        self.initializer = initializer
        self.num_unit_shards = check_units(num_unit_shards, "num_unit_shards")
        self.forget_bias = float(forget_bias)
        self.feature_size = None if feature_size is None else int(feature_size)
        self.frequency_skip = None if frequency_skip is None else int(frequency_skip)
        self.num_frequency_blocks = [
            check_units(n, "num_frequency_blocks") for n in num_frequency_blocks
        ]
        self.start_freqindex_list = list(start_freqindex_list or [])
        # Without starts there is one block and TF1 looks at no ends.
        self.end_freqindex_list = list(end_freqindex_list or []) if start_freqindex_list else []
        self.couple_input_forget_gates = bool(couple_input_forget_gates)
        self.state_is_tuple = bool(state_is_tuple)
        self.kernel_initializer = get_initializer(kernel_initializer, "glorot_uniform")
        self._check_blocks()

    def _check_blocks(self):
        blocks, starts = len(self.num_frequency_blocks), len(self.start_freqindex_list)
        if not starts:
            if blocks != 1:
                raise ValueError(
                    f"Length of num_frequency_blocks is not 1, but instead is {blocks}. Pass "
                    "start_freqindex_list and end_freqindex_list for several blocks."
                )
            return
        if starts != len(self.end_freqindex_list):
            raise ValueError(
                "Length of start and end freqindex_list does not match: "
                f"{starts} and {len(self.end_freqindex_list)}."
            )
        if blocks != starts:
            raise ValueError(
                "Length of num_frequency_blocks is not equal to start_freqindex_list: "
                f"{blocks} and {starts}."
            )

    @property
    def state_tuple_type(self):
        """The namedtuple of the state, or None with `state_is_tuple=False`."""
        if not self.state_is_tuple:
            return None
        return grid_state_tuple(tuple(self.num_frequency_blocks))

    @property
    def state_size(self):
        """The namedtuple of sizes, or their sum."""
        leaves = 2 * sum(self.num_frequency_blocks)
        if self.state_is_tuple:
            return self.state_tuple_type(*[self.num_units] * leaves)
        return self.num_units * leaves

    @property
    def output_size(self):
        """`2 num_units` for each frequency."""
        return 2 * self.num_units * sum(self.num_frequency_blocks)

    def _windows(self, depth):
        """Returns for each block the starts of its windows, and their width."""
        size = self.feature_size or depth
        skip = self.frequency_skip or 1
        starts = self.start_freqindex_list or [0]
        ends = self.end_freqindex_list or [depth]
        windows = []
        for count, start, end in zip(self.num_frequency_blocks, starts, ends):
            fitting = int((end - start - size) / skip) + 1
            if count != fitting:
                raise ValueError(
                    f"Invalid num_frequency_blocks, requires {count} but gets {fitting}, please "
                    "check the input size and filter config are correct. Received inputs of "
                    f"{depth} features, feature_size={size}, frequency_skip={skip}."
                )
            windows.append([start + index * skip for index in range(count)])
        return windows, size

    def build(self, inputs_shape):
        """Makes the variables, block by block, in TF1's order."""
        _, size = self._windows(self.input_depth(inputs_shape))
        rows = size + 2 * self.num_units
        gates = 3 if self.couple_input_forget_gates else 4
        directions = ["f"] if self.share_time_frequency_weights else ["f", "t"]
        for block in range(len(self.num_frequency_blocks)):
            for direction in directions:
                for shard, shard_rows in enumerate(self._shards(rows)):
                    self._add(
                        f"W_{direction}_{block}_{shard}", (shard_rows, gates * self.num_units)
                    )
                self._add(f"B_{direction}_{block}", (gates * self.num_units,), "zeros")
            if self.use_peepholes:
                for direction in directions:
                    for name in self._peephole_names(direction, block).values():
                        self._add(name, (self.num_units,))

    def _shards(self, rows):
        shards = self.num_unit_shards
        if shards > rows:
            raise ValueError(f"Too many shards: {rows} rows, num_unit_shards={shards}.")
        return [rows // shards + (shard < rows % shards) for shard in range(shards)]

    def _peephole_names(self, direction, block):
        """Maps `I_f` and so on to TF1's names: which gate, in which direction, sees which c."""
        gates = "IO" if self.couple_input_forget_gates else "FIO"
        word = {"f": "freq", "t": "time"}[direction]
        return {
            f"{gate}_{seen}": f"W_{gate}_diag_{word}{seen}_{block}"
            for gate in gates
            for seen in "ft"
        }

    def _add(self, name, shape, initializer=None):
        variable = self.add_weight(
            name=name, shape=shape, initializer=initializer or self.kernel_initializer
        )
        setattr(self, name, variable)

    def _weights(self, direction, block):
        if self.share_time_frequency_weights:
            direction = "f"
        shards = [
            tf.convert_to_tensor(getattr(self, f"W_{direction}_{block}_{shard}"))
            for shard in range(self.num_unit_shards)
        ]
        weights = {
            "kernel": tf.concat(shards, 0),
            "bias": tf.convert_to_tensor(getattr(self, f"B_{direction}_{block}")),
        }
        if self.use_peepholes:
            for key, name in self._peephole_names(direction, block).items():
                weights[key] = tf.convert_to_tensor(getattr(self, name))
        return weights

    def call(self, inputs, state):
        """Applies `grid_lstm_step` to each block."""
        leaves = 2 * sum(self.num_frequency_blocks)
        flat = list(state) if self.state_is_tuple else tf.split(state, leaves, axis=1)
        pairs = list(zip(flat[::2], flat[1::2]))
        windows, size = self._windows(inputs.shape[-1])
        outputs, new_states = [], []
        for block, starts in enumerate(windows):
            block_outputs, block_states = grid_lstm_step(
                [inputs[:, start : start + size] for start in starts],
                [pairs.pop(0) for _ in starts],
                self._weights("t", block),
                self._weights("f", block),
                forget_bias=self.forget_bias,
                cell_clip=self.cell_clip,
                couple_input_forget_gates=self.couple_input_forget_gates,
            )
            outputs += tf.nest.flatten(block_outputs)
            new_states += tf.nest.flatten(block_states)
        if self.state_is_tuple:
            return tf.concat(outputs, 1), self.state_tuple_type(*new_states)
        return tf.concat(outputs, 1), tf.concat(new_states, 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        names = (
            "num_units",
            "use_peepholes",
            "share_time_frequency_weights",
            "cell_clip",
            "num_unit_shards",
            "forget_bias",
            "feature_size",
            "frequency_skip",
            "num_frequency_blocks",
            "start_freqindex_list",
            "end_freqindex_list",
            "couple_input_forget_gates",
            "state_is_tuple",
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "num_frequency_blocks": list(self.num_frequency_blocks),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
