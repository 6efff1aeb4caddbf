"""Puts a run among the trained models that come with the package, for those who develop it.

python -m rnn_mnist_tf.pretrained.ship --workdir=runs/article --name=article
"""

import dataclasses
import pathlib
import shutil
import sys

from absl import flags

from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.pretrained import DIRECTORY
from rnn_mnist_tf.training import workdir as workdirs
from rnn_mnist_tf.training.files import write_text

LARGEST = 3_000_000  # bytes


def define_flags(flag_values):
    """Defines the program's flags."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    flags.DEFINE_string("name", "", "What the model will be called.", flag_values=flag_values)
    flags.DEFINE_string(
        "dataset",
        "mnist",
        "The name of the data set for those who do not have the run's files.",
        flag_values=flag_values,
    )


def run(workdir, name, dataset="mnist", directory=DIRECTORY):
    """Copies what a complete run's model is rebuilt from, without where its data lay.

    Args:
        workdir: the directory of the run.
        name: of the model.
        dataset: what stands in its configuration in place of `idx`.
        directory: where the trained models are.

    Returns:
        The model's directory.

    Raises:
        InputError: a name that is none, no complete run, or weights of more than `LARGEST` bytes.
    """
    if not name.isidentifier():
        raise InputError(f"Received name={name!r}, expected a name such as 'best_rnn'.")
    workdir = pathlib.Path(workdir)
    _, description = workdirs.load_model(workdir)
    result = workdirs.read_result(workdir)
    if result is None:
        raise InputError(f"Received workdir={str(workdir)!r}, expected a complete run.")
    size = (workdir / workdirs.WEIGHTS).stat().st_size
    if size > LARGEST:
        raise InputError(f"Received weights of {size} bytes, expected at most {LARGEST}.")
    config = dataclasses.replace(description.config, dataset=dataset, data_dir="", tfds_dir="")
    target = pathlib.Path(directory) / name
    target.mkdir(parents=True, exist_ok=True)
    for file in (workdirs.WEIGHTS, workdirs.WEIGHTS_SHA256):
        shutil.copyfile(workdir / file, target / file)
    workdirs.write_result(target, result)
    write_text(target / workdirs.CONFIG, description._replace(config=config).to_json())
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
