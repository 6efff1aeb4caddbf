"""Training images/s: this package, PyTorch, Keras `fit`, TensorFlow 1's graph, and the roofline.

    python benchmarks/throughput.py --output=FILE.json

Each peer runs in a fresh process a round and measures all models in it. Round 0 chooses the modes
of peers that have some: threads for PyTorch, the ways to compile for Keras (there at the smallest
batch, for all batches). The medians are those of the rounds after it.
"""

import collections
import statistics
from typing import NamedTuple

from peers import CELLS, Configuration
from processes import (
    Clock,
    Parser,
    Record,
    machine,
    median,
    names_in,
    positive_integer,
    positive_integers,
    ratio,
    require,
    run_main,
    run_process,
    show,
    table,
    thread_counts,
)


class Peer(NamedTuple):
    """Who is measured.

    Args:
        function: its name in `peers.py`.
        modes: those to choose from.
        tuned: whether glibc's allocator is told to keep memory.
        cells: those that it has.
        every_batch: whether modes are chosen for each batch, or at the smallest one for all.
        overhead: seconds a model takes beside the measurement, for the estimate.
    """

    function: str
    modes: tuple = ("",)
    tuned: bool = False
    cells: tuple = CELLS
    every_batch: bool = True
    overhead: float = 2.0


_THREADS = tuple(map(str, thread_counts()))
_NO_PEEPHOLES = CELLS[:-1]
PEERS = {
    "ours": Peer("ours", overhead=4),
    "torch_tuned": Peer("torch", _THREADS, True, _NO_PEEPHOLES, overhead=0.7),
    "torch_installed": Peer("torch", _THREADS, False, _NO_PEEPHOLES, overhead=0.7),
    "keras_fit": Peer(
        "keras", ("loop", "steps", "unroll", "jit"), False, _NO_PEEPHOLES, False, overhead=5
    ),
    "tf1_graph": Peer("legacy"),
    "products_alone": Peer("products", overhead=1.5),
}


def main():
    """Measures the grid and prints a table, ratios first."""
    parser = Parser(description=__doc__)
    parser.add_argument("--cells", type=names_in(CELLS), default=",".join(CELLS))
    parser.add_argument("--layers", type=positive_integers, default="1,2")
    parser.add_argument("--batch_sizes", type=positive_integers, default="64,128,512")
    parser.add_argument("--peers", type=names_in(PEERS), default=",".join(PEERS))
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring a model")
    parser.add_argument("--output", help="JSON of all results; what it has is not measured again")
    arguments = parser.parse_args()
    if any(PEERS[name].function == "torch" for name in arguments.peers):
        require("torch")
    configurations = [
        Configuration(cell, layers, batch_size)
        for cell in arguments.cells
        for layers in arguments.layers
        for batch_size in sorted(arguments.batch_sizes)
    ]
    record = Record(
        arguments.output,
        {"configurations": list(map(str, configurations)), "seconds": arguments.seconds},
    )
    chosen, rounds = run(record, arguments.peers, configurations, arguments)
    print(f"{machine()}; medians of {arguments.rounds} rounds, images/s")
    for name, modes in chosen.items():
        if len(PEERS[name].modes) > 1:
            print(f"{name}: {describe(modes)}")
    print()
    print(make_table(arguments.peers, configurations, rounds))


def run(record, names, configurations, arguments):
    """Chooses the modes, then measures the rounds.

    Returns:
        `{peer: {configuration: mode}}` and a list of `{peer: {configuration: images/s}}`.
    """
    clock = Clock(arguments.rounds, estimate(names, configurations, arguments))
    chosen = {
        name: choose_modes(name, supported(name, configurations), record, arguments.seconds)
        for name in names
    }
    rounds = []
    for number in range(1, arguments.rounds + 1):
        rounds.append({name: {} for name in names})
        for name in names:
            for mode in PEERS[name].modes:
                mine = [c for c, choice in chosen[name].items() if choice == mode]
                found = measure(record, f"round {number}", name, mode, mine, arguments.seconds)
                rounds[-1][name].update(found)
        clock.finish(number)
    return chosen, rounds


