"""What all doors share: flags, flag files, one line for a mistake, an exit code."""

import dataclasses
import io
import pathlib
import sys

import pytest
import tensorflow as tf
from absl import flags

import rnn_mnist_tf
from rnn_mnist_tf import train
from rnn_mnist_tf.door import find_flagfile, run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training import TrainConfig
from tests.doors import Answer, assert_refused, finish
from tests.flag_files import read_flags

DOORS = ["train", "evaluate", "predict", "export"]
FLAG_FILES = sorted(pathlib.Path(__file__).parents[1].glob("flags/*.flags"))


def define_flags(flag_values):
    """Two flags."""
    flags.DEFINE_integer("seed", 0, "A number.", flag_values=flag_values)
    flags.DEFINE_enum("cell", "gru", ["gru", "lstm"], "A choice.", flag_values=flag_values)


@pytest.fixture
def knock(capsys):
    """Returns a function that runs a door around any `main`."""

    def run(main, *arguments, **options):
        code = run_door("test", "tests.", define_flags, main, ["test", *arguments], **options)
        return Answer(code, *capsys.readouterr())

    return run


def fail_with(error):
    """A `main` that raises."""

    def main(_):
        raise error

    return main


@pytest.mark.parametrize("code", [0, 1, 3])
def test_main_gives_the_exit_code(knock, code):
    """The flags reach `main`, and its answer is the door's."""
    seen = []
    assert knock(lambda values: seen.append(values.seed) or code, "--seed=7") == (code, "", "")
    assert seen == [7]


def test_names_that_are_no_text(monkeypatch):
    """A file whose name is no UTF-8 takes no answer away from the others."""
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert (
        run_door("test", "tests.", define_flags, lambda _: print("f\udcfc.png"), ["test"]) is None
    )
    assert written.getvalue() == b"f\\udcfc.png\n"


def test_files(knock):
    """A door that takes files hands them on, flags among them or not."""
    seen = []

    def main(values, files):
        seen.append((values.seed, files))
        return 0

    assert knock(main, "a.png", "--seed=7", "b c.png", takes_files=True).code == 0
    assert seen == [(7, ["a.png", "b c.png"])]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--nope"], "nope"),
        (["--nope=1"], "nope"),
        (["--seed=seven"], "seven"),
        (["--seed"], "seed"),
        (["--seed="], "seed"),
        (["--cell=gpu"], "gpu"),
        (["--noseed"], "noseed"),
        (["--help=perhaps"], "perhaps"),
        (["stray"], "stray"),
        (["--seed=1", "stray", "--cell=lstm"], "stray"),
        (["--flagfile=no/such/file.flags"], "no/such/file.flags"),
        (["--flagfile"], "flagfile"),
        (["--flagfile=/"], "/"),
    ],
)
def test_wrong_flags(knock, arguments, word):
    """One line that names the mistake, exit code 2, and nothing is run."""
    answer = knock(lambda _: pytest.fail("run"), *arguments)
    assert_refused(answer, 2, "test: error: ", word)


WRONG_FLAG_FILES = [b"--nope=1\n", b"--seed=x\n", b"stray\n", b"\x7fELF\xff\xfe\n"]


@pytest.mark.parametrize("content", WRONG_FLAG_FILES)
def test_wrong_flag_files(knock, tmp_path, content):
    """A mistake in a flag file is a wrong flag."""
    (tmp_path / "wrong.flags").write_bytes(content)
    answer = knock(lambda _: pytest.fail("run"), f"--flagfile={tmp_path / 'wrong.flags'}")
    assert_refused(answer, 2, "test: error: ")


