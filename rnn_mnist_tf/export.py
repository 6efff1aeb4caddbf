"""Exports a SavedModel: `python -m rnn_mnist_tf.export --workdir=runs/quickstart --output=DIR`."""

import sys

from absl import flags

from rnn_mnist_tf.data import load_dataset
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import EMBEDDED, find_run, pretrained_names
from rnn_mnist_tf.serving import export_saved_model
from rnn_mnist_tf.training.strategy import configure_threads
from rnn_mnist_tf.training.workdir import load_model, read_description

_CHECKED = 1000


def define_flags(flag_values):
    """Defines the door's flags."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    flags.DEFINE_string(
        "pretrained",
        "",
        f"In place of workdir: {', '.join(pretrained_names())}.",
        flag_values=flag_values,
    )
    flags.DEFINE_string("output", "", "A new directory.", flag_values=flag_values)
    flags.DEFINE_string("data_dir", "", "For a run on IDX files.", flag_values=flag_values)
    flags.DEFINE_string("tfds_dir", "", "Where TFDS keeps data sets.", flag_values=flag_values)


def run(workdir, output, dataset=None, data_dir="", tfds_dir=""):
    """Exports the model of a run and checks it on real images.

    Args:
        workdir: the directory of the run.
        output: a directory that does not exist yet.
        dataset: a `Dataset` whose test images are used for the check; the run's own if None.
        data_dir, tfds_dir: see `load_dataset`; the run's own if empty.

    Returns:
        A dict: `output`, `checked` (images), `largest_difference`.

    Raises:
        InputError: no complete run; an output that is taken.
    """
    model, description = load_model(workdir)
    config = description.config
    if dataset is None:
        dataset = load_dataset(
            config.dataset,
            data_dir or config.data_dir,
            tfds_dir or config.tfds_dir,
            config.image_size,
            config.num_classes,
        )
    images = dataset.test_images[:_CHECKED]
    difference = export_saved_model(model, output, images)
    return {"output": str(output), "checked": len(images), "largest_difference": difference}


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    workdir = find_run(values.workdir, values.pretrained)
    if not values.output:
        raise InputError("Received no output, expected --output=DIR, a new directory.")
    config = read_description(workdir).config
    configure_threads(model=config.model)
    dataset = None
    if values.pretrained:
        # Its own data may not be here, and any digits do for this check.
        name = "idx" if values.data_dir else EMBEDDED
        dataset = load_dataset(name, values.data_dir, values.tfds_dir, config.image_size)
    try:
        result = run(workdir, values.output, dataset, values.data_dir, values.tfds_dir)
    except RuntimeError as error:
        raise InputError(str(error)) from error
    print(
        f"wrote {result['output']}; on {result['checked']} images its answers differ from the "
        f"model's by at most {result['largest_difference']:.2g}"
    )
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.export`."""
    return run_door("export", "exports a SavedModel.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
