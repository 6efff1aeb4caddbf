"""One peer in a process of its own: measures training and prints one line of JSON.

python benchmarks/peers.py ours --configurations=basic_lstm:2:64,gru:1:128
"""

import argparse
import gc
import json
import statistics
import time
from typing import NamedTuple

import numpy as np

STEPS, INPUTS, UNITS, CLASSES = 28, 28, 100, 10
CELLS = ("basic_rnn", "gru", "basic_lstm", "lstm")  # lstm with peepholes


class Configuration(NamedTuple):
    """What is trained.

    >>> str(Configuration.parse("gru:2:64"))
    'gru:2:64'
    """

    cell: str
    num_layers: int
    batch_size: int

    def __str__(self):
        return f"{self.cell}:{self.num_layers}:{self.batch_size}"

    @classmethod
    def parse(cls, text):
        """Returns the configuration that `str` wrote."""
        cell, num_layers, batch_size = text.split(":")
        return cls(cell, int(num_layers), int(batch_size))


class Laps:
    """Chunks of work, the first to warm up, then as many as fill the time.

    >>> laps = Laps(seconds=0)
    >>> laps.lap(), laps.lap(), laps.lap()  # the beginning, warm, measured: enough
    (False, False, True)
    """

    def __init__(self, seconds):
        self.seconds, self.times = seconds, []

    def lap(self):
        """Called at the beginning and after each chunk; returns whether it was enough."""
        self.times.append(time.perf_counter())
        return len(self.times) > 2 and self.times[-1] - self.times[1] >= self.seconds

    def rate(self, images):
        """Returns the median of images/s, of so many images a chunk."""
        return images / statistics.median(np.diff(self.times[1:]))


def run_chunks(run_chunk, images, seconds):
    """Runs chunks until they fill the time, and returns images/s."""
    laps = Laps(seconds)
    while not laps.lap():
        run_chunk()
    return laps.rate(images)


def chunk_steps(batch_size):
    """Returns the steps of a chunk: at least 20, some 6,400 images, a multiple of ten."""
    return max(20, 6400 // batch_size // 10 * 10)


def make_data(batch_size, shape=(STEPS, INPUTS), steps=None):
    """Returns a chunk of random uint8 images and labels: what they show has no part in speed."""
    generator = np.random.default_rng(0)
    count = (steps or chunk_steps(batch_size)) * batch_size
    images = generator.integers(0, 256, (count, *shape), np.uint8)
    return images, generator.integers(0, CLASSES, count)


def lap_callback(laps, stop):
    """Returns a Keras callback of which each epoch is a lap, and that calls `stop` at the end."""
    import keras

    class LapCallback(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            laps.lap()

        def on_epoch_end(self, epoch, logs=None):
            if laps.lap():
                stop(self.model)

    return LapCallback()


def our_trainer(images, labels, **options):
    """Returns this package's trainer, which goes on until it is stopped, and sets its threads."""
    from rnn_mnist_tf.training import TrainConfig, Trainer
    from rnn_mnist_tf.training.strategy import configure_threads

    configure_threads()
    endless = {"epochs": 1_000_000, "optimizer": "sgd", "learning_rate": 0.1}
    config = TrainConfig(**endless, use_peepholes=options["cell"] == "lstm", **options)
    return Trainer(config, images, labels, CLASSES)


def ours(mode, configuration, seconds):
    """This package's trainer, through its public interface."""
    images, labels = make_data(configuration.batch_size)
    trainer = our_trainer(images, labels, num_units=UNITS, **configuration._asdict())
    laps = Laps(seconds)
    trainer.fit(callbacks=[lap_callback(laps, lambda model: trainer.request_stop())])
    return laps.rate(len(images))


def torch(mode, configuration, seconds):
    """PyTorch's own layers, plain SGD; the mode is the number of threads."""
    import torch
    from torch import nn

    torch.set_num_threads(int(mode))
    kinds = {"basic_rnn": nn.RNN, "gru": nn.GRU, "basic_lstm": nn.LSTM}

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kinds[configuration.cell](INPUTS, UNITS, configuration.num_layers)
            self.logits = nn.Linear(UNITS, CLASSES)

        def forward(self, images):
            outputs, _ = self.rnn((images.float() / 255).permute(1, 0, 2))
            return self.logits(outputs[-1])

    images, labels = (torch.from_numpy(x) for x in make_data(configuration.batch_size))
    model = Classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def run_chunk():
        for rows in torch.randperm(len(images)).split(configuration.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()

    return run_chunks(run_chunk, len(images), seconds)


def keras(mode, configuration, seconds):
    """Keras's own layers and `fit`.

    Its default, `jit_compile="auto"`, is `loop` for LSTM and GRU, and `jit` for the vanilla cell.

    Args:
        mode: `loop`; `steps`, ten to a call of the graph; `unroll`; or `jit`.
        configuration, seconds: as for all.
    """
    import keras

    kinds = {
        "basic_rnn": keras.layers.SimpleRNN,
        "gru": keras.layers.GRU,
        "basic_lstm": keras.layers.LSTM,
    }
    keras.backend.clear_session()
    images, labels = make_data(configuration.batch_size)
    layers = [
        kinds[configuration.cell](
            UNITS,
            return_sequences=layer < configuration.num_layers - 1,
            unroll=mode == "unroll",
        )
        for layer in range(configuration.num_layers)
    ]
    model = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), *layers, keras.layers.Dense(CLASSES)]
    )
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=mode == "jit",
        steps_per_execution=10 if mode == "steps" else 1,
    )

    def stop(model):
        model.stop_training = True

    laps = Laps(seconds)
    model.fit(
        images,
        labels,
        configuration.batch_size,
        epochs=1_000_000,
        verbose=0,
        callbacks=[lap_callback(laps, stop)],
    )
    return laps.rate(len(images))


