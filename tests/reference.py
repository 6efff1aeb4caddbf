"""TF1's recurrent cells in NumPy float64, one step each, as an independent check of the package.

Weights are dicts keyed by the TF1 variable names relative to the cell's scope.
"""

import numpy as np


def _f64(values):
    """Return the values as a float64 array."""
    return np.asarray(values, dtype=np.float64)


def _f64_dict(weights):
    """Return the weights with every array in float64."""
    return {name: _f64(value) for name, value in weights.items()}


def named_weights(cell):
    """A cell's weights by TF1's names relative to its scope, as the steps below take them."""
    return {
        name.removeprefix(f"{cell.tf1_scope}/"): np.asarray(variable)
        for name, variable in cell.tf1_named_variables()
    }


def sigmoid(x):
    """Logistic function, in a form that cannot overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * _f64(x)))


def softmax(x):
    """Softmax of a vector."""
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def _clip(x, limit):
    """Clip to [-limit, limit]; no limit means no clipping."""
    return x if limit is None else np.minimum(np.maximum(x, -limit), limit)


def flatten(structure):
    """List the arrays of a nested tuple or list from left to right."""
    if isinstance(structure, (tuple, list)):
        return [leaf for part in structure for leaf in flatten(part)]
    return [_f64(structure)]


def basic_rnn_step(inputs, state, weights, *, activation=np.tanh):
    """BasicRNNCell: h' = act([x, h] K + b)."""
    weights = _f64_dict(weights)
    h = np.concatenate([_f64(inputs), _f64(state)], axis=1)
    h = activation(h @ weights["kernel"] + weights["bias"])
    return h, h


def gru_step(inputs, state, weights, *, activation=np.tanh):
    """GRUCell: gates in the order reset, update; reset applied before the candidate's product."""
    x, h, weights = _f64(inputs), _f64(state), _f64_dict(weights)
    n = h.shape[1]
    gates = np.concatenate([x, h], axis=1) @ weights["gates/kernel"] + weights["gates/bias"]
    reset, update = sigmoid(gates[:, :n]), sigmoid(gates[:, n:])
    candidate = np.concatenate([x, reset * h], axis=1) @ weights["candidate/kernel"]
    candidate = activation(candidate + weights["candidate/bias"])
    h = update * h + (1.0 - update) * candidate
    return h, h


def lstm_step(
    inputs,
    state,
    weights,
    *,
    forget_bias=1.0,
    use_peepholes=False,
    cell_clip=None,
    num_proj=None,
    proj_clip=None,
    activation=np.tanh,
):
    """BasicLSTMCell and LSTMCell: gate order i, j, f, o; state (c, h)."""
    weights = _f64_dict(weights)
    c, m = _f64(state[0]), _f64(state[1])
    n = c.shape[1]
    z = np.concatenate([_f64(inputs), m], axis=1) @ weights["kernel"] + weights["bias"]
    i, j, f, o = z[:, :n], z[:, n : 2 * n], z[:, 2 * n : 3 * n], z[:, 3 * n :]
    f = f + forget_bias
    if use_peepholes:
        i = i + weights["w_i_diag"] * c
        f = f + weights["w_f_diag"] * c
    c = _clip(sigmoid(f) * c + sigmoid(i) * activation(j), cell_clip)
    if use_peepholes:
        o = o + weights["w_o_diag"] * c
    m = sigmoid(o) * activation(c)
    if num_proj is not None:
        m = _clip(m @ weights["projection/kernel"], proj_clip)
    return m, (c, m)


def _unshard(weights, name):
    """Join the row shards name_0, name_1, ... of one matrix."""
    shards = []
    while f"{name}_{len(shards)}" in weights:
        shards.append(weights[f"{name}_{len(shards)}"])
    return np.concatenate(shards, axis=0)


def grid_features(
    row,
    *,
    feature_size,
    frequency_skip,
    num_frequency_blocks,
    start_freqindex_list=None,
    end_freqindex_list=None,
):
    """Cut one input row into a list of blocks, each a list of frequency windows."""
    starts = start_freqindex_list or [0]
    ends = end_freqindex_list or [len(row)]
    blocks = []
    for start, end, expected in zip(starts, ends, num_frequency_blocks, strict=True):
        count = int((end - start - feature_size) / frequency_skip) + 1
        assert count == expected, (count, expected)
        corners = [start + f * frequency_skip for f in range(count)]
        blocks.append([row[corner : corner + feature_size] for corner in corners])
    return blocks


def _grid_peephole(weights, gate, axis, block, c_freq, c_time):
    """Peephole term of one gate from both cell states."""
    w_freq = weights[f"W_{gate}_diag_{axis}f_{block}"]
    w_time = weights[f"W_{gate}_diag_{axis}t_{block}"]
    return w_freq * c_freq + w_time * c_time


def _grid_old_gates(v, axis, c_freq, c_time, weights, block, options):
    """Gates of one direction that look at the old cells: returns (input, candidate, forget, o)."""
    n, coupled = options["num_units"], options["couple_input_forget_gates"]
    z = v @ _unshard(weights, f"W_{axis[0]}_{block}") + weights[f"B_{axis[0]}_{block}"]
    parts = [z[k * n : (k + 1) * n] for k in range(3 if coupled else 4)]
    i, j, o = parts[0], parts[1], parts[-1]
    if options["use_peepholes"]:
        i = i + _grid_peephole(weights, "I", axis, block, c_freq, c_time)
    if coupled:
        return sigmoid(i), np.tanh(j), 1.0 - sigmoid(i), o
    f = parts[2] + options["forget_bias"]
    if options["use_peepholes"]:
        f = f + _grid_peephole(weights, "F", axis, block, c_freq, c_time)
    return sigmoid(i), np.tanh(j), sigmoid(f), o


