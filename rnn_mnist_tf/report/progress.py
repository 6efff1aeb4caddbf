"""A progress bar over a whole run."""

import sys

import keras
import tqdm


class ProgressBar(keras.callbacks.Callback):
    """Shows epoch, images done, images/s, time left, loss and accuracy on stderr.

    Args:
        epochs: of the run.
        examples: of one epoch.
        batch_size: images a step.
    """

    def __init__(self, epochs, examples, batch_size):
        super().__init__()
        self.epochs, self.examples, self.batch_size = epochs, examples, batch_size
        self._epoch = 0
        self._begun = False
        self._bar = tqdm.tqdm(
            total=epochs * examples,
            unit=" images",
            unit_scale=True,
            mininterval=0.5,
            dynamic_ncols=True,
        )

    def on_epoch_begin(self, epoch, logs=None):
        """Names the epoch."""
        self._epoch = epoch
        self._bar.set_description(f"epoch {epoch + 1}/{self.epochs}", refresh=False)

    def on_train_batch_begin(self, batch, logs=None):
        """Puts the bar where the run goes on, so that its speed is that of this start."""
        if not self._begun:
            self._begun = True
            done = self._epoch * self.examples + batch * self.batch_size
            self._bar.initial = self._bar.n = done

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        in_epoch = min((batch + 1) * self.batch_size, self.examples)
        self._bar.set_postfix(
            loss=f"{logs['loss']:.4f}", accuracy=f"{logs['accuracy']:.4f}", refresh=False
        )
        self._bar.update(self._epoch * self.examples + in_epoch - self._bar.n)

    def on_epoch_end(self, epoch, logs=None):
        """Writes one line that stays."""
        self._bar.write(f"epoch {epoch + 1}/{self.epochs}: {format_metrics(logs)}", file=sys.stderr)

    def on_train_end(self, logs=None):
        """Leaves the bar as it stands."""
        self._bar.close()


def format_metrics(metrics):
    """Returns the metrics of an epoch in one line.

    >>> format_metrics({"epoch": 1, "loss": 0.25, "accuracy": 0.5, "train_seconds": 3.0})
    'loss 0.2500, accuracy 0.5000'
    """
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in names if name in metrics)
