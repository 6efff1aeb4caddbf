"""Checkpoints: written whole, kept two, read back bit by bit, passed over when damaged."""

import errno
import pathlib

import numpy as np
import pytest

from rnn_mnist_tf.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint

ARRAYS = {
    "model/0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "optimizer/0": np.array(7, np.int64),
    "metric/0": np.array([np.nan, -0.0, np.inf], np.float32),
}


def save(directory, step, shift=0):
    """Writes the checkpoint of a step."""
    arrays = {name: array + array.dtype.type(shift) for name, array in ARRAYS.items()}
    save_checkpoint(directory, step, arrays, {"epoch": step, "history": [{"loss": 0.1}]})


def assert_whole(loaded, step, shift=0):
    """What was loaded is the checkpoint of a step, in every bit."""
    arrays, position = loaded
    assert position == {"epoch": step, "history": [{"loss": 0.1}]}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        expected = array + array.dtype.type(shift)
        assert arrays[name].dtype == expected.dtype
        assert arrays[name].shape == expected.shape
        assert arrays[name].tobytes() == expected.tobytes()


def assert_loads(directory, step, shift=0):
    """The checkpoint that is found is that of a step."""
    assert_whole(load_checkpoint(directory), step, shift)


def test_the_newest_is_read(tmp_path):
    """Of several the one with the most steps is taken, whatever the number of digits."""
    for shift, step in enumerate([9, 10, 100]):
        save(tmp_path / "new" / "directory", step, shift)
    assert_loads(tmp_path / "new" / "directory", 100, 2)


def test_two_are_kept(tmp_path):
    """The newest and the one before."""
    for step in (1, 2, 3, 4):
        save(tmp_path, step)
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "step-0000000004.npz",
        "step-0000000003.npz",
    ]
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_there(tmp_path):
    """No directory, or an empty one, is no checkpoint and no error."""
    assert load_checkpoint(tmp_path / "none") is None
    assert load_checkpoint(tmp_path) is None


def test_other_files_are_left_alone(tmp_path):
    """Files of other names are neither read nor removed."""
    (tmp_path / "step-latest.npz").write_text("notes")
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert_loads(tmp_path, 3)
    assert (tmp_path / "step-latest.npz").read_text() == "notes"


@pytest.mark.parametrize("keep", [0, 1, 0.5, 0.99])
def test_a_truncated_one_is_passed_over(tmp_path, capsys, keep):
    """One line of warning names it, and the one before is taken."""
    save(tmp_path, 1)
    save(tmp_path, 2, shift=5)
    newest = tmp_path / "step-0000000002.npz"
    content = newest.read_bytes()
    newest.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    assert_loads(tmp_path, 1)
    warning = capsys.readouterr().err
    assert "warning" in warning
    assert str(newest) in warning
    assert len(warning.splitlines()) == 1


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_any_damaged_byte_is_harmless(tmp_path, flip):
    """Whichever byte is changed, what is loaded is a whole checkpoint: this or the one before."""
    save(tmp_path, 1)
    save(tmp_path, 2, shift=5)
    newest = tmp_path / "step-0000000002.npz"
    content = newest.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= flip
        newest.write_bytes(damaged)
        loaded = load_checkpoint(tmp_path)
        step = loaded[1]["epoch"]
        assert_whole(loaded, step, shift={1: 0, 2: 5}[step])


def test_all_damaged_is_none(tmp_path, capsys):
    """A run without a whole checkpoint starts anew, with a warning for each."""
    for step in (1, 2):
        save(tmp_path, step)
        (tmp_path / f"step-000000000{step}.npz").write_bytes(b"PK\3\4 broken")
    assert load_checkpoint(tmp_path) is None
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_what_cannot_be_read_just_now_is_not_damaged(tmp_path, monkeypatch):
    """To go on without it would delete it."""
    save(tmp_path, 1)
    save(tmp_path, 2)

    def read_bytes(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(pathlib.Path, "read_bytes", read_bytes)
    with pytest.raises(OSError, match="Input/output error"):
        load_checkpoint(tmp_path)
    monkeypatch.undo()
    assert_loads(tmp_path, 2)


def test_pickles_are_not_loaded(tmp_path):
    """An array of objects, which could run code, is a damaged checkpoint."""
    np.savez(tmp_path / "step-0000000001.npz", position=np.array([{}], object))
    assert load_checkpoint(tmp_path) is None


def test_a_write_that_breaks_leaves_the_last(tmp_path, monkeypatch):
    """A disk that fills up costs nothing that was there."""
    save(tmp_path, 1)

    def savez(file, **_):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2)
    assert_loads(tmp_path, 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_new_ones_outlive_damaged_ones_of_later_steps(tmp_path):
    """A run that began again after damage keeps what it writes."""
    for step in (450, 500):
        save(tmp_path, step)
        (tmp_path / f"step-{step:010d}.npz").write_bytes(b"damaged")
    assert load_checkpoint(tmp_path) is None
    save(tmp_path, 100)
    assert_whole(load_checkpoint(tmp_path), 100)
    assert len(list_checkpoints(tmp_path)) == 1
