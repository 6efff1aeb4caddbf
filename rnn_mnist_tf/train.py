"""Trains a classifier: `python -m rnn_mnist_tf.train --flagfile=flags/quickstart.flags`."""

import contextlib
import dataclasses
import os
import signal
import sys

import numpy as np
from absl import flags

from rnn_mnist_tf.data import load_dataset, split_images
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.report import ProgressBar, classification_scores, save_confusion_matrix
from rnn_mnist_tf.signals import handling_stops, say
from rnn_mnist_tf.training import TrainConfig, Trainer
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.config import PLACES
from rnn_mnist_tf.training.files import lock
from rnn_mnist_tf.training.strategy import configure_threads

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_flags(flag_values):
    """Defines the door's flags: every field of `TrainConfig`, and how the run is carried out."""
    for field in dataclasses.fields(TrainConfig):
        help_text, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(
                field.name, field.default, list(choices), help_text, flag_values=flag_values
            )
        else:
            define = _DEFINE[type(field.default)]
            bounds = {
                bound: field.metadata[key]
                for bound, key in (("lower_bound", "minimum"), ("upper_bound", "maximum"))
                if field.metadata[key] is not None
            }
            define(field.name, field.default, help_text, flag_values=flag_values, **bounds)
    flags.DEFINE_string("workdir", "", "Where the run lives.", flag_values=flag_values)
    flags.DEFINE_bool("overwrite", False, "Delete the run in workdir.", flag_values=flag_values)
    flags.DEFINE_integer(
        "steps_per_call",
        50,
        "Steps in one call of the graph; progress and Ctrl-C are seen between calls.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "cores", 0, "Cores to use; 0 means all.", lower_bound=0, flag_values=flag_values
    )
    flags.DEFINE_bool("progress", True, "Show a progress bar.", flag_values=flag_values)


def run(
    config,
    workdir,
    dataset=None,
    strategy=None,
    overwrite=False,
    steps_per_call=50,
    progress=False,
    handle_signals=False,
):
    """Trains, or goes on with, the run in `workdir`, and reads the test split once, at the end.

    Args:
        config: a `TrainConfig`.
        workdir: the directory of the run; see `rnn_mnist_tf.training.workdir`.
        dataset: a `Dataset`; loaded as the configuration says if None.
        strategy: a `tf.distribute.Strategy`, or None.
        overwrite: whether the run that workdir holds is deleted.
        steps_per_call: see `Trainer`.
        progress: whether to show a progress bar.
        handle_signals: whether Ctrl-C or TERM stops the run at the end of the current call.

    Returns:
        The content of `result.json`, or None if the run was stopped.

    Raises:
        InputError: with one line that says what to do.
    """
    if dataset is None:
        dataset = load_dataset(*config.source)
    description = workdirs.RunDescription(
        config, dataset.image_shape, dataset.class_names, dataset.digest
    )
    train, held_out = split_images(dataset.train_labels, config)
    trainer = Trainer(
        config,
        dataset.train_images[train],
        dataset.train_labels[train],
        dataset.num_classes,
        strategy,
        steps_per_call,
    )
    if not overwrite and workdirs.is_complete(workdir):
        workdirs.open_workdir(workdir, description)  # of this configuration
        result = workdirs.read_result(workdir)
        if workdirs.has_other_test_images(result, dataset.test_digest):
            raise InputError(
                f"Received workdir={str(workdir)!r}, whose result is of other test images or "
                "labels. Evaluate it on these with python -m rnn_mnist_tf.evaluate, choose another "
                "--workdir, or pass --overwrite."
            )
        return result
    stopping = _stopping(trainer) if handle_signals else contextlib.nullcontext()
    with lock(workdir, "train"):
        workdir = workdirs.open_workdir(workdir, description, overwrite)
        callbacks = []
        if progress:
            callbacks.append(ProgressBar(config.epochs, trainer.examples, config.batch_size))
        with stopping:  # what follows can be stopped as ever
            complete = trainer.fit(
                (dataset.train_images[held_out], dataset.train_labels[held_out]),
                callbacks,
                workdir / workdirs.CHECKPOINTS,
                lambda history: workdirs.write_metrics(workdir, history),
            )
        return _finish(trainer, dataset, workdir) if complete else None


