"""Weights between this package's cells and Keras's layers: exact, or refused with the reason.

Exact means the same function of real numbers; rounding differs, since Keras multiplies inputs and
state apart and holds the forget bias in its bias.
"""

import keras
import numpy as np

from rnn_mnist_tf.rnn_cell import BasicLSTMCell, BasicRNNCell, GRUCell, LSTMCell, MultiRNNCell
from rnn_mnist_tf.rnn_cell.keras_cell import KerasCell, as_rnn_cell

_CELLS = (BasicRNNCell, GRUCell, BasicLSTMCell, LSTMCell)
_KERAS_LAYERS = {
    keras.layers.SimpleRNNCell: keras.layers.SimpleRNN,
    keras.layers.GRUCell: keras.layers.GRU,
    keras.layers.LSTMCell: keras.layers.LSTM,
}


def to_keras_cell(cell):
    """Returns Keras's cell with the function of a built cell.

    | here                       | Keras                                    |
    |----------------------------|------------------------------------------|
    | `BasicRNNCell`             | `SimpleRNNCell`                          |
    | `GRUCell`                  | `GRUCell(reset_after=False)`             |
    | `BasicLSTMCell`, `LSTMCell`| `LSTMCell`, its bias with `forget_bias`  |
    | `MultiRNNCell`             | `StackedRNNCells`                        |
    | `KerasCell`                | the Keras cell that it holds             |

    Args:
        cell: a built cell.

    Raises:
        ValueError: not built; peepholes, clipping, projection, a concatenated state, a stack in a
            stack, or another cell, a subclass too, which Keras has no counterpart for.

    >>> cell = GRUCell(4)
    >>> cell.build((None, 3))
    >>> to_keras_cell(cell).reset_after
    False
    """
    cell = as_rnn_cell(cell)
    if type(cell) is KerasCell:
        _input_size(cell)  # raises if it is not built
        return cell.cell
    if type(cell) is MultiRNNCell:
        cells = [to_keras_cell(one) for one in _layers_of(cell)]
        stack = keras.layers.StackedRNNCells(cells, trainable=cell.trainable)
        stack.build((None, _input_size(cell.cells[0])))
        return stack
    _check_counterpart(cell)
    target = _new_keras_cell(cell)
    target.build((None, _input_size(cell)))
    target.set_weights(to_keras_weights(cell))
    return target


def to_keras_layers(cell, **arguments):
    """Returns the chain of Keras layers (`SimpleRNN`, `GRU`, `LSTM`) with a built cell's function.

    Args:
        cell: a built cell; a `MultiRNNCell` gives one layer for each of its cells.
        arguments: of every layer, for example `return_state=True`. All layers return sequences.

    Returns:
        A list of built Keras layers.

    Raises:
        ValueError: see `to_keras_cell`; `return_sequences=False`.

    >>> cell = MultiRNNCell([BasicLSTMCell(4), BasicLSTMCell(3)])
    >>> cell.build((None, 2))
    >>> [layer.units for layer in to_keras_layers(cell)]
    [4, 3]
    """
    if not arguments.get("return_sequences", True):
        raise ValueError(
            "Received return_sequences=False, expected True: each layer of the chain reads the "
            "sequence of the one before. Take the last layer's last output."
        )
    layers = []
    for one in map(as_rnn_cell, _layers_of(cell)):
        inner = to_keras_cell(one)
        if isinstance(inner, keras.layers.StackedRNNCells):
            _refuse(cell, "Keras's StackedRNNCells; pass its cells in a MultiRNNCell")
        if type(inner) not in _KERAS_LAYERS:
            _refuse(cell, f"a {type(inner).__name__}; Keras has no layer for it")
        config = {**inner.get_config(), **_activations(inner)}
        config.pop("name")  # the cell's
        layer = _KERAS_LAYERS[type(inner)](**{**config, "return_sequences": True, **arguments})
        layer.build((None, None, _input_size(one)))
        layer.set_weights(inner.get_weights())
        layers.append(layer)
    return layers


def _activations(inner):
    """A Keras cell's functions themselves: a configuration has names, which may be another's."""
    names = ("activation", "recurrent_activation")
    return {name: getattr(inner, name) for name in names if hasattr(inner, name)}


