"""How time and memory grow: sequence length, width, batch, layers.

    python benchmarks/scaling.py

Each point in a fresh process: time to trace, milliseconds a step and microseconds an image and
time step of training, peak memory.
"""

import argparse
import itertools
import json
import resource
import time

import numpy as np
from processes import alternate, machine, median_of, run_process, table

BASE = {"time_steps": 28, "num_units": 100, "batch_size": 64, "num_layers": 2}
SWEEPS = {
    "time_steps": (28, 112, 196, 392, 784),
    "num_units": (64, 128, 256, 512),
    "batch_size": (32, 64, 256, 1024),
    "num_layers": (1, 2, 3, 4),
}


def measure(cell, time_steps, num_units, batch_size, num_layers, steps):
    """Trains on random numbers; returns the figures of one point."""
    import tensorflow as tf

    from rnn_mnist_tf import dynamic_rnn
    from rnn_mnist_tf.models import make_cell
    from rnn_mnist_tf.training.strategy import configure_threads, split_rows

    parts = configure_threads()
    model = make_cell(cell, num_units, num_layers)
    inputs = tf.random.stateless_normal([time_steps, batch_size, 28], [1, 2])
    model.build((None, 28))

    @tf.function(input_signature=[tf.TensorSpec([time_steps, None, 28])])
    def step(inputs):
        bounds = split_rows(tf.shape(inputs)[1], parts)
        totals = []
        for begin, end in itertools.pairwise(bounds):
            with tf.GradientTape() as tape:
                rows = inputs[:, begin:end]
                outputs, _ = dynamic_rnn(model, rows, dtype=tf.float32, time_major=True)
                loss = tf.reduce_sum(outputs[-1] ** 2)
            totals.append(tape.gradient(loss, [v.value for v in model.trainable_variables]))
        return [tf.add_n(list(gradients)) for gradients in zip(*totals)]

    begin = time.perf_counter()
    step.get_concrete_function()
    trace = time.perf_counter() - begin
    step(inputs)
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        step(inputs)
        seconds.append(time.perf_counter() - begin)
    median = float(np.median(seconds))
    return {
        "trace_seconds": trace,
        "step_ms": 1e3 * median,
        "microseconds": 1e6 * median / (batch_size * time_steps),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main():
    """Measures every sweep, or one point in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", default="basic_lstm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--sweeps", default=",".join(SWEEPS))
    parser.add_argument("--point", help="JSON of one point, for this process")
    arguments = parser.parse_args()
    if arguments.point:
        point = {**BASE, **json.loads(arguments.point)}
        print(json.dumps(measure(arguments.cell, **point, steps=arguments.steps)))
        return
    print(machine(), arguments.cell, BASE)
    header = ("what", "value", "us / image and step", "ms / step", "trace s", "peak MiB")
    rows = []
    for name in arguments.sweeps.split(","):
        points = {value: json.dumps({name: value}) for value in SWEEPS[name]}
        command = [f"--cell={arguments.cell}", f"--steps={arguments.steps}"]
        results = alternate(
            {
                value: lambda point=point, command=command: run_process(
                    "scaling.py", [*command, f"--point={point}"]
                )
                for value, point in points.items()
            },
            arguments.rounds,
        )
        for value, runs in results.items():
            keys = ("microseconds", "step_ms", "trace_seconds", "peak_mib")
            us, ms, trace, peak = (median_of(runs, key) for key in keys)
            rows.append((name, value, f"{us:.2f}", f"{ms:.1f}", f"{trace:.2f}", f"{peak:.0f}"))
    print(table(header, rows))


if __name__ == "__main__":
    main()