def _stopping(trainer):
    """Makes Ctrl-C and TERM stop a trainer; what they did before, they do afterwards."""

    def stop(number):
        trainer.request_stop()
        if number == signal.SIGINT:  # a second Ctrl-C is obeyed at once
            signal.signal(signal.SIGINT, signal.default_int_handler)
            say(
                "train: stopping after the current steps, to save them; Ctrl-C again stops at "
                "once, and loses those since the last epoch."
            )

    return handling_stops(stop)


def _finish(trainer, dataset, workdir):
    """Saves the weights, reads the test split, writes the picture and the result."""
    logits = trainer.predict_logits(dataset.test_images)
    if not np.isfinite(logits).all():
        raise InputError(
            "The trained model's answers are not finite: its last steps diverged. Lower "
            "--learning_rate and pass --overwrite."
        )
    workdirs.write_metrics(workdir, trainer.history)
    workdirs.save_weights(workdir, trainer.model)
    predicted = np.argmax(logits, axis=1)
    scores = classification_scores(dataset.test_labels, predicted, dataset.class_names)
    save_confusion_matrix(
        workdir / workdirs.CONFUSION_MATRIX, dataset.test_labels, predicted, dataset.class_names
    )
    result = {
        "test_accuracy": scores["accuracy"],
        "test_examples": scores["examples"],
        "test_errors": scores["errors"],
        "epochs": trainer.epoch,
        "train_examples": trainer.examples,
        "train_seconds": round(trainer.train_seconds, 3),
        "trace_seconds": round(trainer.trace_seconds, 3),
        "images_per_second": round(trainer.epoch * trainer.examples / trainer.train_seconds, 1),
        "parameters": trainer.model.count_params(),
        "seed": trainer.config.seed,
        "test_digest": dataset.test_digest,
        **{k: v for k, v in trainer.history[-1].items() if k in ("val_loss", "val_accuracy")},
    }
    workdirs.write_result(workdir, result)
    return result


def absolute(path):
    """Returns a place as every directory's programs find it: config.json outlives this one.

    >>> absolute("/data/mnist"), absolute("gs://bucket/data"), absolute("")
    ('/data/mnist', 'gs://bucket/data', '')
    """
    if not path or "://" in path:
        return path
    return os.path.abspath(path)


def read_config(values):
    """Returns the `TrainConfig` of parsed flags; its places hold wherever a program is run.

    Args:
        values: a `flags.FlagValues` in which `define_flags` defined its flags.

    Raises:
        InputError: see `TrainConfig`.

    >>> values = flags.FlagValues()
    >>> define_flags(values)
    >>> values(["train", "--cell=gru"])
    ['train']
    >>> read_config(values).cell
    'gru'
    """
    options = {field.name: values[field.name].value for field in dataclasses.fields(TrainConfig)}
    return TrainConfig(**{**options, **{place: absolute(options[place]) for place in PLACES}})


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    if not values.workdir:
        raise InputError("Received no workdir, expected --workdir=DIR.")
    config = read_config(values)
    configure_threads(values.cores, config.model)
    result = run(
        config,
        values.workdir,
        overwrite=values.overwrite,
        steps_per_call=values.steps_per_call,
        progress=values.progress,
        handle_signals=True,
    )
    if result is None:
        print(
            f"train: stopped; the run is saved in {values.workdir}. "
            "To go on, run the same command again (without --overwrite).",
            file=sys.stderr,
        )
        return 130
    print(
        f"test accuracy {result['test_accuracy']:.4f} over {result['test_examples']} examples, "
        f"{result['epochs']} epochs in {result['train_seconds']:.1f} s "
        f"({result['images_per_second']:.0f} images/s), {result['parameters']} parameters; "
        f"written to {values.workdir}"
    )
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.train`."""
    return run_door("train", "trains a classifier.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