def from_keras(source):
    """Returns this package's cell with the function of Keras's built cell, layer or layers.

    An LSTM comes back as a `BasicLSTMCell` with `forget_bias=0`, since Keras's bias holds it.

    Args:
        source: a built `SimpleRNN`, `GRU(reset_after=False)` or `LSTM` layer or cell,
            `StackedRNNCells`, or a list of them, which gives a `MultiRNNCell`.

    Raises:
        ValueError: not built; `reset_after=True`, whose function no TF1 cell has; a gate activation
            other than sigmoid; no bias vector; a layer that goes backwards.
        TypeError: another object.

    >>> layer = keras.layers.LSTM(4)
    >>> layer.build((None, 5, 3))
    >>> from_keras(layer).forget_bias
    0.0
    """
    if isinstance(source, (list, tuple)):
        stack = MultiRNNCell([from_keras(one) for one in source])
        stack.build((None, _input_size(stack.cells[0])))
        return stack
    if type(source) is keras.layers.StackedRNNCells:
        return from_keras(list(source.cells))
    if getattr(source, "go_backwards", False):
        raise ValueError(
            f"Received {source.name} with go_backwards=True, expected False: a cell has no "
            "direction. Pass the layer's cell, and reverse the inputs yourself."
        )
    is_layer = type(source) in (keras.layers.RNN, *_KERAS_LAYERS.values())
    inner = source.cell if is_layer else source
    if is_layer and type(inner) is keras.layers.StackedRNNCells:
        return from_keras(inner)
    if type(inner) not in _KERAS_LAYERS:
        raise TypeError(
            f"Received source={source!r}, expected a SimpleRNN, GRU or LSTM layer or cell of "
            "Keras's own: what a subclass computes is not known. Pass the layers of a model in a "
            "list, those of Bidirectional as forward_layer.cell and backward_layer.cell."
        )
    if not inner.built:
        raise ValueError(f"Received {inner.name}, which is not built. Call it, or build it, first.")
    _check_keras(inner)
    cell = _new_cell(inner)
    kernel, recurrent, bias = (np.asarray(w) for w in inner.get_weights())
    cell.build((None, kernel.shape[0]))
    cell.set_weights(_from_keras_weights(inner, kernel, recurrent, bias))
    return cell


def refusal(cell):
    """Returns why `to_keras_cell` refuses a cell, or None.

    Args:
        cell: any cell, built or not; a stack has the reason of its first cell that has one.

    >>> refusal(LSTMCell(4, use_peepholes=True))
    'use_peepholes=True; Keras has no peepholes'
    >>> refusal(MultiRNNCell([GRUCell(4), keras.layers.LSTMCell(4)])) is None
    True
    """
    cell = as_rnn_cell(cell)
    if type(cell) is KerasCell:
        return None
    if type(cell) is MultiRNNCell:
        return _stack_refusal(cell) or next(filter(None, map(refusal, cell.cells)), None)
    if type(cell) not in _CELLS:  # what a subclass computes is not known
        return f"a {type(cell).__name__}; Keras has none"
    if not isinstance(cell, LSTMCell):
        return None
    if cell.use_peepholes:
        return "use_peepholes=True; Keras has no peepholes"
    if cell.cell_clip is not None:
        return f"cell_clip={cell.cell_clip}; Keras clips no state"
    if cell.num_proj is not None:
        return f"num_proj={cell.num_proj}; Keras has no projection"
    if not cell.state_is_tuple:
        return "state_is_tuple=False; Keras has no concatenated state"
    return None


def _layers_of(cell):
    """The cells of a stack, or the one that is none."""
    if type(cell) is not MultiRNNCell:
        return [cell]
    reason = _stack_refusal(cell)
    if reason:
        _refuse(cell, reason)
    return list(cell.cells)


def _stack_refusal(stack):
    """Why Keras has no counterpart of a stack, whatever its cells are, or None."""
    if not stack.state_is_tuple:
        return "state_is_tuple=False; Keras has no concatenated state"
    if any(isinstance(one, MultiRNNCell) for one in stack.cells):
        return "a stack in a stack; pass all cells in one MultiRNNCell"
    return None


def _check_counterpart(cell):
    reason = refusal(cell)
    if reason:
        _refuse(cell, reason)


def _refuse(cell, reason):
    name = getattr(cell, "name", type(cell).__name__)
    raise ValueError(f"Received {name} with {reason}, expected a cell that Keras has too.")


def _input_size(cell):
    own = cell.cell if isinstance(cell, KerasCell) else cell
    if not own.built:
        raise ValueError(f"Received {own.name}, which is not built. Call it, or build it, first.")
    if isinstance(cell, MultiRNNCell):
        return _input_size(cell.cells[0])
    if isinstance(cell, KerasCell):
        inner = cell.cell
        while isinstance(inner, keras.layers.StackedRNNCells):
            inner = inner.cells[0]
        return inner.kernel.shape[0]
    kernel = cell.candidate_kernel if isinstance(cell, GRUCell) else cell.kernel
    return kernel.shape[0] - cell.output_size


