"""One peer in a process of its own: measures one model and prints one line of JSON.

python benchmarks/peers.py ours --cell=basic_lstm --num_layers=2 --batch_size=64
"""

import argparse
import itertools
import json
import os
import statistics
import time

import numpy as np

STEPS, INPUTS, UNITS, CLASSES = 28, 28, 100, 10
CELLS = ("basic_rnn", "gru", "basic_lstm", "lstm")


def make_data(batches, batch_size, seed=0):
    """Returns random uint8 images and labels: speed does not depend on what they show."""
    generator = np.random.default_rng(seed)
    count = batches * batch_size
    images = generator.integers(0, 256, (count, STEPS, INPUTS), np.uint8)
    return images, generator.integers(0, CLASSES, count)


def median_rate(run_epoch, images, repeats):
    """Returns the median of images/s over `repeats` epochs, after one that is not counted."""
    run_epoch()
    rates = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run_epoch()
        rates.append(images / (time.perf_counter() - begin))
    return statistics.median(rates)


def ours(arguments):
    """This package's trainer, through its public interface."""
    from rnn_mnist_tf.training import TrainConfig, Trainer
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    images, labels = make_data(arguments.batches, arguments.batch_size)
    config = TrainConfig(
        cell=arguments.cell,
        use_peepholes=arguments.cell == "lstm",
        num_layers=arguments.num_layers,
        num_units=arguments.num_units,
        batch_size=arguments.batch_size,
        epochs=1 + arguments.repeats,
        optimizer="sgd",
        learning_rate=0.1,
    )
    trainer = Trainer(config, images, labels, CLASSES, parts=arguments.parts or None)
    trainer.fit()
    ends = [line["train_seconds"] for line in trainer.history]
    rates = [len(images) / (end - begin) for begin, end in itertools.pairwise(ends)]
    return {"images_per_second": statistics.median(rates), "parts": trainer.parts}


def torch(arguments):
    """PyTorch's own layers, plain SGD, the better of one thread and all."""
    import torch
    from torch import nn

    kinds = {"basic_rnn": nn.RNN, "gru": nn.GRU, "basic_lstm": nn.LSTM}
    if arguments.cell not in kinds:
        return {"images_per_second": None, "reason": "PyTorch has no peepholes"}

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kinds[arguments.cell](INPUTS, arguments.num_units, arguments.num_layers)
            self.logits = nn.Linear(arguments.num_units, CLASSES)

        def forward(self, images):
            outputs, _ = self.rnn((images.float() / 255).permute(1, 0, 2))
            return self.logits(outputs[-1])

    images, labels = make_data(arguments.batches, arguments.batch_size)
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    rates = {}
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        torch.set_num_threads(threads)
        model = Classifier()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def run_epoch(model=model, optimizer=optimizer):
            for rows in torch.randperm(len(images)).split(arguments.batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
                optimizer.step()

        rates[threads] = median_rate(run_epoch, len(images), arguments.repeats)
    return {"images_per_second": max(rates.values()), "by_threads": rates}


def keras(arguments):
    """Keras's own layers and `fit`, the best of default, unrolled and compiled."""
    import keras

    kinds = {
        "basic_rnn": keras.layers.SimpleRNN,
        "gru": keras.layers.GRU,
        "basic_lstm": keras.layers.LSTM,
    }
    if arguments.cell not in kinds:
        return {"images_per_second": None, "reason": "Keras has no peepholes"}
    images, labels = make_data(arguments.batches, arguments.batch_size)
    rates = {}
    for mode, unroll, jit in (
        ("default", False, False),
        ("unroll", True, False),
        ("jit", False, True),
    ):
        layers = [
            kinds[arguments.cell](
                arguments.num_units,
                return_sequences=layer < arguments.num_layers - 1,
                unroll=unroll,
            )
            for layer in range(arguments.num_layers)
        ]
        model = keras.Sequential(
            [keras.layers.Rescaling(1 / 255), *layers, keras.layers.Dense(CLASSES)]
        )
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=jit,
        )

        def run_epoch(model=model):
            model.fit(images, labels, arguments.batch_size, epochs=1, verbose=0)

        rates[mode] = median_rate(run_epoch, len(images), arguments.repeats)
    return {"images_per_second": max(rates.values()), "by_mode": rates}


