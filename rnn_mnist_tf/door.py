"""What all doors share: flags of their own, one line for a mistake, an exit code."""

import os
import pathlib
import sys
import traceback

import tensorflow as tf
from absl import flags
from absl import logging as absl_logging

from rnn_mnist_tf.errors import one_line

_PACKAGE = pathlib.Path(__file__).parent
_LONGEST_REASON = 200
_BYTE_ORDER_MARK = "\ufeff"  # the first line of such a flag file is no flag, but a stray argument
_PLACES = ("workdir", "data_dir", "tfds_dir", "output", "results", "picture")


def run_door(name, summary, define_flags, main, argv=None, takes_files=False):
    """Parses the flags, runs `main`, and answers mistakes with one line on stderr.

    Args:
        name: the door, as in `python -m rnn_mnist_tf.name`.
        summary: one line for `--help`.
        define_flags: called with a `flags.FlagValues` to define the door's flags in.
        main: called with the parsed flags (and the list of files if `takes_files`); its return
            value, None or an int, is the exit code. It may raise `flags.Error` for a wrong flag.
        argv: `sys.argv` by default.
        takes_files: whether arguments that are not flags are taken.

    Returns:
        The exit code: 2 for a wrong flag or a stray argument, 1 for other mistakes, 130 after
        Ctrl-C.
    """
    argv = list(sys.argv if argv is None else argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS warns of what is not wrong
    values = flags.FlagValues()
    flags.DEFINE_bool("help", False, "Show this help.", short_name="?", flag_values=values)
    flags.DEFINE_bool("helpfull", False, "Show this help.", flag_values=values)
    flags.DEFINE_bool("traceback", False, "Show where an error arose.", flag_values=values)
    define_flags(values)
    try:
        files = values([argv[0], *map(find_flagfile, join_flagfile(argv[1:]))])[1:]
    except (flags.Error, OSError, UnicodeError) as error:
        return _fail(name, error, 2)
    if any(file.startswith(_BYTE_ORDER_MARK) for file in files):
        return _fail(
            name,
            "Received a flag file that begins with a byte order mark, expected plain UTF-8. Save "
            "it without the mark.",
            2,
        )
    if files and not takes_files:
        return _fail(
            name, f"Received stray arguments {files}, expected only flags (--name=value).", 2
        )
    _expand_home(values)
    try:
        if values.help or values.helpfull:
            print(f"python -m rnn_mnist_tf.{name}: {summary}\n")
            print(values.get_help())
            sys.stdout.flush()
            return 0
        code = main(values, files) if takes_files else main(values)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the answers has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail(name, "stopped by Ctrl-C.", 130)
    except flags.Error as error:  # flags whose mistake only `main` can see
        return _fail(name, error, 2)
    except (ValueError, OSError, MemoryError, tf.errors.ResourceExhaustedError) as error:
        if values.traceback:
            traceback.print_exc()
        return _fail(name, _describe_exhaustion(error), 1)


def _expand_home(values):
    """Shells leave the `~` of `--workdir=~/runs` alone, and nobody expands that of a flag file."""
    for name in _PLACES:
        if name in values and str(values[name].value).startswith("~"):
            values[name].value = os.path.expanduser(values[name].value)


def join_flagfile(arguments):
    """Returns the arguments with `--flagfile PATH` as one.

    >>> join_flagfile(["--flagfile", "a.flags", "b"])
    ['--flagfile=a.flags', 'b']
    """
    joined = []
    for argument in arguments:
        if joined and joined[-1] in ("--flagfile", "-flagfile"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def find_flagfile(argument):
    """Returns `--flagfile=PATH` with the flag file that the package ships if PATH is not there.

    >>> find_flagfile("--seed=1")
    '--seed=1'
    """
    name, separator, path = argument.partition("=")
    if name.lstrip("-") != "flagfile" or not separator or os.path.exists(path):
        return argument
    for root in (_PACKAGE, _PACKAGE.parent):
        if path.startswith("flags/") and (root / path).is_file():
            return f"{name}={root / path}"
    return argument


def _describe_exhaustion(error):
    """Says what to do where memory ran out; TensorFlow has one error for that and a full disk."""
    text = one_line(error)
    of_memory = isinstance(error, MemoryError) or (
        isinstance(error, tf.errors.ResourceExhaustedError)
        and not any(word in text for word in ("No space left", "quota", "Too many open files"))
    )
    if not of_memory:
        return error
    reason = f": {text[:_LONGEST_REASON]}" if text else "."
    return f"not enough memory; use a smaller model, image or batch{reason}"


def _fail(name, error, code):
    print(f"{name}: error: {one_line(error)}", file=sys.stderr)
    return code