@pytest.mark.parametrize("takes_files", [False, True])
@pytest.mark.parametrize("first", ["--seed=7", "# a comment"])
@pytest.mark.parametrize("named", ["marked.flags", "nested.flags", "~/marked.flags"])
def test_a_byte_order_mark(knock, tmp_path, monkeypatch, named, first, takes_files):
    """Some editors write one before the first line, where nobody sees it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "marked.flags"
    path.write_text(f"{first}\n--seed=8\n", encoding="utf-8-sig")
    (tmp_path / "nested.flags").write_text(f"--flagfile={path}\n")
    answer = knock(lambda *_: pytest.fail("run"), f"--flagfile={named}", takes_files=takes_files)
    assert_refused(answer, 2, "test: error: ", "byte order mark", "without")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("Received x,\n expected y."), 1),
        (ValueError("first\r\n\tsecond"), 1),
        (OSError(28, "No space left on device"), 1),
        (FileNotFoundError(2, "No such file", "some\nname"), 1),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_are_one_line(knock, error, code):
    """Whatever the text of a mistake, the user sees one line."""
    words = str(error).split()[:2] if code == 1 else ["Ctrl-C"]
    assert_refused(knock(fail_with(error)), code, "test: error: ", *words)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating " + "x" * 999),
    ],
    ids=["python", "tensorflow"],
)
def test_a_lack_of_memory_is_one_line(knock, error):
    """It says what to do, and not all that TensorFlow says."""
    answer = knock(fail_with(error))
    assert_refused(answer, 1, "test: error: ", "not enough memory", "smaller")
    assert len(answer.err) < 400


def test_a_full_disk_is_no_lack_of_memory(knock):
    """TensorFlow has one error for both."""
    error = tf.errors.ResourceExhaustedError(
        None, None, "/served/variables; No space left on device"
    )
    answer = knock(fail_with(error))
    assert_refused(answer, 1, "test: error: ", "No space left on device")
    assert "memory" not in answer.err


def test_traceback_on_demand(knock):
    """`--traceback` shows where an error arose, and keeps the exit code."""
    answer = knock(fail_with(InputError("Received x.")), "--traceback")
    assert "Traceback" in answer.err
    assert answer.err.endswith("test: error: Received x.\n")
    assert answer.code == 1


def test_mistakes_of_the_program_are_not_hidden(knock):
    """An error that is no user's is raised as it is."""
    with pytest.raises(ZeroDivisionError):
        knock(fail_with(ZeroDivisionError()))


@pytest.mark.parametrize("flag", ["--help", "--helpfull", "-?"])
@pytest.mark.parametrize("door", DOORS)
def test_help(call, door, flag):
    """Help names the door and its flags on stdout, and is no error."""
    answer = call(door, flag)
    assert (answer.code, answer.err) == (0, "")
    assert f"rnn_mnist_tf.{door}" in answer.out
    assert "--workdir" in answer.out


def test_help_of_train_has_every_field(call):
    """Each field of a configuration is a flag, with its choices."""
    out = "".join(call("train", "--help").out.split())  # help breaks lines in the middle of words
    for field in dataclasses.fields(TrainConfig):
        assert f"--{field.name}:" in out or f"--[no]{field.name}:" in out
        for choice in field.metadata["choices"] or ():
            assert choice in out


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nope=1"], 2),
        (["--workdir"], 2),
        ([], 1),
        (["--workdir="], 1),
    ],
    ids=["unknown", "no-value", "none", "empty"],
)
def test_every_door_refuses_in_one_line(call, door, arguments, code):
    """An unknown flag, a flag without its value, no workdir."""
    assert_refused(call(door, *arguments), code, f"{door}: error: ")


@pytest.mark.parametrize("door", ["train", "evaluate", "export"])
def test_stray_arguments(call, door):
    """Only `predict` takes files."""
    assert_refused(call(door, "--workdir=x", "run/one"), 2, f"{door}: error: ", "run/one")


