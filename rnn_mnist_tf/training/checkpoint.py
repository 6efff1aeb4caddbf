"""Checkpoints: everything a run needs to go on, in one file that is whole or not there."""

import io
import json
import pathlib
import re
import sys

import numpy as np

from rnn_mnist_tf.training.files import replacing

_KEEP = 2
_NAME = re.compile(r"step-(\d{10})\.npz")


def save_checkpoint(directory, step, arrays, position):
    """Writes `step-NNNNNNNNNN.npz` and removes all but the last two.

    Args:
        directory: made if missing.
        step: the number of steps done.
        arrays: a dict from names to NumPy arrays.
        position: a JSON value: where the run stands.

    >>> import tempfile
    >>> directory = tempfile.mkdtemp()
    >>> save_checkpoint(directory, 7, {"weight": np.ones(2)}, {"epoch": 1})
    >>> load_checkpoint(directory)
    ({'weight': array([1., 1.])}, {'epoch': 1})
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    record = {"position": position, "arrays": sorted(arrays)}
    text = np.frombuffer(json.dumps(record).encode(), np.uint8)
    for left_behind in directory.glob(".step-*"):  # by a kill while it was written
        left_behind.unlink()
    target = directory / f"step-{step:010d}.npz"
    with replacing(target) as temporary, open(temporary, "wb") as file:
        np.savez(file, position=text, **{f"array/{key}": a for key, a in arrays.items()})
    # One of a later step could not be read, or the run would have gone on from there.
    kept = [path for path in list_checkpoints(directory) if path.name <= target.name][:_KEEP]
    for path in set(list_checkpoints(directory)) - set(kept):
        path.unlink()


def list_checkpoints(directory):
    """Returns the paths of the checkpoints, the newest first.

    >>> list_checkpoints("nowhere")
    []
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        return []
    return sorted((p for p in directory.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def load_checkpoint(directory):
    """Returns `(arrays, position)` of the newest checkpoint that can be read, or None.

    A damaged one is reported on stderr, and the one before it is taken.

    Raises:
        OSError: one cannot be read just now. That is no damage, and to go on without it would
            delete it.

    >>> load_checkpoint("nowhere") is None
    True
    """
    for path in list_checkpoints(directory):
        stored = io.BytesIO(path.read_bytes())
        try:
            with np.load(stored, allow_pickle=False) as content:
                record = json.loads(content["position"].tobytes())
                arrays = {
                    key.removeprefix("array/"): content[key]
                    for key in content.files
                    if key != "position"
                }
            if sorted(arrays) != record["arrays"]:
                raise ValueError(f"it holds {sorted(arrays)}, expected {record['arrays']}")
            return arrays, record["position"]
        except Exception as error:  # zipfile and NumPy raise many things on damaged bytes
            print(
                f"warning: {path} cannot be read ({error}); trying the one before", file=sys.stderr
            )
    return None