def legacy(arguments):
    """TensorFlow 1's original cells under `dynamic_rnn` in a session."""
    import tensorflow as tf
    from tensorflow.python.ops import rnn_cell

    kinds = {
        "basic_rnn": rnn_cell.BasicRNNCell,
        "gru": rnn_cell.GRUCell,
        "basic_lstm": rnn_cell.BasicLSTMCell,
        "lstm": lambda units: rnn_cell.LSTMCell(units, use_peepholes=True),
    }
    tf1 = tf.compat.v1
    images, labels = make_data(arguments.batches, arguments.batch_size)
    with tf.Graph().as_default(), tf1.Session() as session:
        pixels = tf1.placeholder(tf.uint8, [None, STEPS, INPUTS])
        classes = tf1.placeholder(tf.int64, [None])
        cells = [kinds[arguments.cell](arguments.num_units) for _ in range(arguments.num_layers)]
        inputs = tf.cast(pixels, tf.float32) / 255
        outputs, _ = tf1.nn.dynamic_rnn(rnn_cell.MultiRNNCell(cells), inputs, dtype=tf.float32)
        kernel = tf1.get_variable("kernel", [arguments.num_units, CLASSES])
        bias = tf1.get_variable("bias", [CLASSES], initializer=tf1.zeros_initializer())
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=classes, logits=outputs[:, -1] @ kernel + bias
        )
        step = tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(losses))
        session.run(tf1.global_variables_initializer())

        def run_epoch():
            order = np.random.permutation(len(images))
            for rows in order.reshape(-1, arguments.batch_size):
                session.run(step, {pixels: images[rows], classes: labels[rows]})

        rate = median_rate(run_epoch, len(images), arguments.repeats)
    return {"images_per_second": rate}


def products(arguments):
    """The roofline: only the matrix products of a step, in float32, parts side by side.

    Forward and backward, each step's products of the recurrence as they come; those of the
    weights' gradients as one for all steps, since nothing orders them.
    """
    import tensorflow as tf

    from rnn_mnist_tf.training.strategy import configure_threads

    parts = configure_threads()
    rows = arguments.batch_size // parts
    gates = {"basic_rnn": 1, "gru": 3}.get(arguments.cell, 4) * arguments.num_units

    # Arguments of the graph, so that nothing is computed before it runs.
    widths = [
        (arguments.num_units if layer else INPUTS) + arguments.num_units
        for layer in range(arguments.num_layers)
    ]
    generator = tf.random.Generator.from_seed(0)
    operands = [
        (
            generator.uniform([STEPS, rows, width]),
            generator.uniform([STEPS, rows, gates]),
            generator.uniform([width, gates]),
        )
        for _ in range(parts)
        for width in widths
    ]

    @tf.function
    def step(operands):
        done = []
        for joined, slopes, kernel in operands:
            done += [x @ kernel for x in tf.unstack(joined)]
            done += [tf.matmul(x, kernel, transpose_b=True) for x in tf.unstack(slopes)]
            all_joined = tf.reshape(joined, [-1, joined.shape[-1]])
            all_slopes = tf.reshape(slopes, [-1, gates])
            done.append(tf.matmul(all_joined, all_slopes, transpose_a=True))
        # Each product is used, or it would not be computed.
        return tf.add_n([tf.reduce_max(x) for x in done])

    def run_epoch():
        for _ in range(arguments.batches):
            step(operands)

    rate = median_rate(run_epoch, arguments.batches * arguments.batch_size, arguments.repeats)
    return {"images_per_second": rate}


PEERS = {f.__name__: f for f in (ours, torch, keras, legacy, products)}


def main():
    """Measures the peer named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--cell", choices=CELLS, default="basic_lstm")
    parser.add_argument("--num_layers", type=int, default=2)
    parser.add_argument("--num_units", type=int, default=UNITS)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=150, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=3, help="measurements in the process")
    parser.add_argument("--parts", type=int, default=0, help="of a batch, for ours; 0 chooses")
    arguments = parser.parse_args()
    print(json.dumps(PEERS[arguments.peer](arguments)))


if __name__ == "__main__":
    main()
