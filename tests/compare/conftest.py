"""Studies of short runs, whose points are run in this process."""

import dataclasses

import pytest

from rnn_mnist_tf import analyze, compare, train
from rnn_mnist_tf.study import Children
from rnn_mnist_tf.study.children import Ending
from rnn_mnist_tf.study.points import config_flags
from tests.data.test_idx import NAMES, write
from tests.doors import Answer


class ChildrenHere(Children):
    """Runs the programs in this process, which has TensorFlow already; counts them."""

    def __init__(self, capsys):
        super().__init__()
        self.programs, self._capsys = [], capsys

    def run(self, program, arguments):
        """Runs a door."""
        if self.stopped:
            return Ending(130, "stopped")
        shown = self._capsys.readouterr()
        code = {"train": train, "analyze": analyze}[program].cli([program, *arguments])
        lines = self._capsys.readouterr().err.splitlines() or [""]
        print(shown.out, end="")
        print(shown.err, end="", file=compare.sys.stderr)
        self.programs.append(program)
        return Ending(code, lines[-1])


@pytest.fixture
def knock(capsys, monkeypatch):
    """Returns a function that runs the door, and its children too, in this process.

    The function's `programs` are those of the children of its last call.
    """

    def run(*arguments, stopped=False):
        children = ChildrenHere(capsys)
        children.stopped = stopped
        monkeypatch.setattr(compare, "Children", lambda: children)
        code = compare.cli(["compare", *map(str, arguments)])
        run.programs = children.programs
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def idx_files(digits, tmp_path_factory):
    """The flags of 600 digits in files, which are read at once."""
    directory = tmp_path_factory.mktemp("idx")
    write(directory, {name: getattr(digits, name) for name in NAMES})
    return ["--dataset=idx", f"--data_dir={directory}"]


@pytest.fixture
def other_digits(digits, tmp_path):
    """The flag of the same digits in another order, which are other training data."""
    arrays = {name: getattr(digits, name) for name in NAMES}
    (tmp_path / "others").mkdir()
    write(tmp_path / "others", {**arrays, "train_images": arrays["train_images"][::-1]})
    return f"--data_dir={tmp_path / 'others'}"


@pytest.fixture(scope="module")
def base(small_config, idx_files):
    """The flags of a study of short runs."""
    config = dataclasses.replace(small_config, cell="basic_rnn", num_units=8)
    return [*config_flags(config), *idx_files]
