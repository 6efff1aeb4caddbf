"""Exports a SavedModel: `python -m rnn_mnist_tf.export --workdir=runs/quickstart --output=DIR`."""

import sys

from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import asked_dataset, define_data_flags, define_run_flags, find_run
from rnn_mnist_tf.serving import export_saved_model
from rnn_mnist_tf.signals import handling_stops
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import (
    check_dataset,
    load_model,
    load_run_dataset,
    read_description,
)

_CHECKED = 1000


def define_flags(flag_values):
    """Defines the door's flags."""
    define_run_flags(flag_values)
    flags.DEFINE_string("output", "", "A new directory.", flag_values=flag_values)
    define_data_flags(flag_values)


def run(workdir, output, dataset=None, name="", data_dir="", tfds_dir=""):
    """Exports the model of a run and checks it on real images.

    Args:
        workdir: the directory of the run.
        output: a directory that does not exist yet.
        dataset: a `Dataset` whose test images are used for the check; the run's own if None.
        name, data_dir, tfds_dir: see `load_run_dataset`.

    Returns:
        A dict: `output`, `checked` (images), `largest_difference`.

    Raises:
        InputError: no complete run; an output that is taken; images that are not the model's.
    """
    model, description = load_model(workdir)
    if dataset is None:
        dataset = load_run_dataset(description, name, data_dir, tfds_dir)
    check_dataset(description, dataset)
    images = dataset.test_images[:_CHECKED]
    difference = export_saved_model(model, output, images)
    return {"output": str(output), "checked": len(images), "largest_difference": difference}


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    workdir = find_run(values.workdir, values.pretrained)
    if not values.output:
        raise InputError("Received no output, expected --output=DIR, a new directory.")
    configure_threads(model=read_description(workdir).config.model)
    name = asked_dataset(values)  # any digits do for this check
    try:
        with handling_stops(_stop):
            result = run(workdir, values.output, None, name, values.data_dir, values.tfds_dir)
    except RuntimeError as error:
        raise InputError(str(error)) from error
    except KeyboardInterrupt:
        print("export: stopped; nothing was written.", file=sys.stderr)
        return 130
    print(
        f"wrote {result['output']}; on {result['checked']} images its answers differ from the "
        f"model's by at most {result['largest_difference']:.2g}"
    )
    return 0


def _stop(_):
    raise KeyboardInterrupt  # for TERM too: what is half written goes


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.export`."""
    return run_door("export", "exports a SavedModel.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
