"""Puts a run among the trained models that come with the package, for those who develop it.

python -m rnn_mnist_tf.pretrained.ship --workdir=runs/article --name=article
"""

import dataclasses
import pathlib
import shutil
import sys

from absl import flags

from rnn_mnist_tf import pretrained
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.files import replacing, write_text

LARGEST = 3_000_000  # bytes


def define_flags(flag_values):
    """Defines the program's flags."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    flags.DEFINE_string("name", "", "What the model will be called.", flag_values=flag_values)
    flags.DEFINE_string(
        "dataset",
        "mnist",
        "For a run on IDX files: the name of their data set, for those who do not have them.",
        flag_values=flag_values,
    )


def run(workdir, name, dataset="mnist"):
    """Copies what a complete run's model is rebuilt from, without where its data lay.

    A model that is there already is replaced; until the new one is whole, there is none of its
    name.

    Args:
        workdir: the directory of the run.
        name: of the model.
        dataset: what stands in its configuration in place of `idx`.

    Returns:
        The model's directory.

    Raises:
        InputError: a name that is none, no complete run, weights of more than `LARGEST` bytes, or
            a place that cannot be written.
    """
    if not name.isidentifier() or name.startswith("_"):
        raise InputError(f"Received name={name!r}, expected a name such as 'best_rnn'.")
    workdir = pathlib.Path(workdir)
    _, description = workdirs.load_model(workdir)
    result = workdirs.read_result(workdir)
    if result is None:
        raise InputError(
            f"Received workdir={str(workdir)!r}, whose run is not complete: {workdirs.RESULT} is "
            "missing. Go on with the same train command."
        )
    size = (workdir / workdirs.WEIGHTS).stat().st_size
    if size > LARGEST:
        raise InputError(f"Received weights of {size} bytes, expected at most {LARGEST}.")
    config = dataclasses.replace(description.config, data_dir="", tfds_dir="")
    if config.dataset == "idx":
        config = dataclasses.replace(config, dataset=dataset)
    target = pretrained.DIRECTORY / name
    try:
        target.mkdir(exist_ok=True)
        (target / workdirs.CONFIG).unlink(missing_ok=True)
        for file in (workdirs.WEIGHTS, workdirs.WEIGHTS_SHA256):
            with replacing(target / file) as temporary:
                shutil.copyfile(workdir / file, temporary)
        workdirs.write_result(target, result)
        # Last, for it is what makes a directory a model; see `pretrained_names`.
        write_text(target / workdirs.CONFIG, description._replace(config=config).to_json())
    except OSError as error:
        raise InputError(
            f"Received name={name!r}, expected {target} to be a directory that can be written: "
            f"{error}."
        ) from error
    return target


def main(values):
    """Runs the program for parsed flags. Returns the exit code."""
    if not values.workdir:
        raise InputError("Received no workdir, expected --workdir=DIR.")
    print(f"wrote {run(values.workdir, values.name, values.dataset)}")
    return 0


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.pretrained.ship`."""
    return run_door("pretrained.ship", "ships a trained model.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
