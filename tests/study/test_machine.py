"""The line about the machine."""

import platform
import re

import keras
import tensorflow as tf

from rnn_mnist_tf.study.machine import describe_machine


def test_the_processor_is_named(tmp_path):
    """As Linux names it; as Python does elsewhere."""
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: fast one\nflags : x\n")
    line = describe_machine(tmp_path / "cpuinfo")
    assert re.match(r"(1 core|\d+ cores) of A: fast one, ", line)
    assert len(line.splitlines()) == 1
    for version in (tf.__version__, keras.__version__, platform.platform()):
        assert version in line
    known = platform.processor() or platform.machine()
    assert f" of {known}, " in describe_machine(tmp_path / "none")