def supported(name, configurations):
    """Returns the configurations that a peer has."""
    return [c for c in configurations if c.cell in PEERS[name].cells]


def measure(record, when, name, mode, configurations, seconds):
    """Measures configurations in one process; returns `{configuration: images/s}`."""
    if not configurations:
        return {}
    peer = PEERS[name]
    command = [peer.function, f"--mode={mode}", f"--seconds={seconds}"]
    command.append(f"--configurations={','.join(map(str, configurations))}")
    rates = record.measure(
        " ".join(filter(None, [when, name, mode])),
        lambda: run_process("peers.py", command, peer.tuned),
    )
    return {Configuration.parse(text): rate for text, rate in rates.items()}


def trials(name, configurations):
    """Returns the configurations at which the modes of a peer are tried."""
    peer = PEERS[name]
    if len(peer.modes) == 1:
        return []
    smallest = min((c.batch_size for c in configurations), default=None)
    return [c for c in configurations if peer.every_batch or c.batch_size == smallest]


def choose_modes(name, configurations, record, seconds):
    """Returns `{configuration: mode}` of a peer, after trying its modes."""
    peer = PEERS[name]
    tried = trials(name, configurations)
    if not tried:
        return dict.fromkeys(configurations, peer.modes[0])
    rates = {mode: measure(record, "modes", name, mode, tried, seconds) for mode in peer.modes}
    return best_modes(rates, configurations)


def best_modes(rates, configurations):
    """Returns the fastest mode of each configuration.

    Args:
        rates: `{mode: {configuration: images/s}}`, each mode at the same configurations.
        configurations: all; one that was not tried takes the choice of the same model at the
            smallest batch that was.

    >>> small, large = Configuration("gru", 1, 64), Configuration("gru", 1, 512)
    >>> list(best_modes({"loop": {small: 1}, "jit": {small: 2}}, [small, large]).values())
    ['jit', 'jit']
    """
    chosen = {}
    for configuration in configurations:
        tried = configuration
        if any(tried not in found for found in rates.values()):
            same = [c for found in rates.values() for c in found if c[:2] == configuration[:2]]
            tried = min(same, key=lambda c: c.batch_size)
        chosen[configuration] = max(rates, key=lambda mode: rates[mode][tried])
    return chosen


def estimate(names, configurations, arguments):
    """Returns about how many seconds the selection and all rounds take."""
    total = 0
    for name in names:
        peer, own = PEERS[name], supported(name, configurations)
        models = arguments.rounds * len(own) + len(peer.modes) * len(trials(name, own))
        total += models * (arguments.seconds * 1.3 + peer.overhead)
    return total


def describe(modes):
    """Returns which mode is whose, in one line: the most frequent one, then the others.

    >>> one, two = Configuration("gru", 1, 64), Configuration("gru", 1, 128)
    >>> describe({one: "loop", two: "loop", Configuration("gru", 2, 64): "jit"})
    'mode loop, but jit for 2 x gru at 64'
    """
    if not modes:
        return "none of these models"
    usual = statistics.mode(modes.values())
    others = collections.defaultdict(list)
    for configuration, mode in modes.items():
        if mode != usual:
            model = (mode, configuration.num_layers, configuration.cell)
            others[model].append(str(configuration.batch_size))
    parts = [
        f"{mode} for {layers} x {cell} at {', '.join(batch_sizes)}"
        for (mode, layers, cell), batch_sizes in others.items()
    ]
    return f"mode {usual}" + (f", but {'; '.join(parts)}" if parts else "")


def make_table(names, configurations, rounds):
    """Returns the Markdown table of the medians; ratios of `ours` first where it was measured."""
    others = [name for name in names if name != "ours"] if "ours" in names else []
    rows = []
    for c in configurations:
        rates = {
            name: median([found[name][c] for found in rounds if c in found[name]]) for name in names
        }
        rows.append(
            (
                f"{c.num_layers} x {c.cell}",
                c.batch_size,
                *(ratio(rates["ours"], rates[name]) for name in others),
                *(show(rates[name]) for name in names),
            )
        )
    header = ("model", "batch", *(f"ours / {name}" for name in others), *names)
    return table(header, rows)


if __name__ == "__main__":
    run_main(main)
