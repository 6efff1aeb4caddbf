"""Runs a grid of training runs: `python -m rnn_mnist_tf.compare --flagfile=flags/studies/...`."""

import contextlib
import pathlib
import statistics
import sys
import time
import typing

import tensorflow as tf
from absl import flags

from rnn_mnist_tf import train
from rnn_mnist_tf.analyze import define_analyses
from rnn_mnist_tf.door import run_door
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.signals import handling_stops, say
from rnn_mnist_tf.study import (
    Children,
    GridError,
    PointRunner,
    check_points,
    format_csv,
    format_json,
    format_markdown,
    merge_seeds,
    parse_grids,
    save_pictures,
)
from rnn_mnist_tf.training.files import lock, sweep, write_text

TABLES = {"table.md": format_markdown, "table.csv": format_csv, "table.json": format_json}


class Outcome(typing.NamedTuple):
    """What a study came to.

    Attributes:
        rows: one dict a configuration; see `rnn_mnist_tf.study.merge_seeds`.
        failures: `{point name: one line}`.
        stopped: whether points are left because it was stopped.
    """

    rows: list
    failures: dict
    stopped: bool


def define_flags(flag_values):
    """Defines the door's flags: those of train, which are the base, and those of the study."""
    train.define_flags(flag_values)
    flags.DEFINE_multi_string(
        "grid",
        [],
        "Axes, each a flag and its values: cell:gru,lstm+cell_clip=1;num_layers:1,2. Again for "
        "a union.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "seeds",
        1,
        "Seeds 0 to seeds - 1 for each configuration.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_string("name", "", "Of the study; workdir's if empty.", flag_values=flag_values)
    flags.DEFINE_string(
        "results",
        "",
        "A directory for each point's record; a point whose record is there is not run again.",
        flag_values=flag_values,
    )
    define_analyses(flag_values, [])


def run(
    points,
    workdir,
    name="",
    results="",
    analyses=(),
    overwrite=False,
    steps_per_call=50,
    progress=False,
    handle_signals=False,
):
    """Trains the points of a study that are not done, each in a process of its own.

    The tables and pictures in `workdir` are written anew after each point.

    Args:
        points: from `parse_grids`.
        workdir: the directory of the study; its runs are in `points/`.
        name: of the study; the last part of workdir if empty.
        results: a directory for a copy of each point's record, or empty. A point of the same
            configuration, cores and data whose record is there is not run again.
        analyses: names of measurements after each training.
        overwrite: whether runs and records of others in the points' places are replaced.
        steps_per_call: see `Trainer`.
        progress: whether a line a point is written to stderr.
        handle_signals: whether Ctrl-C or TERM stops the study.

    Returns:
        An `Outcome`.

    Raises:
        InputError: a point that cannot run or be measured; another study in workdir or among the
            results, or one that is running.
    """
    name = name or pathlib.Path(workdir).absolute().name
    if pathlib.Path(name).name != name or name == "..":
        raise InputError(f"Received name={name!r}, expected the name of a directory.")
    children = Children()
    runner = PointRunner(workdir, children, name, results, analyses, steps_per_call, overwrite)
    for point in points:
        runner.check_place(point)
    waiting = [point for point in points if runner.read_record(point) is None]
    check_points(waiting, runner.load, analyses)
    runner.check_data(points, waiting)
    runner.check_results()

    def stop(number):
        first = not children.stopped
        children.stop(number)
        if first:
            say(
                "compare: stopping the point after its current steps, to save them; Ctrl-C again "
                "stops at once, and loses those since its last epoch."
            )

    handling = handling_stops(stop) if handle_signals else contextlib.nullcontext()
    with lock(workdir, "compare") as directory, handling:
        sweep(directory, [*TABLES, *(path.name for path in directory.glob("[!.]*.png"))])
        return _run_points(points, runner, _Progress(len(points)) if progress else None)


def _run_points(points, runner, progress):
    records, failures = {}, {}
    for point in points:
        record = runner.read_record(point)
        if record is not None:
            records[point.name] = runner.publish(point, record)
    rows = _report(points, records, runner.workdir)
    if progress:
        progress.begin(len(records))
    # A seed of all configurations before the next seed: what slows the machine for a while then
    # slows every configuration, and not one.
    for point in sorted(points, key=lambda point: point.config.seed):
        if point.name in records:
            continue
        begin = time.perf_counter()
        record = runner.run(point)
        if record is not None:
            records[point.name] = runner.publish(point, record)
            rows = _report(points, records, runner.workdir)
        elif runner.children.stopped:
            break
        else:
            failures[point.name] = _describe(runner.read_failure(point))
        if progress:
            progress.finish(point, record, time.perf_counter() - begin)
    return Outcome(rows, failures, len(records) + len(failures) < len(points))


def _report(points, records, workdir):
    """Writes tables and pictures. Returns the rows."""
    rows = merge_seeds(points, records)
    for name, format_rows in TABLES.items():
        write_text(workdir / name, format_rows(rows))
    save_pictures(workdir, points, records, rows)
    return rows


def _describe(failure):
    return f"{failure['program']} failed with exit code {failure['code']}: {failure['error']}"


class _Progress:
    """A line on stderr for each point: how many, which, how good, how long, how long still."""

    def __init__(self, total):
        self.total, self.done, self.seconds = total, 0, []

    def begin(self, done):
        """Takes the points of earlier starts into account."""
        self.done = done
        if done:
            self._write(f"{done}/{self.total} points are done")

    def finish(self, point, record, seconds):
        """Writes the line of a point; without a record, one that failed."""
        self.done += 1
        self.seconds.append(seconds)
        left = statistics.fmean(self.seconds) * (self.total - self.done)
        accuracy = f"test accuracy {record['result']['test_accuracy']:.4f}" if record else "failed"
        self._write(
            f"{self.done}/{self.total} {point.name}: {accuracy}, {seconds:.1f} s; "
            f"{format_time(left)} left"
        )

    def _write(self, line):
        print(line, file=sys.stderr, flush=True)


def format_time(seconds):
    """Returns a time as people read it.

    >>> format_time(42.4), format_time(200), format_time(7500)
    ('42 s', '3 min 20 s', '2 h 5 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def main(values):
    """Runs the door for parsed flags. Returns the exit code."""
    base = train.read_config(values)
    try:
        points = parse_grids(values.grid, base, values.cores, values.seeds)
    except GridError as error:
        raise flags.IllegalFlagValueError(str(error)) from error
    if not values.workdir:
        raise InputError("Received no workdir, expected --workdir=DIR.")
    if tf.config.list_physical_devices("GPU"):
        # They are for the children: TensorFlow would keep all of their memory for this process,
        # unless it has it already.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    outcome = run(
        points,
        values.workdir,
        values.name,
        values.results,
        values.analyses,
        values.overwrite,
        values.steps_per_call,
        values.progress,
        handle_signals=True,
    )
    for name, line in outcome.failures.items():
        print(f"compare: error: {name}: {line}", file=sys.stderr)
    if outcome.stopped:
        print(
            f"compare: stopped; the study is saved in {values.workdir}. "
            "To go on, run the same command again.",
            file=sys.stderr,
        )
        return 130
    print(format_markdown(outcome.rows), end="")
    return int(bool(outcome.failures))


def cli(argv=None):
    """The entry point of `python -m rnn_mnist_tf.compare`."""
    return run_door("compare", "runs a grid of training runs.", define_flags, main, argv)


if __name__ == "__main__":
    sys.exit(cli())
