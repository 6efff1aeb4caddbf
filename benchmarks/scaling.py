"""How the time and memory of training grow: sequence length, width, batch, layers.

    python benchmarks/scaling.py --output=FILE.json

One of them at a time around a base, each point in a fresh process a round: the trainer's steps on
random images of so many rows. Memory is the peak of resident memory over what the process held
when the graph was traced and no step was made yet.
"""

import json
import pathlib
from typing import NamedTuple

from peers import CELLS, INPUTS, Laps, chunk_steps, lap_callback, make_data, our_trainer
from processes import (
    Clock,
    Parser,
    Record,
    machine,
    median,
    names_in,
    positive_integer,
    run_main,
    run_process,
    table,
)


class Point(NamedTuple):
    """What is measured."""

    time_steps: int = 28
    num_units: int = 100
    batch_size: int = 64
    num_layers: int = 1

    def __str__(self):
        return ", ".join(f"{name}={value}" for name, value in self._asdict().items())


BASE = Point()
AXES = {
    "time_steps": (28, 56, 112, 196, 392, 784),
    "num_units": (64, 100, 128, 256, 512),
    "batch_size": (32, 64, 128, 256, 512, 1024),
    "num_layers": (1, 2, 3, 4),
}


def measure(cell, point, seconds):
    """Trains for so many seconds; returns the figures of one point."""
    import keras

    # Chunks that are shorter where steps are longer, or 784 steps would take a minute.
    steps = max(5, chunk_steps(point.batch_size) * BASE.time_steps // point.time_steps)
    images, labels = make_data(point.batch_size, (point.time_steps, INPUTS), steps)
    options = point._asdict()
    del options["time_steps"]  # the images have them
    trainer = our_trainer(images, labels, cell=cell, **options)
    laps, memory = Laps(seconds), {}

    def begin(logs):  # traced, and no step made yet
        reset_peak()
        memory["before"] = resident_mib("VmRSS")

    watch = keras.callbacks.LambdaCallback(on_train_begin=begin)
    trainer.fit(callbacks=[watch, lap_callback(laps, lambda model: trainer.request_stop())])
    peak = resident_mib("VmHWM")
    step_seconds = point.batch_size / laps.rate(len(images))
    return {
        "trace_seconds": trainer.trace_seconds,
        "step_ms": 1e3 * step_seconds,
        "microseconds": 1e6 * step_seconds / (point.batch_size * point.time_steps),
        "before_mib": memory["before"],
        "peak_mib": peak,
        "step_mib": peak - memory["before"],
    }


def reset_peak():
    """Makes the peak of resident memory begin anew (proc(5), clear_refs)."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def resident_mib(name):
    """Returns resident memory now (`VmRSS`) or at its peak (`VmHWM`) in MiB, from proc(5).

    >>> 0 < resident_mib("VmRSS") <= resident_mib("VmHWM")
    True
    """
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {name}, expected Linux's resident memory.")


def main():
    """Measures every axis, or one point in this process."""
    parser = Parser(description=__doc__)
    parser.add_argument("--cell", choices=CELLS, default="basic_lstm")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring a point")
    parser.add_argument("--axes", type=names_in(AXES), default=",".join(AXES))
    parser.add_argument("--output", help="JSON of all results; what it has is not measured again")
    parser.add_argument("--point", help="JSON of one point, for this process")
    arguments = parser.parse_args()
    if arguments.point:
        point = Point(*json.loads(arguments.point))
        print(json.dumps(measure(arguments.cell, point, arguments.seconds)))
        return
    settings = {"cell": arguments.cell, "seconds": arguments.seconds}
    results = run(Record(arguments.output, settings), arguments)
    print(f"{machine()}; {arguments.cell}, base {BASE}; medians of {arguments.rounds} rounds\n")
    print(make_table(arguments.axes, results))


def run(record, arguments):
    """Runs all rounds, the base once a round; returns `{point: [result, ...]}`."""
    points = [BASE, *(p for axis in arguments.axes for p in along(axis) if p != BASE)]
    results = {point: [] for point in points}
    clock = Clock(arguments.rounds, arguments.rounds * len(points) * (8 + 1.5 * arguments.seconds))
    common = [f"--cell={arguments.cell}", f"--seconds={arguments.seconds}"]
    for number in range(1, arguments.rounds + 1):
        for point in points:
            command = [*common, f"--point={json.dumps(point)}"]
            result = record.measure(
                f"round {number}: {point}",
                lambda command=command: run_process("scaling.py", command),
            )
            results[point].append(result)
        clock.finish(number)
    return results


def along(axis):
    """Returns the points of an axis.

    >>> [point.num_layers for point in along("num_layers")]
    [1, 2, 3, 4]
    """
    return [BASE._replace(**{axis: value}) for value in AXES[axis]]


def make_table(axes, results):
    """Returns the Markdown table of the medians, each beside its ratio to the base."""
    header = (
        "axis",
        "value",
        "time / base, per image and step",
        "us per image and step",
        "us per image",
        "ms per step",
        "trace s",
        "MiB of a step",
        "peak MiB",
    )
    keys = ("microseconds", "step_ms", "trace_seconds", "step_mib", "peak_mib")
    rows = []
    for axis in axes:
        for point in along(axis):
            micro, milli, trace, extra, peak = (
                median([result[key] for result in results[point]]) for key in keys
            )
            base = median([result["microseconds"] for result in results[BASE]])
            rows.append(
                (
                    axis,
                    getattr(point, axis),
                    f"{micro / base:.2f}",
                    f"{micro:.2f}",
                    f"{micro * point.time_steps:.1f}",
                    f"{milli:.2f}",
                    f"{trace:.2f}",
                    f"{extra:.0f}",
                    f"{peak:.0f}",
                )
            )
    return table(header, rows)


if __name__ == "__main__":
    run_main(main)
