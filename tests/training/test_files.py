"""Files that are whole or not there."""

import hashlib
import os

import pytest

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training.files import lock, replacing, sha256, sweep, write_text


class Killed(BaseException):
    """Stands for the end of the process."""


def names(directory):
    """The names of all files, hidden ones too."""
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, Killed])
def test_a_broken_write_leaves_the_old_file(tmp_path, error):
    """What was half written is gone, and the file is what it was."""
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_broken_first_write_leaves_nothing(tmp_path):
    """A file that never was is not there."""
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "file.txt") as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_the_old_file(tmp_path, monkeypatch, step):
    """So does a disk that fails when all is written."""

    def fail(*_):
        raise OSError("disk failure")

    path = tmp_path / "file.txt"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk failure"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_the_old_file_is_there_until_the_new_is_whole(tmp_path):
    """While it is written, a reader sees the old content."""
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    """The umask decides, as for `open`."""
    before = os.umask(mask)
    try:
        write_text(tmp_path / "ours", "text")
        (tmp_path / "plain").write_text("text")
    finally:
        os.umask(before)
    modes = {(tmp_path / name).stat().st_mode for name in ("ours", "plain")}
    assert len(modes) == 1


def test_sha256(tmp_path):
    """The digest is hashlib's, of files of more than one block too."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "large") == hashlib.sha256(content).hexdigest()
    assert sha256(tmp_path / "empty") == hashlib.sha256().hexdigest()


def test_one_at_a_time(tmp_path):
    """The second is refused until the first has ended, whether well or not; nothing is left."""
    place = tmp_path / "new" / "run"
    with pytest.raises(ZeroDivisionError), lock(place, "train"):
        with pytest.raises(InputError, match="another train is running"), lock(place, "train"):
            pytest.fail("two have it")
        raise ZeroDivisionError
    with lock(place, "train") as directory:
        assert directory == place
    assert names(place) == []


def test_no_place_to_lock(tmp_path):
    """A file is no directory."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can be written"), lock(tmp_path / "file", "train"):
        pytest.fail("it is none")


def test_what_a_kill_left_is_swept_away(tmp_path):
    """Temporary files of the names that are swept, and no others."""
    for name in ("notes.txt", ".model.weights-short.h5", ".other-a1b2c3d4.json", "config.json"):
        (tmp_path / name).touch()
    kept = sorted(path.name for path in tmp_path.iterdir())
    killed = [replacing(tmp_path / name) for name in ("model.weights.h5", "config.json")]
    for one in killed:
        one.__enter__()
    assert len(list(tmp_path.iterdir())) == 6
    sweep(tmp_path, ["model.weights.h5", "config.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
