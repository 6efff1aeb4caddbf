"""Is the final state the same as `outputs[:, -1, :]`? `python -m rnn_mnist_tf.semantics`."""

import pathlib
import sys
import types
import typing

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.interop import compare_with_keras
from rnn_mnist_tf.report.semantics import format_answers, save_diagrams
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
from rnn_mnist_tf.training.files import make_writable
from rnn_mnist_tf.unroll import compare_last_output

FORMATS = ("table", "markdown", "json")
_KINDS = {"vanilla": BasicRNNCell, "GRU": GRUCell, "LSTM": BasicLSTMCell}
_BATCH, _TIME, _UNITS = 3, 7, 4
_TOLERANCE = 1e-5


class Case(typing.NamedTuple):
    """One question: a cell, how it is run, and what must come out.

    Attributes:
        name: for people.
        make_cell: makes the cell.
        same_parts: the parts of the state that must equal `outputs[:, -1]`.
        options: arguments of `compare_last_output`.
        last_relevant: with lengths, the parts that must equal each row's last valid output, while
            `outputs[:, -1]` is zero for a shorter row.
        first: the parts that must equal `outputs[:, 0]`.
        keras: whether Keras's layers run beside it.
        kind: the plain cell's name, for the diagrams.
        layers: how many.
    """

    name: str
    make_cell: typing.Callable
    same_parts: tuple
    options: dict = types.MappingProxyType({})
    last_relevant: tuple = ()
    first: tuple = ()
    keras: bool = False
    kind: str = ""
    layers: int = 1


def article_cases():
    """Returns {vanilla, GRU, LSTM} x {1, 2, 3} layers, each beside Keras."""
    cases = []
    for kind, cell_class in _KINDS.items():
        for layers in (1, 2, 3):
            stack = "state" if layers == 1 else f"state[{layers - 1}]"
            part = f"{stack}.h" if kind == "LSTM" else stack
            cases.append(
                Case(
                    f"{kind}, {layers} layer{'s' if layers > 1 else ''}",
                    lambda cell_class=cell_class, layers=layers: _stack(cell_class, layers),
                    (part,),
                    keras=True,
                    kind=kind,
                    layers=layers,
                )
            )
    return cases


def _stack(cell_class, layers):
    cells = [cell_class(_UNITS) for _ in range(layers)]
    return cells[0] if layers == 1 else MultiRNNCell(cells)


def further_cases():
    """Returns what "if and only if a single-layer vanilla RNN or GRU" leaves out."""
    lengths = {"sequence_length": [_TIME, 3, 0]}
    return [
        Case("GRU in a stack of one", lambda: MultiRNNCell([GRUCell(_UNITS)]), ("state[0]",)),
        Case(
            "GRU, rows shorter than the time axis",
            lambda: GRUCell(_UNITS),
            (),
            lengths,
            last_relevant=("state",),
        ),
        Case(
            "LSTM, rows shorter than the time axis",
            lambda: BasicLSTMCell(_UNITS),
            (),
            lengths,
            last_relevant=("state.h",),
        ),
        Case(
            "GRU, time_major (outputs[-1])",
            lambda: GRUCell(_UNITS),
            ("state",),
            {"time_major": True},
        ),
        Case(
            "GRU, backward half of a bidirectional run",
            lambda: GRUCell(_UNITS),
            (),
            {"cell_bw": GRUCell},
            first=("state",),
        ),
        Case(
            "GRU in DropoutWrapper(output_keep_prob=0.5)",
            lambda: DropoutWrapper(GRUCell(_UNITS), output_keep_prob=0.5, seed=1),
            (),
        ),
        Case("GRU in ResidualWrapper", lambda: ResidualWrapper(GRUCell(_UNITS)), ()),
        Case("LSTM with num_proj=3", lambda: LSTMCell(_UNITS, num_proj=3), ("state.h",)),
        Case(
            "LSTM with state_is_tuple=False",
            lambda: BasicLSTMCell(_UNITS, state_is_tuple=False),
            (),
        ),
        Case(
            "GRU in AttentionCellWrapper",
            lambda: AttentionCellWrapper(GRUCell(_UNITS), attn_length=3),
            (),
        ),
        Case(
            "GridLSTMCell (time-frequency)",
            lambda: GridLSTMCell(
                _UNITS, feature_size=2, frequency_skip=2, num_frequency_blocks=[2]
            ),
            (),
        ),
    ]


