"""Evaluates a trained classifier: `python -m rnn_mnist_tf.evaluate --workdir=runs/quickstart`."""

import json
import sys

import numpy as np
from absl import flags

from rnn_mnist_tf.data import load_dataset, split_images
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import asked_dataset, define_data_flags, define_run_flags, find_run
from rnn_mnist_tf.report import classification_scores, format_scores
from rnn_mnist_tf.training import make_predictor
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import (
    check_dataset,
    has_other_test_images,
    load_model,
    load_run_dataset,
    read_description,
    read_result,
)


def define_flags(flag_values):
    """Defines the door's flags."""
    define_run_flags(flag_values)
    define_data_flags(flag_values)
    flags.DEFINE_bool("json", False, "Print JSON for machines.", flag_values=flag_values)


def run(workdir, dataset=None, name="", data_dir="", tfds_dir=""):
    """Evaluates the model of a run on the test split of a data set.

    Args:
        workdir: the directory of the run.
        dataset: a `Dataset`; loaded by `name` if None.
        name, data_dir, tfds_dir: see `load_run_dataset`.

    Returns:
        The scores of `classification_scores`, and `dataset` and `warnings`.

    Raises:
        InputError: no complete run; a data set that does not fit the model.
    """
    model, description = load_model(workdir)
    own = dataset is None and not name and not data_dir
    if dataset is None:
        dataset = load_run_dataset(description, name, data_dir, tfds_dir)
    check_dataset(description, dataset)
    predicted = np.argmax(make_predictor(model)(dataset.test_images), axis=1)
    scores = classification_scores(dataset.test_labels, predicted, dataset.class_names)
    scores["dataset"] = dataset.name
    scores["warnings"] = seen_before(description, dataset)
    if own and dataset.digest != description.data_digest:
        scores["warnings"].append(
            "the data set has other training images or labels than when the model was trained: it "
            "is not the one that result.json speaks of"
        )
    elif own and has_other_test_images(_result_of(workdir), dataset.test_digest):
        scores["warnings"].append(
            "the data set has other test images or labels than those that result.json speaks of"
        )
    return scores


def _result_of(workdir):
    """The result of a run as far as one can be read: the model can be evaluated without."""
    try:
        return read_result(workdir) or {}
    except InputError:
        return {}


def seen_before(description, dataset):
    """Returns warnings, none or one, that a model was trained on images that it is asked about.

    The embedded digits are MNIST *training* images. Whether IDX files hold them is looked up there,
    if they can still be read.

    Args:
        description: the `RunDescription` of the model.
        dataset: the `Dataset` whose test images are evaluated.
    """
    # A name may have a version behind it.
    asked, trained_on = (n.split(":")[0] for n in (dataset.name, description.config.dataset))
    if asked != "mnist5k" or trained_on not in ("mnist", "idx"):
        return []
    if trained_on == "mnist":
        some = "or most" if not description.config.train_examples else "or some"
        return [
            "all of mnist5k are MNIST training images, and the model was trained on MNIST: it has "
            f"seen them, {some}, so this accuracy says nothing of new digits"
        ]
    count = _count_in_training_files(description, dataset.test_images)
    if count is None:
        return [
            "all of mnist5k are MNIST training images: if the IDX files are MNIST, the model has "
            "seen them, and this accuracy says nothing of new digits"
        ]
    if count == 0:
        return []
    return [
        f"the model was trained on at least {count} of these {len(dataset.test_images)} images, "
        "all of which are MNIST training images: this accuracy says little of new digits"
    ]


def _count_in_training_files(description, images):
    """How many images a run was trained on; None if its IDX files are not there any more."""
    try:
        trained = load_dataset(*description.config.source)
    except InputError:
        return None
    if trained.digest != description.data_digest:
        return None
    train, _ = split_images(trained.train_labels, description.config)
    known = {image.tobytes() for image in trained.train_images[train]}
    return sum(image.tobytes() in known for image in images)


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    workdir = find_run(values.workdir, values.pretrained)
    config = read_description(workdir).config
    configure_threads(model=config.model)
    scores = run(workdir, None, asked_dataset(values), values.data_dir, values.tfds_dir)
    for warning in scores["warnings"]:
        print(f"evaluate: warning: {warning}", file=sys.stderr)
    shipped = read_result(workdir) if values.pretrained else None
    if shipped:
        print(
            f"evaluate: {values.pretrained} was trained on {config.dataset} and had accuracy "
            f"{shipped['test_accuracy']:.4f} over its {shipped['test_examples']} test images",
            file=sys.stderr,
        )
    print(json.dumps(scores) if values.json else format_scores(scores))
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.evaluate`."""
    return run_door("evaluate", "evaluates a trained classifier.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