def _new_keras_cell(cell):
    arguments = {
        "units": cell.num_units,
        "activation": cell.activation,
        "dtype": cell.dtype_policy,
        "trainable": cell.trainable,
    }
    if cell.variable_dtype == "bfloat16":  # in which Keras's orthogonal matrices cannot be drawn
        arguments["recurrent_initializer"] = "glorot_uniform"
    if isinstance(cell, BasicRNNCell):
        return keras.layers.SimpleRNNCell(**arguments)
    if isinstance(cell, GRUCell):
        return keras.layers.GRUCell(**arguments, recurrent_activation="sigmoid", reset_after=False)
    return keras.layers.LSTMCell(**arguments, recurrent_activation="sigmoid")


def to_keras_weights(cell):
    """Returns `[kernel, recurrent_kernel, bias]` as Keras lays them out.

    LSTM: TF1's blocks i, j, f, o become i, f, c, o, and `forget_bias` goes into the bias of f.
    GRU: TF1's r, u and the candidate become z (= u), r, h.

    Args:
        cell: a built cell that is no stack. A cell of Keras's gives its own `get_weights()`.

    Raises:
        ValueError: see `to_keras_cell`; a stack, whose cells have weights of their own.

    >>> cell = BasicLSTMCell(1)
    >>> cell.build((None, 1))
    >>> to_keras_weights(cell)[2].tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    cell = as_rnn_cell(cell)
    inner = cell.cell if type(cell) is KerasCell else cell
    if isinstance(inner, (MultiRNNCell, keras.layers.StackedRNNCells)):
        raise ValueError(
            f"Received {inner.name}, a stack, expected a cell. Pass each of its cells."
        )
    _check_counterpart(cell)
    depth = _input_size(cell)
    if type(cell) is KerasCell:
        return cell.cell.get_weights()
    weights = [np.asarray(variable) for _, variable in cell.tf1_named_variables()]
    if isinstance(cell, BasicRNNCell):
        kernel, bias = weights
    elif isinstance(cell, GRUCell):
        gates_kernel, gates_bias, candidate_kernel, candidate_bias = weights
        reset, update = np.split(gates_kernel, 2, axis=1)
        kernel = np.concatenate([update, reset, candidate_kernel], axis=1)
        reset_bias, update_bias = np.split(gates_bias, 2)
        bias = np.concatenate([update_bias, reset_bias, candidate_bias])
    else:
        kernel, bias = _swap_lstm_blocks(weights[0]), _swap_lstm_blocks(weights[1])
        bias = bias + _forget_block(cell.num_units, cell.forget_bias, bias.dtype)
    return [kernel[:depth], kernel[depth:], bias]


def _swap_lstm_blocks(array):
    """i, j, f, o to i, f, j, o, or back, on the last axis."""
    i, second, third, o = np.split(array, 4, axis=-1)
    return np.concatenate([i, third, second, o], axis=-1)


def _forget_block(units, value, dtype):
    bias = np.zeros(4 * units, dtype)
    bias[units : 2 * units] = value
    return bias


def _check_keras(cell):
    if not cell.use_bias:
        raise ValueError(f"Received {cell.name} with use_bias=False, expected a bias, as in TF1.")
    if isinstance(cell, keras.layers.GRUCell) and cell.reset_after:
        raise ValueError(
            f"Received {cell.name} with reset_after=True, whose function no weights give to a TF1 "
            "GRUCell: it resets after the product. Expected GRU(reset_after=False)."
        )
    gate = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
    if gate is not keras.activations.sigmoid:
        raise ValueError(
            f"Received {cell.name} with recurrent_activation={getattr(gate, '__name__', gate)!r}, "
            "expected 'sigmoid': TF1's gates always have it."
        )
    for name in ("dropout", "recurrent_dropout"):
        if getattr(cell, name, 0):
            raise ValueError(
                f"Received {cell.name} with {name}={getattr(cell, name)}, expected 0: no "
                "DropoutWrapper equals Keras's dropout."
            )


def _new_cell(inner):
    arguments = {
        "activation": inner.activation,
        "dtype": inner.dtype_policy,
        "trainable": inner.trainable,
    }
    if isinstance(inner, keras.layers.SimpleRNNCell):
        return BasicRNNCell(inner.units, **arguments)
    if isinstance(inner, keras.layers.GRUCell):
        return GRUCell(inner.units, **arguments)
    return BasicLSTMCell(inner.units, forget_bias=0.0, **arguments)


def _from_keras_weights(inner, kernel, recurrent, bias):
    kernel = np.concatenate([kernel, recurrent])
    if isinstance(inner, keras.layers.SimpleRNNCell):
        return [kernel, bias]
    if isinstance(inner, keras.layers.GRUCell):
        update, reset, candidate = np.split(kernel, 3, axis=1)
        update_bias, reset_bias, candidate_bias = np.split(bias, 3)
        gates = np.concatenate([reset, update], axis=1)
        return [gates, np.concatenate([reset_bias, update_bias]), candidate, candidate_bias]
    return [_swap_lstm_blocks(kernel), _swap_lstm_blocks(bias)]
