"""TensorFlow as the programs import it."""

import os
import subprocess
import sys

import pytest

# What Python does at the start of `-m rnn_mnist_tf.train`.
_PROGRAM = """
import sys

sys.argv = ["-m"]
import rnn_mnist_tf
from tensorflow.python.util import _pywrap_util_port

print(_pywrap_util_port.IsMklEnabled())
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "True"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "False")],
    ids=["by_itself", "switched_off"],
)
def test_programs_switch_onednn_on(environment, expected):
    """With or without VNNI in the processor, unless the environment says otherwise."""
    kept = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    program = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=kept | environment, capture_output=True, text=True
    )
    assert (program.returncode, program.stdout.strip()) == (0, expected), program.stderr