def answer(case, seed=0):
    """Runs one case. Returns a dict of plain values, with `ok` for the verdict expected."""
    keras.utils.set_random_seed(seed)
    shape = (_TIME, _BATCH, _UNITS) if case.options.get("time_major") else (_BATCH, _TIME, _UNITS)
    inputs = tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)
    cell, options = case.make_cell(), dict(case.options)
    if "cell_bw" in options:
        options["cell_bw"] = options["cell_bw"](_UNITS)
    comparison = compare_last_output(cell, inputs, **options)
    same = tuple(part.path for part in comparison.parts if part.same)
    first = tuple(part.path for part in comparison.parts if part.same_as_first)
    relevant = tuple(part.path for part in comparison.parts if part.same_as_last_relevant)
    ok = same == case.same_parts and first == case.first
    side = None
    if case.keras:
        side = compare_with_keras(cell, inputs, comparison.outputs, comparison.state)
        scale = float(np.max(np.abs(comparison.outputs)))
        differences = [side.outputs_difference, *(d for _, d in side.state_differences)]
        ok = ok and side.same_parts == (f"layer {case.layers}: h",)
        ok = ok and max(differences) <= _TOLERANCE * max(scale, 1.0)
    if case.last_relevant:
        shorter = np.asarray(comparison.outputs)[1, -1]
        ok = ok and relevant == case.last_relevant and not np.any(shorter)
    return {
        "name": case.name,
        "kind": case.kind,
        "layers": case.layers,
        "structure": comparison.structure,
        "same_parts": list(same),
        "parts": [part._asdict() for part in comparison.parts],
        "verdict": comparison.verdict,
        "state_is_last_output": comparison.state_is_last_output,
        "keras": side and side._asdict(),
        "ok": bool(ok),
    }


def run(seed=0):
    """Answers every case. Returns a list of dicts; see `answer`."""
    return [answer(case, seed) for case in (*article_cases(), *further_cases())]


def define_flags(flag_values):
    """Defines the door's flags."""
    flags.DEFINE_enum("format", "table", list(FORMATS), "How to print.", flag_values=flag_values)
    flags.DEFINE_string("picture", "", "A PNG file for the diagrams.", flag_values=flag_values)
    flags.DEFINE_integer("seed", 0, "Of weights and inputs.", flag_values=flag_values)


def _check_picture(picture):
    path = pathlib.Path(picture)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise InputError(f"Received picture={picture!r}, expected a file that ends in .png.")
    make_writable(path.parent, f"picture={picture!r}", "a file in a directory that can be written")


def main(values):
    """Runs the door for parsed flags. Returns the exit code: 1 if a verdict failed."""
    if values.picture:
        _check_picture(values.picture)
    answers = run(values.seed)
    print(format_answers(answers, values.format))
    if values.picture:
        drawn = ("GRU, 1 layer", "LSTM, 1 layer", "GRU, 2 layers", "LSTM, 2 layers")
        save_diagrams(values.picture, [a for name in drawn for a in answers if a["name"] == name])
    failed = [a["name"] for a in answers if not a["ok"]]
    if failed:
        print(f"semantics: error: not as expected: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.semantics`."""
    return run_door(
        "semantics",
        "compares outputs[:, -1, :] with the final state, here and in Keras.",
        define_flags,
        main,
        argv,
    )


if __name__ == "__main__":
    sys.exit(cli())
