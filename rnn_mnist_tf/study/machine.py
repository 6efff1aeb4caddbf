"""On what machine a number was measured."""

import pathlib
import platform

import keras
import tensorflow as tf

from rnn_mnist_tf.training.strategy import available_cores


def describe_machine(cpuinfo="/proc/cpuinfo"):
    """Returns one line: cores, processor, platform, and the versions of the libraries.

    Args:
        cpuinfo: the file that names the processor on Linux.

    >>> f"TensorFlow {tf.__version__}" in describe_machine()
    True
    """
    return (
        f"{count_cores(available_cores())} of {_processor(pathlib.Path(cpuinfo))}, "
        f"{platform.platform()}, Python {platform.python_version()}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )


def count_cores(cores):
    """Returns a number of cores in words; 0 means all of them, as for `--cores`.

    >>> count_cores(0), count_cores(1), count_cores(2)
    ('all cores', '1 core', '2 cores')
    """
    return {0: "all cores", 1: "1 core"}.get(cores, f"{cores} cores")


def _processor(cpuinfo):
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