@pytest.mark.parametrize("path", FLAG_FILES, ids=lambda path: path.stem)
def test_shipped_flag_files(path):
    """Every recipe that is shipped is a configuration, with a workdir to write to."""
    values = read_flags(train, path)
    config = train.read_config(values)
    given = dict(
        line.removeprefix("--").split("=", 1)
        for line in path.read_text().splitlines()
        if line.startswith("--")
    )
    assert values.workdir == given.pop("workdir")
    for name, text in given.items():
        value = getattr(config, name)
        assert str(value).lower() == text.lower() or float(value) == float(text)


def test_the_article_s_recipe():
    """The choices of the article's code: columns of pixels in [-1, 1], 2 x LSTM 100, Adadelta."""
    values = flags.FlagValues()
    train.define_flags(values)
    (path,) = [path for path in FLAG_FILES if path.stem == "article"]
    values(["train", f"--flagfile={path}"])
    assert values.validation_fraction == 0
    assert (values.scan, values.cell, values.num_layers, values.num_units) == (
        "columns",
        "basic_lstm",
        2,
        100,
    )
    assert (values.batch_size, values.epochs) == (64, 10)
    assert (values.optimizer, values.learning_rate, values.schedule) == (
        "adadelta",
        0.1,
        "constant",
    )
    assert values.pixel_scale * 0 + values.pixel_offset == -1
    assert values.pixel_scale * 255 + values.pixel_offset == pytest.approx(1, abs=1e-12)


def test_shipped_flag_files_are_found_from_anywhere(monkeypatch, tmp_path):
    """`--flagfile=flags/quickstart.flags` works in any directory, unless it has its own."""
    monkeypatch.chdir(tmp_path)
    found = find_flagfile("--flagfile=flags/quickstart.flags")
    assert pathlib.Path(found.removeprefix("--flagfile=")).is_file()
    assert find_flagfile("--flagfile=flags/none.flags") == "--flagfile=flags/none.flags"
    assert find_flagfile("--flagfile=other.flags") == "--flagfile=other.flags"
    assert find_flagfile("flags/quickstart.flags") == "flags/quickstart.flags"
    (tmp_path / "flags").mkdir()
    (tmp_path / "flags" / "quickstart.flags").touch()
    own = "--flagfile=flags/quickstart.flags"
    assert find_flagfile(own) == own


@pytest.mark.parametrize("flag", ["workdir", "data_dir"])
def test_home_is_expanded(call, monkeypatch, tmp_path, flag):
    """Neither shells nor flag files do that for `--workdir=~/runs`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    others = ["--pretrained=fast", "--dataset=idx"] if flag == "data_dir" else []
    assert str(tmp_path / "here") in call("evaluate", f"--{flag}=~/here", *others).err


def test_two_doors_share_a_process(call):
    """Flags are each door's own: what one was given, the next does not see."""
    assert "wd-1" in call("evaluate", "--workdir=wd-1").err
    assert "wd-2" in call("export", "--workdir=wd-2", "--output=x").err
    assert "no workdir" in call("evaluate").err


@pytest.mark.parametrize(
    ("door", "arguments", "code", "word"),
    [
        ("train", ["--workdir=/proc/run", "--dataset=no_such_set"], 1, "no_such_set"),
        ("train", ["--cell=gpu"], 2, "gpu"),
        ("evaluate", ["--workdir=/proc/run"], 1, "/proc/run"),
    ],
)
def test_programs_refuse_in_one_line(start, door, arguments, code, word):
    """As programs, too: no library adds a line of its own."""
    assert_refused(finish(start(door, *arguments)), code, f"{door}: error: ", word)


def test_a_reader_that_has_read_enough_is_no_error(start):
    """`evaluate | head -1` ends quietly, whenever the pipe is closed."""
    program = start("evaluate", "--help")
    program.stdout.close()
    assert program.stderr.read() == ""
    assert program.wait() == 0


def test_the_package_can_be_imported_without_a_door():
    """Importing the package defines no flags of absl's global set."""
    assert rnn_mnist_tf.__all__
    assert "workdir" not in flags.FLAGS
