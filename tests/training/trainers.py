"""Short runs, and what tests look at in them."""

import keras
import numpy as np

from rnn_mnist_tf.training import TrainConfig, Trainer


def make_config(**options):
    """A configuration of a run that takes no time."""
    small = {"cell": "basic_rnn", "num_units": 6, "num_layers": 1, "epochs": 2, "batch_size": 32}
    return TrainConfig(**{**small, "learning_rate": 0.01, **options})


def make_trainer(config, data, count=100, **options):
    """A trainer on the first `count` digits."""
    return Trainer(config, data[0][:count], data[1][:count], 10, **options)


def weights(trainer):
    """The weights of a trainer's model, as arrays."""
    return [np.asarray(weight) for weight in trainer.model.weights]


def history(trainer):
    """What a trainer wrote down of each epoch, but for the time it took."""
    return [
        {name: value for name, value in line.items() if name != "train_seconds"}
        for line in trainer.history
    ]


def assert_identical(first, second):
    """Two trainers agree in every bit: weights, optimizer, history."""
    assert history(first) == history(second)
    assert first.step == second.step
    for kind in ("model", "optimizer"):
        variables = [getattr(trainer, kind).variables for trainer in (first, second)]
        for one, other in zip(*variables, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)


def cross_entropy(trainer, images, labels):
    """The mean cross-entropy of a trainer's model, from its logits."""
    logits = np.asarray(trainer.model(images), np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


class AtCall(keras.callbacks.Callback):
    """Does something after some calls of the graph.

    Args:
        calls: after which, counted from 1.
        action: called without arguments.
    """

    def __init__(self, calls, action):
        super().__init__()
        self.calls, self.action, self.count = calls, action, 0

    def on_train_batch_end(self, batch, logs=None):
        """Counts the calls."""
        self.count += 1
        if self.count in self.calls:
            self.action()
