"""Seconds of training until 98.0 % of MNIST's 10,000 test digits.

    python benchmarks/time_to_accuracy.py --data_dir=DIR

The article's model in PyTorch (its own Adadelta, and plain SGD) against `flags/fast.flags`. Both
sides read the test set after each epoch, here only, and choose nothing by it.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np
from processes import TUNED_ALLOCATOR, machine, run_process, table

TARGET = 0.98


def ours(data_dir, seed, max_epochs):
    """`fast.flags`; returns seconds of training steps, and the accuracy after them."""
    del max_epochs
    import pathlib

    from absl import flags

    from rnn_mnist_tf.data import load_dataset
    from rnn_mnist_tf.train import define_flags
    from rnn_mnist_tf.training import TrainConfig, Trainer
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    values = flags.FlagValues()
    define_flags(values)
    recipe = pathlib.Path(__file__).parent.parent / "flags" / "fast.flags"
    values(["time_to_accuracy", f"--flagfile={recipe}", f"--seed={seed}"])
    names = TrainConfig.__dataclass_fields__
    config = TrainConfig(**{name: values[name].value for name in names})
    dataset = load_dataset("idx", data_dir)
    trainer = Trainer(config, dataset.train_images, dataset.train_labels, 10)
    trainer.fit((dataset.test_images, dataset.test_labels))
    accuracy = trainer.history[-1]["val_accuracy"]
    seconds = trainer.train_seconds if accuracy >= TARGET else None
    return {"seconds": seconds, "epochs": trainer.epoch, "accuracy": accuracy}


def torch(data_dir, seed, max_epochs, optimizer):
    """The article's model and recipe in PyTorch, on all cores."""
    import torch
    from torch import nn

    from rnn_mnist_tf.data.idx import read_idx_directory

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(seed)
    data = {k: torch.from_numpy(np.array(v)) for k, v in read_idx_directory(data_dir).items()}

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(28, 100, 2)
            self.logits = nn.Linear(100, 10)

        def forward(self, images):
            columns = (images.float() / 127.5 - 1).permute(2, 0, 1)
            return self.logits(self.rnn(columns)[0][-1])

    model = Classifier()
    make = {"adadelta": torch.optim.Adadelta, "sgd": torch.optim.SGD}[optimizer]
    update = make(model.parameters(), lr=0.1)
    seconds = 0.0
    for epoch in range(max_epochs):
        begin = time.perf_counter()
        for rows in torch.randperm(len(data["train_images"])).split(64):
            update.zero_grad()
            labels = data["train_labels"][rows].long()
            nn.functional.cross_entropy(model(data["train_images"][rows]), labels).backward()
            update.step()
        seconds += time.perf_counter() - begin
        with torch.no_grad():
            predicted = torch.cat([model(x).argmax(1) for x in data["test_images"].split(1000)])
        accuracy = (predicted == data["test_labels"]).float().mean().item()
        if accuracy >= TARGET:
            return {"seconds": seconds, "epochs": epoch + 1, "accuracy": accuracy}
    return {"seconds": None, "epochs": max_epochs, "accuracy": accuracy}


def main():
    """Runs both sides for every seed, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", required=True, help="the four IDX files of MNIST")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch_seeds", type=int, default=1, help="of each PyTorch variant")
    parser.add_argument("--max_epochs", type=int, default=20)
    parser.add_argument("--peer", choices=("ours", "adadelta", "sgd"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.peer:
        given = (arguments.data_dir, arguments.seed, arguments.max_epochs)
        result = ours(*given) if arguments.peer == "ours" else torch(*given, arguments.peer)
        print(json.dumps(result))
        return
    command = [f"--data_dir={arguments.data_dir}", f"--max_epochs={arguments.max_epochs}"]
    variants = {"ours, fast.flags": ("ours", False, arguments.seeds)}
    for optimizer in ("sgd", "adadelta"):
        variants[f"torch {optimizer}, allocator tuned"] = (optimizer, True, arguments.torch_seeds)
        variants[f"torch {optimizer}, as installed"] = (optimizer, False, arguments.torch_seeds)
    results = {}
    for name, (peer, tuned, seeds) in variants.items():
        results[name] = [
            run_process(
                "time_to_accuracy.py", [*command, f"--peer={peer}", f"--seed={seed}"], tuned
            )
            for seed in range(seeds)
        ]
    report(results)


def report(results):
    """Prints the table, ratios first."""
    print(machine(), "; tuned:", " ".join(f"{k}={v}" for k, v in TUNED_ALLOCATOR.items()))
    own = _median(results["ours, fast.flags"])
    rows = []
    for name, runs in results.items():
        reached = [run for run in runs if run["seconds"] is not None]
        seconds = _median(runs)
        rows.append(
            (
                name,
                f"{seconds / own:.1f}" if seconds and own else "-",
                f"{seconds:.1f}" if seconds else f"not in {runs[0]['epochs']} epochs",
                " to ".join(f"{f(r['seconds'] for r in reached):.1f}" for f in (min, max))
                if reached
                else "-",
                f"{len(reached)} of {len(runs)}",
                ", ".join(f"{run['epochs']}: {run['accuracy']:.4f}" for run in runs),
            )
        )
    header = ("who", "seconds / ours", "median s", "spread s", "reached", "epochs: accuracy")
    print(table(header, rows))


def _median(runs):
    reached = [run["seconds"] for run in runs if run["seconds"] is not None]
    return statistics.median(reached) if len(reached) == len(runs) else None


if __name__ == "__main__":
    main()
