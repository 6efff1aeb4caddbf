"""Seconds of training until 98.0 % of MNIST's 10,000 test digits.

    python benchmarks/time_to_accuracy.py --data_dir=DIR --output=FILE.json

The article's model in PyTorch (its own Adadelta, and plain SGD) against `flags/fast.flags`, each
run in a fresh process, one after the other for each seed. Seed 0 chooses PyTorch's optimizer; a
trial before it chooses its threads. The seconds are those of the training steps: without tests,
without tracing, and PyTorch's first steps are made before, on another model. Both sides read the
test set after each epoch, here only, and choose nothing else by it.
"""

import hashlib
import json
import math
import pathlib
import tempfile
import time

import numpy as np
from processes import (
    TUNED_ALLOCATOR,
    Parser,
    Record,
    machine,
    median,
    positive_integer,
    ratio,
    require,
    run_main,
    run_process,
    show,
    table,
    thread_counts,
)

TARGET = 0.98
OURS = "ours, fast.flags"
RECIPE = pathlib.Path(__file__).parent.parent / "flags" / "fast.flags"
OPTIMIZERS = ("adadelta", "sgd")


def prepare(arguments):
    """Writes the digits where peers without TensorFlow can read them. Returns their sha256."""
    from rnn_mnist_tf.data.idx import read_idx_directory

    digits = read_idx_directory(arguments.data_dir)
    np.savez(arguments.digits, **digits)
    digest = hashlib.sha256()
    for name in sorted(digits):
        digest.update(np.ascontiguousarray(digits[name]).tobytes())
    return digest.hexdigest()


def ours(arguments):
    """`fast.flags`, tested after each epoch."""
    from absl import flags

    from rnn_mnist_tf.train import define_flags, read_config
    from rnn_mnist_tf.training import Trainer
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    values = flags.FlagValues()
    define_flags(values)
    values(["time_to_accuracy", f"--flagfile={RECIPE}", f"--seed={arguments.seed}"])
    config = read_config(values)
    with np.load(arguments.digits) as digits:
        trainer = Trainer(config, digits["train_images"], digits["train_labels"], 10)
        trainer.fit((digits["test_images"], digits["test_labels"]))
    epochs = [(line["train_seconds"], line["val_accuracy"]) for line in trainer.history]
    return {**first_reached(epochs), "trace_seconds": trainer.trace_seconds}


def torch(arguments):
    """The article's model and recipe in PyTorch, until it reaches the target."""
    import torch
    from torch import nn

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    with np.load(arguments.digits) as digits:
        data = {name: torch.from_numpy(digits[name]) for name in digits.files}
    labels = data["train_labels"].long()

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(28, 100, 2)
            self.logits = nn.Linear(100, 10)

        def forward(self, images):
            columns = (images.float() / 127.5 - 1).permute(2, 0, 1)
            return self.logits(self.rnn(columns)[0][-1])

    def train(model, order):
        if arguments.optimizer == "adadelta":
            update = torch.optim.Adadelta(model.parameters(), lr=0.1, rho=0.9, eps=1e-6)
        else:
            update = torch.optim.SGD(model.parameters(), lr=0.1)
        while True:
            begin = time.perf_counter()
            for rows in order().split(64):
                update.zero_grad()
                outputs = model(data["train_images"][rows])
                nn.functional.cross_entropy(outputs, labels[rows]).backward()
                update.step()
            yield time.perf_counter() - begin

    next(train(Classifier(), lambda: torch.arange(640)))  # what only first steps need
    model, epochs, seconds = Classifier(), [], 0.0
    for spent in train(model, lambda: torch.randperm(len(labels))):
        seconds += spent
        with torch.no_grad():
            predicted = torch.cat([model(x).argmax(1) for x in data["test_images"].split(1000)])
        epochs.append((seconds, (predicted == data["test_labels"]).double().mean().item()))
        if epochs[-1][1] >= TARGET or len(epochs) == arguments.max_epochs:
            return first_reached(epochs)


def first_reached(epochs, target=TARGET):
    """Returns what counts of a run: when it first reached the target, or None and its end.

    Args:
        epochs: `[(seconds since the beginning, accuracy), ...]`.
        target: the accuracy.

    >>> first_reached([(8.0, 0.97), (16.0, 0.981), (24.0, 0.979)])
    {'seconds': 16.0, 'epochs': 2, 'accuracy': 0.981, 'last_seconds': 24.0}
    >>> first_reached([(8.0, 0.97)])
    {'seconds': None, 'epochs': 1, 'accuracy': 0.97, 'last_seconds': 8.0}
    """
    reached = [number for number, (_, accuracy) in enumerate(epochs, 1) if accuracy >= target]
    number = reached[0] if reached else len(epochs)
    seconds, accuracy = epochs[number - 1]
    return {
        "seconds": seconds if reached else None,
        "epochs": number,
        "accuracy": accuracy,
        "last_seconds": epochs[-1][0],
    }


