"""What the benchmarks share: peers in fresh processes, a record of results, medians, tables.

It imports nothing but Python's own library, so that no peer runs with another peer's threads.
"""

import argparse
import importlib.util
import json
import math
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

# Large blocks come from the heap and stay there, instead of being mapped and unmapped.
TUNED_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
_HERE = pathlib.Path(__file__).parent


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line and exit code 2."""

    def error(self, message):
        """Ends the program."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def names_in(known):
    """Returns what parses a comma-separated list of names, each one of `known`, for `type=`.

    >>> names_in(["a", "b", "c"])("c,a")
    ['c', 'a']
    >>> names_in(["a", "b"])("a,x")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: Received 'x', expected names among a, b with commas between.
    """

    def parse(text):
        names = text.split(",")
        for number, name in enumerate(names):
            if name not in known:
                expected = f"names among {', '.join(known)} with commas between"
                raise argparse.ArgumentTypeError(f"Received {name!r}, expected {expected}.")
            if name in names[:number]:
                raise argparse.ArgumentTypeError(f"Received {name!r} twice, expected it once.")
        return names

    return parse


def positive_integers(text):
    """Parses comma-separated positive integers, for `type=`.

    >>> positive_integers("1,2")
    [1, 2]
    """
    names = text.split(",")
    if not all(name.isdecimal() and int(name) for name in names) or len({*names}) < len(names):
        raise argparse.ArgumentTypeError(
            f"Received {text!r}, expected positive integers, each once, with commas between."
        )
    return [int(name) for name in names]


def positive_integer(text):
    """Parses one positive integer, for `type=`.

    >>> positive_integer("5")
    5
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"Received {text!r}, expected a positive integer.")
    return int(text)


def run_main(main):
    """Runs a program's `main`; a mistake is one line on stderr and exit code 1.

    Ctrl-C and TERM end it with exit code 130, and the peer that it waits for with it.
    """
    name = pathlib.Path(sys.argv[0]).name
    # Of both: a shell starts what is in its background with Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"{name}: error: {error}")
    except KeyboardInterrupt:
        print(f"{name}: stopped.", file=sys.stderr)
        sys.exit(130)


def require(*modules):
    """Ends the program with one line where a peer is not installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)} is not installed. Run pip install -e '.[torch]'.")


def run_process(program, arguments, tuned=False):
    """Runs a benchmark program and returns the JSON of its last line.

    The package is the one beside the benchmarks, whichever is installed.

    Args:
        program: a file beside this one.
        arguments: of its command line.
        tuned: whether glibc's allocator is told to keep memory.

    Raises:
        ValueError: it answered with one line.
        RuntimeError: it failed otherwise, with the end of what it wrote.
    """
    environment = {k: v for k, v in os.environ.items() if k not in TUNED_ALLOCATOR}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", **(TUNED_ALLOCATOR if tuned else {})}
    paths = [str(_HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    finished = subprocess.run(
        [sys.executable, str(_HERE / program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if finished.returncode < 0:
        ended = signal.Signals(-finished.returncode).name
        raise ValueError(f"{program} {' '.join(arguments)} was ended by {ended}: {last}")
    if finished.returncode and "Traceback" not in finished.stderr:
        raise ValueError(last.partition("error: ")[2] or last)
    if finished.returncode:
        raise RuntimeError(f"{program} {arguments} failed:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.strip().splitlines()[-1])


class Record:
    """Results by name, each measured once and kept.

    Args:
        path: a JSON file, whole after each measurement; what it holds already is not measured
            again. Nothing is kept on disk if None.
        settings: what the results depend on.

    Raises:
        ValueError: the file was measured with other settings, or is no record.

    >>> record = Record(None, {})
    >>> record.measure("one", lambda: 1), record.measure("one", lambda: 2)
    (1, 1)
    """

    def __init__(self, path, settings):
        self.path = path and pathlib.Path(path)
        self.settings = json.loads(json.dumps({"machine": machine(), **settings}))
        self.results = {}
        if self.path is None:
            return
        if not self.path.parent.is_dir():
            raise ValueError(f"Received --output={path}, expected a file in a directory.")
        if self.path.exists():
            known = self._read()
            other = [k for k, v in self.settings.items() if known["settings"].get(k) != v]
            if other:
                raise ValueError(
                    f"Received --output={path}, which was measured with another "
                    f"{' and '.join(other)}, expected the same. Name another file."
                )
            self.results = known["results"]

    def _read(self):
        try:
            known = json.loads(self.path.read_text())
            return {name: dict(known[name]) for name in ("settings", "results")}
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"Received --output={self.path}, expected a record of this program: {error!r}. "
                "Name another file."
            ) from error

    def measure(self, name, function):
        """Returns the result of that name; calls the function if there is none yet."""
        if name not in self.results:
            begin = time.monotonic()
            print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
            self.results[name] = function()
            print(f"{time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
            if self.path is not None:
                self._write()
        return self.results[name]

    def _write(self):
        content = {"settings": self.settings, "results": self.results}
        temporary = self.path.with_name(f".{self.path.name}.part")
        temporary.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(temporary, self.path)


class Clock:
    """Says on stderr how long the rest of a measurement will take.

    Args:
        rounds: how many there are.
        expected: seconds that all may take, said before there is anything to go by.
    """

    def __init__(self, rounds, expected):
        self.rounds, self.begin = rounds, time.monotonic()
        print(f"{rounds} rounds, about {expected / 60:.0f} minutes", file=sys.stderr, flush=True)

    def finish(self, done):
        """Called when `done` rounds are done."""
        spent = time.monotonic() - self.begin
        left = spent / done * (self.rounds - done)
        print(
            f"round {done} of {self.rounds} done; {spent / 60:.1f} minutes spent, "
            f"about {left / 60:.1f} left",
            file=sys.stderr,
            flush=True,
        )


def median(values):
    """Returns the median; None stands for infinity (never reached), or for no figure at all.

    >>> median([3, None, 1]), median([1, None]), median([])
    (3, None, None)
    """
    if not values:
        return None
    middle = statistics.median(math.inf if value is None else value for value in values)
    return middle if math.isfinite(middle) else None


def ratio(numerator, denominator, digits=2):
    """Returns a quotient as text, and a dash where a side has no figure.

    >>> ratio(3, 2), ratio(None, 2)
    ('1.50', '-')
    """
    if not numerator or not denominator:
        return "-"
    return f"{numerator / denominator:.{digits}f}"


def show(value, digits=0):
    """Returns a number as text, and a dash for None.

    >>> show(11327.4), show(None)
    ('11327', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def thread_counts():
    """Returns the numbers of threads that a peer is tried with: one, and all."""
    return sorted({1, len(os.sched_getaffinity(0))})


def machine():
    """Returns one line about the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{len(os.sched_getaffinity(0))} cores of {model}, Python {platform.python_version()}"


def table(header, rows):
    """Returns a Markdown table.

    >>> print(table(("a", "b"), [(1, 2)]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines)
