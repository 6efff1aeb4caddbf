"""Stacks of cells by name: swapping one is changing one word."""

import keras

from rnn_mnist_tf.rnn_cell import (
    AttentionCellWrapper,
    BasicLSTMCell,
    BasicRNNCell,
    DropoutWrapper,
    GridLSTMCell,
    GRUCell,
    LSTMCell,
    MultiRNNCell,
    ResidualWrapper,
)

_ATTENTION_LENGTH = 7
_GRID_WINDOWS = 4


def _attention(num_units, input_size):
    del input_size
    return AttentionCellWrapper(BasicLSTMCell(num_units), _ATTENTION_LENGTH)


def _grid_lstm(num_units, input_size):
    width, rest = divmod(input_size, _GRID_WINDOWS)
    if rest:
        raise ValueError(
            f"Received steps of {input_size} features for cell='grid_lstm', expected a multiple of "
            f"{_GRID_WINDOWS}: it reads that many windows side by side."
        )
    return GridLSTMCell(
        num_units, feature_size=width, frequency_skip=width, num_frequency_blocks=[_GRID_WINDOWS]
    )


CELLS = {
    "basic_rnn": lambda num_units, input_size: BasicRNNCell(num_units),
    "gru": lambda num_units, input_size: GRUCell(num_units),
    "basic_lstm": lambda num_units, input_size: BasicLSTMCell(num_units),
    "lstm": lambda num_units, input_size, **options: LSTMCell(num_units, **options),
    "attention": _attention,
    "grid_lstm": _grid_lstm,
}
KERAS_CELLS = {
    "basic_rnn": keras.layers.SimpleRNNCell,
    "gru": keras.layers.GRUCell,
    "basic_lstm": keras.layers.LSTMCell,
}
APIS = ("rnn_cell", "keras")


def make_cell(
    cell="basic_lstm",
    num_units=100,
    num_layers=2,
    use_peepholes=False,
    cell_clip=0.0,
    num_proj=0,
    *,
    input_size=28,
    residual=False,
    input_keep_prob=1.0,
    output_keep_prob=1.0,
    state_keep_prob=1.0,
    seed=0,
    api="rnn_cell",
):
    """Returns the stack `MultiRNNCell([...])`, or the bare cell for one layer.

    Args:
        cell: one of `CELLS`. `attention` is an LSTM that attends over its last 7 outputs;
            `grid_lstm` reads 4 windows side by side.
        num_units: of each layer.
        num_layers: at least 1.
        use_peepholes, cell_clip, num_proj: of `lstm`; 0 means none.
        input_size: the features of a step, which `grid_lstm` cuts into windows.
        residual: a `ResidualWrapper` around each layer after the first.
        input_keep_prob, output_keep_prob, state_keep_prob: a `DropoutWrapper` around each layer.
        seed: of the dropout.
        api: `rnn_cell`, this package's cells, or `keras`, Keras's `SimpleRNNCell`, `GRUCell`,
            `LSTMCell` and `StackedRNNCells`.

    Raises:
        ValueError: an unknown cell or api, no layer, or an option that the cell does not have.

    >>> make_cell("gru", num_units=4).state_size
    (4, 4)
    """
    if cell not in CELLS:
        raise ValueError(f"Received cell={cell!r}, expected one of {tuple(CELLS)}.")
    if num_layers < 1:
        raise ValueError(f"Received num_layers={num_layers}, expected at least 1.")
    options = {
        name: value
        for name, value in (
            ("use_peepholes", use_peepholes),
            ("cell_clip", cell_clip),
            ("num_proj", num_proj),
        )
        if value
    }
    if options and cell != "lstm":
        raise ValueError(f"Received {options} for cell={cell!r}, expected --cell=lstm for these.")
    dropout = {
        name: value
        for name, value in (
            ("input_keep_prob", input_keep_prob),
            ("output_keep_prob", output_keep_prob),
            ("state_keep_prob", state_keep_prob),
        )
        if value != 1.0
    }
    if api == "keras":
        return _keras_stack(cell, num_units, num_layers, residual, dropout)
    if api not in APIS:
        raise ValueError(f"Received api={api!r}, expected one of {APIS}.")
    cells = []
    for layer in range(num_layers):
        size = cells[-1].output_size if cells else input_size
        one = CELLS[cell](num_units, size, **options)
        if dropout:
            one = DropoutWrapper(one, **dropout, seed=seed + layer)
        cells.append(ResidualWrapper(one) if residual and layer else one)
    return cells[0] if num_layers == 1 else MultiRNNCell(cells)


def _keras_stack(cell, num_units, num_layers, residual, dropout):
    """Keras's own cells, which have neither TF1's wrappers nor its other cells."""
    if cell not in KERAS_CELLS or residual or dropout:
        refused = ", ".join([*(["residual"] if residual else []), *dropout]) or f"cell={cell!r}"
        raise ValueError(
            f"Received {refused} for api='keras', expected one of {tuple(KERAS_CELLS)} without "
            "wrappers: Keras has no other. Use --api=rnn_cell."
        )
    cells = [KERAS_CELLS[cell](num_units) for _ in range(num_layers)]
    return cells[0] if num_layers == 1 else keras.layers.StackedRNNCells(cells)
