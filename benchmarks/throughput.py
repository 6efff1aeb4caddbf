"""Training images/s: this package, PyTorch, Keras `fit`, TensorFlow 1's graph, and the roofline.

python benchmarks/throughput.py --cells=basic_lstm --layers=2 --batch_sizes=64
"""

import argparse

from processes import alternate, machine, median_of, run_process, table

PEERS = {
    "ours": ("ours", False),
    "torch, allocator tuned": ("torch", True),
    "torch, as installed": ("torch", False),
    "keras fit": ("keras", False),
    "tf1 graph": ("legacy", False),
    "products alone": ("products", False),
}


def main():
    """Measures the grid and prints a table, ratios first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="basic_rnn,gru,basic_lstm,lstm")
    parser.add_argument("--layers", default="1,2")
    parser.add_argument("--batch_sizes", default="64,128,512")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=150)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated names")
    arguments = parser.parse_args()
    chosen = [name for name in PEERS if name in arguments.peers]
    rows = []
    for cell in arguments.cells.split(","):
        for layers in arguments.layers.split(","):
            for batch_size in arguments.batch_sizes.split(","):
                rows.append(measure(chosen, cell, layers, batch_size, arguments))
    print(machine())
    header = ("model", "batch", *(f"ours / {name}" for name in chosen[1:]), *chosen)
    print(table(header, rows))


def measure(names, cell, layers, batch_size, arguments):
    """Returns one row: the model, ratios, images/s."""
    command = [f"--cell={cell}", f"--num_layers={layers}", f"--batch_size={batch_size}"]
    command.append(f"--batches={arguments.batches}")

    def process(peer, tuned):
        return lambda: run_process("peers.py", [peer, *command], tuned)

    results = alternate({name: process(*PEERS[name]) for name in names}, arguments.rounds)
    rates = {name: median_of(result, "images_per_second") for name, result in results.items()}
    own = rates[names[0]]
    ratios = [f"{own / rates[name]:.2f}" if rates[name] else "-" for name in names[1:]]
    shown = [f"{rate:.0f}" if rate else "-" for rate in rates.values()]
    return (f"{layers} x {cell}", batch_size, *ratios, *shown)


if __name__ == "__main__":
    main()
