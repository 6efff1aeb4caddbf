"""Inference of the article's model with the same weights: latency of one image, images/s of 1,000.

    python benchmarks/inference.py

This package's `tf.function` and SavedModel, PyTorch, and onnxruntime on PyTorch's own export.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
from processes import alternate, machine, median_of, run_process, table

UNITS, LAYERS, SIDE, CLASSES = 100, 2, 28, 10


def timings(call, repeats):
    """Returns the median of seconds a call, after a tenth of the calls to warm up."""
    for _ in range(max(3, repeats // 10)):
        call()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def measure(predict):
    """Returns latency of one image in ms and images/s of batches of 1,000."""
    images = np.random.default_rng(0).integers(0, 256, (1000, SIDE, SIDE), np.uint8)
    one = images[:1]
    return {
        "latency_ms": 1e3 * timings(lambda: predict(one), 300),
        "images_per_second": len(images) / timings(lambda: predict(images), 30),
        "logits": np.asarray(predict(images[:4])).tolist(),
    }


def make_weights(folder):
    """Writes a SavedModel, and PyTorch's weights that compute the same."""
    import keras

    from rnn_mnist_tf.interop import to_keras_weights
    from rnn_mnist_tf.models import build_rnn, make_cell
    from rnn_mnist_tf.serving import export_saved_model

    keras.utils.set_random_seed(0)
    cell = make_cell("basic_lstm", UNITS, LAYERS)
    model = build_rnn((SIDE, SIDE), CLASSES, cell)
    images = np.random.default_rng(1).integers(0, 256, (8, SIDE, SIDE), np.uint8)
    export_saved_model(model, folder / "saved_model", images)
    model.save_weights(folder / "model.weights.h5")
    arrays = {}
    for layer, one in enumerate(cell.cells):
        kernel, recurrent, bias = to_keras_weights(one)
        arrays[f"rnn.weight_ih_l{layer}"] = kernel.T
        arrays[f"rnn.weight_hh_l{layer}"] = recurrent.T
        arrays[f"rnn.bias_ih_l{layer}"] = bias
        arrays[f"rnn.bias_hh_l{layer}"] = np.zeros_like(bias)
    dense = model.get_layer("logits")
    arrays["logits.weight"], arrays["logits.bias"] = (np.asarray(w) for w in dense.get_weights())
    arrays["logits.weight"] = arrays["logits.weight"].T
    np.savez(folder / "torch.npz", **arrays)


def ours(folder):
    """The model in a `tf.function`."""
    from rnn_mnist_tf.models import build_rnn, make_cell
    from rnn_mnist_tf.training import make_predictor
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    model = build_rnn((SIDE, SIDE), CLASSES, make_cell("basic_lstm", UNITS, LAYERS))
    model.load_weights(folder / "model.weights.h5")
    return measure(make_predictor(model))


def saved_model(folder):
    """The SavedModel, as whoever serves it loads it."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    return measure(lambda images: served(images=tf.constant(images))["logits"].numpy())


def torch_model(folder):
    """Returns PyTorch's model with the same weights."""
    import torch
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(SIDE, UNITS, LAYERS, batch_first=True)
            self.logits = nn.Linear(UNITS, CLASSES)

        def forward(self, images):
            outputs, _ = self.rnn(images.float() / 255)
            return self.logits(outputs[:, -1])

    model = Classifier().eval()
    with np.load(folder / "torch.npz") as arrays:
        model.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    return model


def torch(folder):
    """PyTorch, the better of one thread and all for each figure."""
    import torch

    model, results = torch_model(folder), []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            results.append(measure(lambda images: model(torch.from_numpy(images)).numpy()))
    return {
        "latency_ms": min(result["latency_ms"] for result in results),
        "images_per_second": max(result["images_per_second"] for result in results),
        "logits": results[0]["logits"],
    }


def onnxruntime(folder):
    """onnxruntime on PyTorch's export."""
    import onnxruntime as runtime
    import torch

    path = folder / "model.onnx"
    if not path.exists():
        images = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
        torch.onnx.export(
            torch_model(folder),
            (images,),
            str(path),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
            dynamo=False,
        )
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return measure(lambda images: session.run(["logits"], {"images": images})[0])


PEERS = {f.__name__: f for f in (ours, saved_model, torch, onnxruntime)}


def main():
    """Runs every peer in turn, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", choices=[*PEERS, "make_weights"])
    parser.add_argument("--folder", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.peer == "make_weights":
        make_weights(arguments.folder)
        print(json.dumps(None))
        return
    if arguments.peer:
        print(json.dumps(PEERS[arguments.peer](arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [f"--folder={folder}"]
        run_process("inference.py", [*command, "--peer=make_weights"])
        results = alternate(
            {
                name: lambda name=name: run_process("inference.py", [*command, f"--peer={name}"])
                for name in PEERS
            },
            arguments.rounds,
        )
    report(results)


def report(results):
    """Checks that all peers answer alike, and prints the table."""
    logits = {name: np.array(result[0]["logits"]) for name, result in results.items()}
    worst = max(float(np.abs(value - logits["ours"]).max()) for value in logits.values())
    print(f"{machine()}; largest difference between any two peers' logits {worst:.1e}")
    if not worst < 1e-4:
        sys.exit("the peers do not compute the same")
    latency = {name: median_of(result, "latency_ms") for name, result in results.items()}
    rate = {name: median_of(result, "images_per_second") for name, result in results.items()}
    rows = [
        (
            name,
            f"{latency[name] / latency['torch']:.2f}",
            f"{rate[name] / rate['onnxruntime']:.2f}",
            f"{latency[name]:.3f}",
            f"{rate[name]:.0f}",
        )
        for name in results
    ]
    header = ("peer", "latency / torch", "rate / onnxruntime", "latency of 1 (ms)", "images/s")
    print(table(header, rows))


if __name__ == "__main__":
    main()
