"""Trains on one device and on two, in a process of its own: devices are laid out at the start.

Usage: two_devices.py DIRECTORY OPTIONS, with `data.npz` in the directory, and JSON of a
`TrainConfig`'s fields.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.training import TrainConfig, Trainer


def train(config, images, labels, strategy):
    """Returns the weights and the figures of a run, by name."""
    trainer = Trainer(config, images, labels, 10, strategy)
    trainer.fit((images, labels))
    figures = {name: [line[name] for line in trainer.history] for name in trainer.history[0]}
    del figures["train_seconds"]
    weights = {f"weight {i}": np.asarray(w) for i, w in enumerate(trainer.model.weights)}
    return {**weights, **figures, "logits": trainer.predict_logits(images[:5])}


def main(directory, options):
    """Writes `one.npz` and `two.npz`."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    small = {"num_units": 8, "num_layers": 1, "epochs": 2, "batch_size": 32}
    config = TrainConfig(
        **{**small, "optimizer": "sgd", "learning_rate": 0.1, **json.loads(options)}
    )
    directory = pathlib.Path(directory)
    with np.load(directory / "data.npz") as data:
        images, labels = data["images"], data["labels"]
    np.savez(directory / "one.npz", **train(config, images, labels, None))
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    np.savez(directory / "two.npz", **train(config, images, labels, mirrored))


if __name__ == "__main__":
    main(*sys.argv[1:])
