"""Evaluates a trained classifier: `python -m rnn_mnist_tf.evaluate --workdir=runs/quickstart`."""

import json
import sys

import numpy as np
from absl import flags

from rnn_mnist_tf.data import load_dataset
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.report import classification_scores, format_scores
from rnn_mnist_tf.training import make_predictor
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import load_model, read_description

_FULL_MNIST = ("mnist", "idx")


def define_flags(flag_values):
    """Defines the door's flags."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    flags.DEFINE_string(
        "dataset", "", "The data set; the run's own if empty.", flag_values=flag_values
    )
    flags.DEFINE_string("data_dir", "", "For --dataset=idx.", flag_values=flag_values)
    flags.DEFINE_string("tfds_dir", "", "Where TFDS keeps data sets.", flag_values=flag_values)
    flags.DEFINE_bool("json", False, "Print JSON for machines.", flag_values=flag_values)


def run(workdir, dataset=None, name="", data_dir="", tfds_dir=""):
    """Evaluates the model of a run on the test split of a data set.

    Args:
        workdir: the directory of the run.
        dataset: a `Dataset`; loaded by `name` if None.
        name, data_dir, tfds_dir: see `load_dataset`; the run's own if empty.

    Returns:
        The scores of `classification_scores`, and `dataset` and `warnings`.

    Raises:
        InputError: no complete run; a data set that does not fit the model.
    """
    model, description = load_model(workdir)
    config = description.config
    if dataset is None:
        name = name or config.dataset
        dataset = load_dataset(
            name,
            data_dir or (config.data_dir if name == "idx" else ""),
            tfds_dir or config.tfds_dir,
            config.image_size,
            config.num_classes,
        )
    if tuple(dataset.image_shape) != tuple(description.image_shape):
        raise InputError(
            f"Received dataset={dataset.name!r} with images of {tuple(dataset.image_shape)}, "
            f"expected {tuple(description.image_shape)}, the model's."
        )
    if dataset.num_classes != len(description.class_names):
        raise InputError(
            f"Received dataset={dataset.name!r} with {dataset.num_classes} classes, expected "
            f"{len(description.class_names)}, the model's."
        )
    predicted = np.argmax(make_predictor(model)(dataset.test_images), axis=1)
    scores = classification_scores(dataset.test_labels, predicted, dataset.class_names)
    scores["dataset"] = dataset.name
    scores["warnings"] = []
    if dataset.name == "mnist5k" and config.dataset.split(":")[0] in _FULL_MNIST:
        scores["warnings"].append(
            "all of mnist5k are MNIST training images, and the model was trained on MNIST: it has "
            "seen them, so this accuracy says nothing of new digits"
        )
    return scores


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    if not values.workdir:
        raise InputError("Received no workdir, expected --workdir=DIR.")
    configure_threads(model=read_description(values.workdir).config.model)
    scores = run(values.workdir, None, values.dataset, values.data_dir, values.tfds_dir)
    for warning in scores["warnings"]:
        print(f"evaluate: warning: {warning}", file=sys.stderr)
    print(json.dumps(scores) if values.json else format_scores(scores))
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.evaluate`."""
    return run_door("evaluate", "evaluates a trained classifier.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
