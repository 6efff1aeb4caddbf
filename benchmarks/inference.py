"""Inference of the article's model with the same weights: latency of one image, images/s of 1,000.

    python benchmarks/inference.py --output=FILE.json

For every peer a call takes NumPy's uint8 images and returns NumPy's logits. Each mode of a peer
runs in a fresh process a round; each figure is that of the mode with the better median.
"""

import json
import pathlib
import statistics
import tempfile
import time

import numpy as np
from processes import (
    Clock,
    Parser,
    Record,
    machine,
    median,
    names_in,
    positive_integer,
    ratio,
    require,
    run_main,
    run_process,
    table,
    thread_counts,
)

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


def measure(predict, repeats):
    """Returns latency of one image in ms, images/s of batches of 1,000, and some logits."""
    images = np.random.default_rng(0).integers(0, 256, (1000, SIDE, SIDE), np.uint8)
    one = images[:1]
    return {
        "latency_ms": 1e3 * timings(lambda: predict(one), 20 * repeats),
        "images_per_second": len(images) / timings(lambda: predict(images), repeats),
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


def make_onnx(folder):
    """Writes PyTorch's own export for onnxruntime."""
    import torch

    torch.onnx.export(
        torch_model(folder),
        (torch.zeros(2, SIDE, SIDE, dtype=torch.uint8),),
        str(folder / "model.onnx"),
        input_names=["images"],
        output_names=["logits"],
        dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )


def our_model(folder):
    """Returns this package's model with the weights."""
    from rnn_mnist_tf.models import build_rnn, make_cell
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    model = build_rnn((SIDE, SIDE), CLASSES, make_cell("basic_lstm", UNITS, LAYERS))
    model.load_weights(folder / "model.weights.h5")
    return model


def ours(folder, mode):
    """The predictor that evaluation and prediction use."""
    from rnn_mnist_tf.training import make_predictor

    return make_predictor(our_model(folder))


def our_function(folder, mode):
    """The model as one concrete function: the shortest way from Python into the graph."""
    import tensorflow as tf

    model = our_model(folder)
    function = tf.function(lambda images: model(images, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec([None, SIDE, SIDE], tf.uint8))
    return lambda images: concrete(tf.constant(images)).numpy()


def saved_model(folder, mode):
    """The SavedModel, as whoever serves it loads it."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    return lambda images: served(images=tf.constant(images))["logits"].numpy()


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


def torch(folder, mode):
    """PyTorch; the mode is the number of threads."""
    import torch

    torch.set_num_threads(int(mode))
    model = torch_model(folder)

    @torch.inference_mode()
    def predict(images):
        return model(torch.from_numpy(images)).numpy()

    return predict


def onnxruntime(folder, mode):
    """onnxruntime on PyTorch's export; the mode is the number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(mode)
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run(["logits"], {"images": images})[0]


# Each returns a function from images to logits.
PEERS = {f.__name__: f for f in (ours, our_function, saved_model, torch, onnxruntime)}
# The allocator is tuned for PyTorch alone, where it matters.
MODES = {
    "torch": [(str(n), tuned) for tuned in (False, True) for n in thread_counts()],
    "onnxruntime": [(str(n), False) for n in thread_counts()],
}
FIGURES = {"latency_ms": min, "images_per_second": max}


def main():
    """Runs every peer in turn, or one of them in this process."""
    parser = Parser(description=__doc__)
    parser.add_argument("--peers", type=names_in(PEERS), default=",".join(PEERS))
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--repeats", type=positive_integer, default=50)
    parser.add_argument("--output", help="JSON of all results; what it has is not measured again")
    parser.add_argument("--peer", choices=[*PEERS, "prepare"], help="of this process")
    parser.add_argument("--mode", default="", help="of this process")
    parser.add_argument("--folder", type=pathlib.Path, help="of this process")
    arguments = parser.parse_args()
    if arguments.peer == "prepare":
        make_weights(arguments.folder)
        if "torch" in arguments.peers or "onnxruntime" in arguments.peers:
            make_onnx(arguments.folder)
        print(json.dumps(None))
    elif arguments.peer:
        predict = PEERS[arguments.peer](arguments.folder, arguments.mode)
        print(json.dumps(measure(predict, arguments.repeats)))
    else:
        if "torch" in arguments.peers or "onnxruntime" in arguments.peers:
            require("torch", "onnx", "onnxruntime")
        results = run(Record(arguments.output, {"repeats": arguments.repeats}), arguments)
        report(arguments.peers, results)


def run(record, arguments):
    """Runs all rounds; returns `{(peer, mode, tuned): [result, ...]}`."""
    keys = [(peer, *mode) for peer in arguments.peers for mode in MODES.get(peer, [("", False)])]
    results = {key: [] for key in keys}
    clock = Clock(arguments.rounds, arguments.rounds * len(keys) * (5 + 0.2 * arguments.repeats))
    with tempfile.TemporaryDirectory() as folder:
        common = [f"--folder={folder}", f"--repeats={arguments.repeats}"]
        names = ",".join(arguments.peers)
        run_process("inference.py", [*common, "--peer=prepare", f"--peers={names}"])
        for number in range(1, arguments.rounds + 1):
            for peer, mode, tuned in keys:
                command = [*common, f"--peer={peer}", f"--mode={mode}"]
                result = record.measure(
                    f"round {number}: {name_mode(peer, mode, tuned)}",
                    lambda command=command, tuned=tuned: run_process(
                        "inference.py", command, tuned
                    ),
                )
                results[peer, mode, tuned].append(result)
            clock.finish(number)
    return results


def name_mode(peer, mode, tuned):
    """Returns a peer and its mode in words.

    >>> name_mode("torch", "2", True), name_mode("ours", "", False)
    ('torch, 2 threads, allocator tuned', 'ours')
    """
    parts = [
        peer,
        f"{mode} thread{'s' * (mode != '1')}" if mode else "",
        "allocator tuned" if tuned else "",
    ]
    return ", ".join(filter(None, parts))


def best_figures(results, figures=FIGURES):
    """Returns `{peer: {figure: (median, mode)}}`, each of the mode with the better median.

    Args:
        results: `{(peer, mode, tuned): [{figure: value}, ...]}`.
        figures: `{figure: min or max}`, whichever is better.

    >>> results = {("x", "1", False): [{"ms": 3}], ("x", "2", False): [{"ms": 2}, {"ms": 9}]}
    >>> best_figures(results, {"ms": min})
    {'x': {'ms': (3, ('1', False))}}
    """
    best = {}
    for peer in dict.fromkeys(key[0] for key in results):
        best[peer] = {}
        for figure, choose in figures.items():
            medians = [
                (median([result[figure] for result in runs]), key[1:])
                for key, runs in results.items()
                if key[0] == peer
            ]
            best[peer][figure] = choose(medians)
    return best


def report(peers, results):
    """Checks that all peers answer alike, and prints the table.

    Raises:
        ValueError: two peers compute different logits.
    """
    logits = np.array([result["logits"] for runs in results.values() for result in runs])
    worst = float(np.ptp(logits, axis=0).max())
    print(f"{machine()}; largest difference between any two peers' logits {worst:.1e}")
    if not worst < 1e-4:
        raise ValueError(f"The peers' logits differ by {worst:.1e}, expected less than 1e-4.")
    best = best_figures(results)
    for peer in filter(MODES.get, peers):
        latency, rate = (name_mode(peer, *best[peer][figure][1]) for figure in FIGURES)
        print(f"{peer}: latency with {latency}; images/s with {rate}")
    print()
    print(make_table(peers, best))


def make_table(peers, best):
    """Returns the Markdown table, each peer against `ours` first, where that was measured."""
    header = ["peer", "latency / ours", "images/s / ours", "latency of 1 (ms)", "images/s"]
    rows = []
    for peer in peers:
        latency, rate = (best[peer][figure][0] for figure in FIGURES)
        own = [best["ours"][figure][0] if "ours" in best else None for figure in FIGURES]
        rows.append(
            (peer, ratio(latency, own[0]), ratio(rate, own[1]), f"{latency:.3f}", f"{rate:.0f}")
        )
    return table(header, rows)


if __name__ == "__main__":
    run_main(main)