PEERS = {"prepare": prepare, "ours": ours, "torch": torch}


def main():
    """Runs both sides for every seed, or one of them in this process."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data_dir", required=True, help="the four IDX files of MNIST")
    parser.add_argument("--seeds", type=positive_integer, default=5)
    parser.add_argument("--max_epochs", type=positive_integer, default=20, help="of PyTorch")
    parser.add_argument("--output", help="JSON of all runs; what it has is not run again")
    for name, kind in (("peer", str), ("digits", str), ("seed", int), ("threads", int)):
        parser.add_argument(f"--{name}", type=kind, help="of this process")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="of this process")
    arguments = parser.parse_args()
    if arguments.peer:
        print(json.dumps(PEERS[arguments.peer](arguments)))
        return
    require("torch")
    with tempfile.TemporaryDirectory() as folder:
        common = [f"--data_dir={arguments.data_dir}", f"--max_epochs={arguments.max_epochs}"]
        common.append(f"--digits={folder}/digits.npz")
        settings = {
            "target": TARGET,
            "max_epochs": arguments.max_epochs,
            "digits": run_process("time_to_accuracy.py", [*common, "--peer=prepare"]),
            "recipe": RECIPE.read_text(),
        }
        runs = run(Record(arguments.output, settings), common, arguments.seeds)
    print(machine(), "; tuned:", " ".join(f"{k}={v}" for k, v in TUNED_ALLOCATOR.items()))
    print(make_table(runs, arguments.max_epochs))


def run(record, common, seeds):
    """Runs every seed; returns `{who: [result of each seed]}`."""
    runs, best, threads = {OURS: []}, None, {}
    for tuned in (True, False):
        threads[tuned] = choose_threads(record, tuned)

    def run_torch(optimizer, tuned, seed):
        who = f"torch {optimizer}, {'allocator tuned' if tuned else 'as installed'}"
        own = [f"--optimizer={optimizer}", f"--threads={threads[tuned]}", f"--seed={seed}"]
        command = [*common, "--peer=torch", *own]
        result = record.measure(
            f"seed {seed}: {who}", lambda: run_process("time_to_accuracy.py", command, tuned)
        )
        runs.setdefault(who, []).append(result)
        return result

    def run_ours(seed):
        command = [*common, "--peer=ours", f"--seed={seed}"]
        result = record.measure(
            f"seed {seed}: {OURS}", lambda: run_process("time_to_accuracy.py", command)
        )
        runs[OURS].append(result)

    for seed in range(seeds):
        run_ours(seed)
        if best is None:  # the allocator has no part in the numbers, so it is tried with one
            best = better({name: run_torch(name, True, seed) for name in OPTIMIZERS})
        else:
            run_torch(best, True, seed)
        run_torch(best, False, seed)
    return runs


def choose_threads(record, tuned):
    """Returns the number of threads with which PyTorch trains the model fastest."""
    rates = {}
    for count in thread_counts():
        command = ["torch", f"--mode={count}", "--configurations=basic_lstm:2:64"]
        rates[count] = record.measure(
            f"torch, threads={count}, {'allocator tuned' if tuned else 'as installed'}",
            lambda command=command: run_process("peers.py", command, tuned),
        )["basic_lstm:2:64"]
    return max(rates, key=rates.get)


def better(results):
    """Returns the name that reached the target first, or of none that did the most accurate.

    >>> better({"a": {"seconds": None, "accuracy": 0.97}, "b": {"seconds": 9, "accuracy": 0.98}})
    'b'
    >>> better({"a": {"seconds": None, "accuracy": 0.97}, "b": {"seconds": None, "accuracy": 0.9}})
    'a'
    """

    def key(name):
        seconds = results[name]["seconds"]
        return (math.inf if seconds is None else seconds, -results[name]["accuracy"])

    return min(results, key=key)


def make_table(runs, max_epochs):
    """Returns the Markdown table, ratios first. A run that never arrived counts as infinity."""
    own = median([result["seconds"] for result in runs[OURS]])
    rows = []
    for who, results in runs.items():
        seconds = [result["seconds"] for result in results]
        reached = [value for value in seconds if value is not None]
        middle = median(seconds)
        limit = results[0]["epochs"] if who == OURS else max_epochs
        never = f"not within {limit} epoch{'s' * (limit > 1)}"
        rows.append(
            (
                who,
                ratio(middle, own, digits=1),
                never if middle is None else show(middle, 1),
                f"{min(reached):.1f} to {max(reached):.1f}" if reached else "-",
                f"{len(reached)} of {len(results)}",
                ", ".join(f"{r['epochs']}: {100 * r['accuracy']:.2f} %" for r in results),
            )
        )
    header = ("who", "seconds / ours", "median s", "spread s", "reached", "epochs: accuracy")
    return table(header, rows)


if __name__ == "__main__":
    run_main(main)
