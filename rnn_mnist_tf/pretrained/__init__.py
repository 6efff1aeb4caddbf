"""Trained models that come with the package, each the directory of a run.

`config.json`, `result.json` with its test accuracy, `model.weights.h5` and its sha256: what
`rnn_mnist_tf.training.workdir.load_model` reads.
"""

import pathlib

from absl import flags

from rnn_mnist_tf.errors import InputError

DIRECTORY = pathlib.Path(__file__).parent
# What a trained model is tried on where its own data may not be at hand.
EMBEDDED = "mnist5k"


def pretrained_names():
    """Returns the names of the models that come with the package.

    >>> "article" in pretrained_names()
    True
    """
    return sorted(path.parent.name for path in DIRECTORY.glob("[!._]*/config.json"))


def define_run_flags(flag_values):
    """Defines the flags that name a run: `workdir`, or `pretrained` in its place."""
    flags.DEFINE_string("workdir", "", "The directory of the run.", flag_values=flag_values)
    flags.DEFINE_string(
        "pretrained",
        "",
        f"In place of workdir: {', '.join(pretrained_names())}.",
        flag_values=flag_values,
    )


def define_data_flags(flag_values):
    """Defines the flags that name what a run's model is asked about; see `load_run_dataset`."""
    flags.DEFINE_string(
        "dataset",
        "",
        "The data set; if empty the run's own, of a pretrained model mnist5k.",
        flag_values=flag_values,
    )
    flags.DEFINE_string("data_dir", "", "For --dataset=idx.", flag_values=flag_values)
    flags.DEFINE_string("tfds_dir", "", "Where TFDS keeps data sets.", flag_values=flag_values)


def asked_dataset(values):
    """Returns the data set's name in flags of `define_run_flags` and `define_data_flags`.

    Empty for the run's own; that of a pretrained model may not be here.

    >>> import types
    >>> asked_dataset(types.SimpleNamespace(dataset="", data_dir="", pretrained="fast"))
    'mnist5k'
    """
    own = values.data_dir or not values.pretrained
    return values.dataset or ("" if own else EMBEDDED)


def find_run(workdir="", pretrained=""):
    """Returns the directory of the run that was asked for, by its place or by its name.

    Args:
        workdir: the directory of a run, or empty.
        pretrained: one of `pretrained_names()`, or empty.

    Raises:
        InputError: neither or both; an unknown name.

    >>> find_run(pretrained="article").name
    'article'
    """
    names = ", ".join(pretrained_names())
    if bool(workdir) == bool(pretrained):
        received = "both workdir and pretrained" if workdir else "no workdir"
        raise InputError(
            f"Received {received}, expected --workdir=DIR or --pretrained=NAME, one of {names}."
        )
    if not pretrained:
        return pathlib.Path(workdir)
    if pretrained not in pretrained_names():
        raise InputError(f"Received pretrained={pretrained!r}, expected one of {names}.")
    return DIRECTORY / pretrained
