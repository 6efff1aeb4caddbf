"""Peers in fresh processes, one after the other and again, medians and ratios."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

# Large blocks come from the heap and stay there, instead of being mapped and unmapped.
TUNED_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
_HERE = pathlib.Path(__file__).parent


def run_process(program, arguments, tuned=False):
    """Runs a benchmark program and returns the JSON of its last line.

    Args:
        program: a file beside this one.
        arguments: of its command line.
        tuned: whether glibc's allocator is told to keep memory.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(TUNED_ALLOCATOR if tuned else {})}
    finished = subprocess.run(
        [sys.executable, str(_HERE / program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise RuntimeError(f"{program} {arguments} failed:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.strip().splitlines()[-1])


def alternate(peers, rounds):
    """Runs each peer once a round. Returns `{name: [result, ...]}`.

    Args:
        peers: `{name: function without arguments}`.
        rounds: how often.
    """
    results = {name: [] for name in peers}
    for number in range(rounds):
        for name, measure in peers.items():
            print(f"round {number + 1}/{rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(measure())
    return results


def median_of(results, key):
    """Returns the median of a key over the rounds, or None where a peer has no figure."""
    values = [result[key] for result in results if result[key] is not None]
    return statistics.median(values) if values else None


def machine():
    """Returns one line about the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{len(os.sched_getaffinity(0))} cores of {model}, Python {platform.python_version()}"


def table(header, rows):
    """Returns a Markdown table."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header))
    return "\n".join(lines)
