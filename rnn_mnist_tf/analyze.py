"""Measures a trained classifier: `python -m rnn_mnist_tf.analyze --workdir=runs/quickstart`."""

import json
import pathlib
import sys

from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import define_data_flags
from rnn_mnist_tf.report.analyses import ANALYSES
from rnn_mnist_tf.training.files import make_writable, write_text
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import (
    check_dataset,
    load_model,
    load_run_dataset,
    read_description,
)

_IMAGES = 500


def define_analyses(flag_values, default):
    """Defines `--analyses`, a list of names of measurements.

    Args:
        flag_values: where.
        default: the names if it is not given.
    """
    flags.DEFINE_list(
        "analyses", default, f"Of {', '.join(ANALYSES)}; comma between.", flag_values=flag_values
    )
    flags.register_validator(
        "analyses",
        lambda names: set(names) <= set(ANALYSES),
        f"expected some of {', '.join(ANALYSES)}",
        flag_values=flag_values,
    )


def define_flags(flag_values):
    """Defines the door's flags."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    define_analyses(flag_values, list(ANALYSES))
    flags.DEFINE_string("output", "", "A JSON file for the figures too.", flag_values=flag_values)
    define_data_flags(flag_values)
    flags.DEFINE_integer(
        "cores", 0, "Cores to use; 0 means all.", lower_bound=0, flag_values=flag_values
    )


def run(
    workdir,
    analyses=tuple(ANALYSES),
    dataset=None,
    output="",
    name="",
    data_dir="",
    tfds_dir="",
):
    """Measures the model of a run on the first 500 training images of its data set.

    Args:
        workdir: the directory of the run.
        analyses: names of `rnn_mnist_tf.report.analyses.ANALYSES`.
        dataset: a `Dataset`; loaded as the run's configuration says if None.
        output: a JSON file; what it holds of other analyses stays.
        name, data_dir, tfds_dir: see `load_run_dataset`.

    Returns:
        `{name: figures}`.

    Raises:
        InputError: no complete run, or an output that cannot be written.
        ValueError: a model that an analysis does not apply to.
    """
    model, description = load_model(workdir)
    if dataset is None:
        dataset = load_run_dataset(description, name, data_dir, tfds_dir)
        check_dataset(description, dataset)
    _read_output(output)  # a wrong place is known before minutes of measuring
    images = dataset.train_images[:_IMAGES]
    figures = {name: ANALYSES[name](model, images) for name in analyses}
    if output:
        write_text(output, json.dumps({**_read_output(output), **figures}, indent=2) + "\n")
    return figures


def _read_output(output):
    """Returns the figures that an output has already."""
    if not output:
        return {}
    path = pathlib.Path(output)
    make_writable(path.parent, f"output={output!r}", "a file in a directory that can be written")
    try:
        return dict(json.loads(path.read_text())) if path.exists() else {}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"Received output={output!r}, expected a JSON file of figures: {error}."
        ) from error


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    if not values.workdir:
        raise InputError("Received no workdir, expected --workdir=DIR.")
    configure_threads(values.cores, read_description(values.workdir).config.model)
    source = values.dataset, values.data_dir, values.tfds_dir
    print(json.dumps(run(values.workdir, values.analyses, None, values.output, *source)))
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.analyze`."""
    return run_door("analyze", "measures a trained classifier.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
