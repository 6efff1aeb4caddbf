"""The line about the machine."""

import platform

import keras
import pytest
import tensorflow as tf

from rnn_mnist_tf.study import machine
from rnn_mnist_tf.study.machine import describe_machine


@pytest.mark.parametrize(("cores", "words"), [(1, "1 core"), (2, "2 cores")])
def test_the_processor_is_named(tmp_path, monkeypatch, cores, words):
    """As Linux names it; as Python does elsewhere."""
    monkeypatch.setattr(machine, "available_cores", lambda: cores)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: fast one\nflags : x\n")
    line = describe_machine(tmp_path / "cpuinfo")
    assert line.startswith(f"{words} of A: fast one, ")
    assert len(line.splitlines()) == 1
    for version in (tf.__version__, keras.__version__, platform.platform()):
        assert version in line
    known = platform.processor() or platform.machine()
    assert describe_machine(tmp_path / "none").startswith(f"{words} of {known}, ")