def _grid_window(x, c_time, m_time, c_freq, m_freq, weights, block, options):
    """One frequency window of one row: returns the new (c_time, m_time, c_freq, m_freq)."""
    v, clip = np.concatenate([x, m_time, m_freq]), options["cell_clip"]
    time_axis = "freq" if options["share_time_frequency_weights"] else "time"
    old = (c_freq, c_time, weights, block, options)
    i_freq, j_freq, f_freq, o_freq = _grid_old_gates(v, "freq", *old)
    i_time, j_time, f_time, o_time = _grid_old_gates(v, time_axis, *old)
    c_freq = _clip(f_freq * c_freq + i_freq * j_freq, clip)
    c_time = _clip(f_time * c_time + i_time * j_time, clip)
    if options["use_peepholes"]:
        o_freq = o_freq + _grid_peephole(weights, "O", "freq", block, c_freq, c_time)
        o_time = o_time + _grid_peephole(weights, "O", time_axis, block, c_freq, c_time)
    m_freq = sigmoid(o_freq) * np.tanh(c_freq)
    m_time = sigmoid(o_time) * np.tanh(c_time)
    return c_time, m_time, c_freq, m_freq


def _grid_row(blocks, state, weights, options):
    """All blocks and frequencies of one row: returns (output vector, list of state vectors)."""
    outputs, new_state = [], []
    for block, windows in enumerate(blocks):
        c_freq = m_freq = np.zeros(options["num_units"])
        for x in windows:
            c_time, m_time = state[len(new_state)], state[len(new_state) + 1]
            c_time, m_time, c_freq, m_freq = _grid_window(
                x, c_time, m_time, c_freq, m_freq, weights, block, options
            )
            new_state += [c_time, m_time]
            outputs += [m_time, m_freq]
    return np.concatenate(outputs), new_state


def grid_lstm_step(
    inputs,
    state,
    weights,
    *,
    num_units,
    use_peepholes=False,
    share_time_frequency_weights=False,
    cell_clip=None,
    forget_bias=1.0,
    feature_size,
    frequency_skip,
    num_frequency_blocks,
    start_freqindex_list=None,
    end_freqindex_list=None,
    couple_input_forget_gates=False,
):
    """Time-frequency GridLSTMCell; state is the flat list c, m, c, m, ... over the windows."""
    weights, state = _f64_dict(weights), flatten(list(state))
    assert len(state) == 2 * sum(num_frequency_blocks), len(state)
    options = {
        "num_units": num_units,
        "use_peepholes": use_peepholes,
        "share_time_frequency_weights": share_time_frequency_weights,
        "cell_clip": cell_clip,
        "forget_bias": forget_bias,
        "couple_input_forget_gates": couple_input_forget_gates,
    }
    outputs, states = [], []
    for b, row in enumerate(_f64(inputs)):
        blocks = grid_features(
            row,
            feature_size=feature_size,
            frequency_skip=frequency_skip,
            num_frequency_blocks=num_frequency_blocks,
            start_freqindex_list=start_freqindex_list,
            end_freqindex_list=end_freqindex_list,
        )
        output, new_state = _grid_row(blocks, [s[b] for s in state], weights, options)
        outputs.append(output)
        states.append(new_state)
    return np.stack(outputs), [np.stack(column) for column in zip(*states, strict=True)]


def _attend(memory, query, weights):
    """Attention over the memory rows of one example: returns their weighted sum."""
    attn_w = weights["attention/attn_w"][0, 0]
    from_query = query @ weights["attention/kernel"] + weights["attention/bias"]
    scores = [
        np.sum(weights["attention/attn_v"] * np.tanh(slot @ attn_w + from_query)) for slot in memory
    ]
    return sum(a * slot for a, slot in zip(softmax(np.array(scores)), memory, strict=True))


def attention_step(inputs, state, weights, *, cell_step, attn_length, attn_size, attn_vec_size):
    """AttentionCellWrapper around cell_step; state is (inner state, attns, attn_states)."""
    weights = _f64_dict(weights)
    assert weights["attention/attn_w"].shape == (1, 1, attn_size, attn_vec_size)
    inner_state, attns, attn_states = state
    memory = _f64(attn_states).reshape(-1, attn_length, attn_size)
    x = np.concatenate([_f64(inputs), _f64(attns)], axis=1) @ weights["kernel"] + weights["bias"]
    y, inner_state = cell_step(x, inner_state)
    query = np.concatenate(flatten(inner_state), axis=1)
    attns = np.stack([_attend(m, q, weights) for m, q in zip(memory, query, strict=True)])
    output = np.concatenate([_f64(y), attns], axis=1)
    output = output @ weights["attn_output_projection/kernel"]
    output = output + weights["attn_output_projection/bias"]
    memory = np.concatenate([memory[:, 1:], output[:, np.newaxis]], axis=1)
    return output, (inner_state, attns, memory.reshape(-1, attn_length * attn_size))


def unroll(step, inputs, state):
    """Run step over the time axis of [B, T, D] inputs: returns ([B, T, ...] outputs, state)."""
    inputs, outputs = _f64(inputs), []
    for t in range(inputs.shape[1]):
        output, state = step(inputs[:, t], state)
        outputs.append(output)
    return np.stack(outputs, axis=1), state


def classifier_logits(images, steps, states, kernel, bias, *, scale, offset):
    """Logits of [B, T, D] uint8 images read row by row through a stack of cells."""
    sequence = _f64(images) * scale + offset
    for step, state in zip(steps, states, strict=True):
        sequence, _ = unroll(step, sequence, state)
    return sequence[:, -1] @ _f64(kernel) + _f64(bias)