def legacy(mode, configuration, seconds):
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
    images, labels = make_data(configuration.batch_size)
    with tf.Graph().as_default(), tf1.Session() as session:
        pixels = tf1.placeholder(tf.uint8, [None, STEPS, INPUTS])
        classes = tf1.placeholder(tf.int64, [None])
        cells = [kinds[configuration.cell](UNITS) for _ in range(configuration.num_layers)]
        inputs = tf.cast(pixels, tf.float32) / 255
        outputs, _ = tf1.nn.dynamic_rnn(rnn_cell.MultiRNNCell(cells), inputs, dtype=tf.float32)
        kernel = tf1.get_variable("kernel", [UNITS, CLASSES])
        bias = tf1.get_variable("bias", [CLASSES], initializer=tf1.zeros_initializer())
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=classes, logits=outputs[:, -1] @ kernel + bias
        )
        step = tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(losses))
        session.run(tf1.global_variables_initializer())

        def run_chunk():
            order = np.random.permutation(len(images))
            for rows in order.reshape(-1, configuration.batch_size):
                session.run(step, {pixels: images[rows], classes: labels[rows]})

        return run_chunks(run_chunk, len(images), seconds)


def products(mode, configuration, seconds):
    """The roofline: only the matrix products of a step, in float32, parts side by side.

    Those of the recurrence come one a step, forward and backward. Those of the inputs and of the
    weights' gradients are one for all steps, since nothing orders them. The first layer's inputs
    need no gradient. The GRU's two products of a step count as one. The recurrent kernel is
    transposed once for all steps, which is the fastest that was found.
    """
    import tensorflow as tf

    from rnn_mnist_tf.training.strategy import configure_threads
    from rnn_mnist_tf.unroll.chunks import transpose_once

    parts = configure_threads()
    rows = configuration.batch_size // parts
    gates = {"basic_rnn": 1, "gru": 3}.get(configuration.cell, 4) * UNITS
    generator = tf.random.Generator.from_seed(0)

    # Arguments of the graph, so that nothing is computed before it runs.
    layers = [
        {
            "inputs": generator.uniform([STEPS * rows, UNITS if layer else INPUTS]),
            "states": generator.uniform([STEPS, rows, UNITS]),
            "slopes": generator.uniform([STEPS, rows, gates]),
            "kernel": generator.uniform([UNITS if layer else INPUTS, gates]),
            "recurrent": generator.uniform([UNITS, gates]),
        }
        for _ in range(parts)
        for layer in range(configuration.num_layers)
    ]

    @tf.function
    def step(layers):
        done = []
        for x in layers:
            all_slopes = tf.reshape(x["slopes"], [-1, gates])
            all_states = tf.reshape(x["states"], [-1, UNITS])
            done.append(x["inputs"] @ x["kernel"])
            done += [state @ x["recurrent"] for state in tf.unstack(x["states"])]
            turned = transpose_once(x["recurrent"])
            done += [slope @ turned for slope in tf.unstack(x["slopes"])]
            done.append(tf.matmul(x["inputs"], all_slopes, transpose_a=True))
            done.append(tf.matmul(all_states, all_slopes, transpose_a=True))
            if x["inputs"].shape[1] == UNITS:
                done.append(tf.matmul(all_slopes, x["kernel"], transpose_b=True))
        # Each product is used, or it would not be computed.
        return tf.add_n([x[0, 0] for x in done])

    steps = chunk_steps(configuration.batch_size)

    def run_chunk():
        for _ in range(steps):
            step(layers)

    return run_chunks(run_chunk, steps * configuration.batch_size, seconds)


PEERS = {f.__name__: f for f in (ours, torch, keras, legacy, products)}


def main():
    """Measures the peer named on the command line; prints images/s of each configuration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--mode", default="")
    parser.add_argument("--configurations", required=True, help="cell:layers:batch,...")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each, after warming up")
    arguments = parser.parse_args()
    rates = {}
    for text in arguments.configurations.split(","):
        configuration = Configuration.parse(text)
        rates[text] = PEERS[arguments.peer](arguments.mode, configuration, arguments.seconds)
        gc.collect()  # the model before, whose graph refers to itself
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
