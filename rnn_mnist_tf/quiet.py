"""Imports TensorFlow for a program: fast convolutions, and none of its lines about the machine.

No setting silences those, and a program's stderr is for the user. Errors of the import itself are
raised as ever.
"""

import contextlib
import os
import sys


@contextlib.contextmanager
def silent_stderr():
    """Sends what C++ libraries print to stderr nowhere."""
    sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def import_tensorflow():
    """Imports TensorFlow, quietly, with the settings that the environment does not name."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow uses oneDNN by itself only where the processor has VNNI; convolutions train faster
    # with it on others too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with silent_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU's driver, and says if there is none
