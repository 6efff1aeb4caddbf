"""Classifies image files: `python -m rnn_mnist_tf.predict --workdir=runs/quickstart FILE...`."""

import sys
import typing

import numpy as np
from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError, one_line
from rnn_mnist_tf.images.fit import INVERT, fit_image, list_images, read_image
from rnn_mnist_tf.pretrained import define_run_flags, find_run
from rnn_mnist_tf.training import make_predictor
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import load_model, read_description

_FITS = ("auto", "digit", "whole")
_DIGITS = ("mnist5k", "mnist", "idx")


class Prediction(typing.NamedTuple):
    """The answer for one file.

    Attributes:
        path: the file.
        label, probability: of the most likely class; None with an error.
        runner_up, runner_up_probability: of the second; None with an error.
        error: one line, or None.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    runner_up: str | None = None
    runner_up_probability: float | None = None
    error: str | None = None


def define_flags(flag_values):
    """Defines the door's flags."""
    define_run_flags(flag_values)
    flags.DEFINE_enum(
        "invert",
        "auto",
        list(INVERT),
        "Whether images are dark on light; auto asks a drawing's border, and leaves a whole image.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "fit",
        "auto",
        list(_FITS),
        "digit: crop, scale and centre as MNIST was made; whole: resize; auto: digit for models of "
        "MNIST.",
        flag_values=flag_values,
    )


def run(workdir, paths, invert="auto", fit="auto"):
    """Classifies files with the model of a run.

    Args:
        workdir: the directory of the run.
        paths: files, or directories whose images are taken.
        invert, fit: see the flags.

    Returns:
        A list of `Prediction`, one a file, in order; a broken file has an error.

    Raises:
        InputError: no complete run, or no files.
    """
    model, description = load_model(workdir)
    files = list_images(paths)
    if not files:
        raise InputError(
            f"Received {list(map(str, paths))}, expected image files or directories that hold some."
        )
    if fit == "digit" and len(description.image_shape) == 3:
        raise InputError(
            "Received fit='digit' and a model of colour images, which sees them whole, expected "
            "--fit=whole."
        )
    as_digit = fit == "digit" or (
        fit == "auto" and description.config.dataset.split(":")[0] in _DIGITS
    )
    images, errors = {}, {}
    for file in files:
        try:
            images[file] = fit_image(read_image(file), description.image_shape, invert, as_digit)
        except InputError as error:
            errors[file] = one_line(error)
    answers = {}
    if images:
        logits = make_predictor(model)(np.stack(list(images.values()))).astype(np.float64)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        answers = dict(zip(images, probabilities))
    names = description.class_names
    return [
        Prediction(str(file), error=errors[file])
        if file in errors
        else _predict(str(file), answers[file], names)
        for file in files
    ]


def _predict(path, probabilities, names):
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return Prediction(
        path,
        names[first],
        float(probabilities[first]),
        names[second],
        float(probabilities[second]),
    )


def main(values, paths):
    """Runs the door for parsed flags. Returns the exit code: 1 if a file was broken."""
    workdir = find_run(values.workdir, values.pretrained)
    if not paths:
        raise InputError("Received no files, expected predict --workdir=DIR FILE...")
    configure_threads(model=read_description(workdir).config.model)
    predictions = run(workdir, paths, values.invert, values.fit)
    for prediction in predictions:
        if prediction.error:
            text = prediction.error
            shown = text if prediction.path in text else f"{prediction.path}: {text}"
            print(f"predict: error: {one_line(shown)}", file=sys.stderr)
        else:
            print(
                f"{prediction.path}: {prediction.label} ({prediction.probability:.4f}), "
                f"then {prediction.runner_up} ({prediction.runner_up_probability:.4f})"
            )
    return int(any(prediction.error for prediction in predictions))


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.predict`."""
    return run_door(
        "predict", "classifies image files.", define_flags, main, argv, takes_files=True
    )


if __name__ == "__main__":
    sys.exit(cli())
