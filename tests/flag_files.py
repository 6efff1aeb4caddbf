"""The flag files that are shipped, as the programs read them."""

import pathlib

from absl import flags

from rnn_mnist_tf import compare, train
from rnn_mnist_tf.study import parse_grids

FLAGS = pathlib.Path(__file__).parents[1] / "flags"


def read_flags(program, path):
    """The flags of a program with those of a file."""
    values = flags.FlagValues()
    program.define_flags(values)
    values([program.__name__, f"--flagfile={path}"])
    return values


def recipe_points(name):
    """The points of a recipe: three seeds."""
    values = read_flags(train, FLAGS / f"{name}.flags")
    return parse_grids(["seed:0,1,2"], train.read_config(values))


def study_points(name):
    """The points of a study."""
    values = read_flags(compare, FLAGS / "studies" / f"{name}.flags")
    return parse_grids(values.grid, train.read_config(values), values.cores, values.seeds)
