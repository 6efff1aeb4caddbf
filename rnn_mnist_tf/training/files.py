"""Files that are whole or not there: written beside their place, then moved into it."""

import contextlib
import errno
import hashlib
import os
import pathlib
import tempfile

from rnn_mnist_tf.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows, where two programs in one directory are not told apart
    fcntl = None


def make_writable(directory, received, expected="a directory that can be written"):
    """Makes a directory if need be.

    Args:
        directory: a path.
        received: how the error names what it was given.
        expected: what it says of what should have been given.

    Raises:
        InputError: it cannot be made, or written to.

    >>> target = pathlib.Path(tempfile.mkdtemp()) / "new"
    >>> make_writable(target, f"workdir={target}")
    >>> list(target.iterdir())
    []
    """
    try:
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InputError(f"Received {received}, expected {expected}: {error}.") from error


@contextlib.contextmanager
def lock(directory, program):
    """Keeps a directory, which is made if need be, for this process alone.

    The lock is the directory's own and ends with the process, however that ends.

    Args:
        directory: where a program writes.
        program: its name, for the message.

    Raises:
        InputError: another process has it, or it cannot be written.

    >>> with lock(tempfile.mkdtemp(), "train") as directory:
    ...     directory.is_dir()
    True
    """
    directory = pathlib.Path(directory)
    make_writable(directory, f"workdir={str(directory)!r}")
    if fcntl is None:
        yield directory
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"Received workdir={str(directory)!r}, where another {program} is running. Wait "
                "for it, stop it, or choose another --workdir."
            ) from error
        yield directory
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path; what is written there takes the place of `path` at the end.

    After an error, or a kill, `path` is what it was.

    >>> target = pathlib.Path(tempfile.mkdtemp()) / "file.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path = pathlib.Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files for their owner only
        os.replace(temporary, path)
        _sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(directory, names):
    """Deletes what killed programs left of files that they were `replacing` in a directory.

    For whoever has the directory alone, see `lock`.

    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (directory / ".config-a1b2c3d4.json").write_text("half")
    >>> sweep(directory, ["config.json"])
    >>> list(directory.iterdir())
    []
    """
    for path in map(pathlib.Path, names):
        for left in pathlib.Path(directory).glob(f".{path.stem}-????????*{path.suffix}"):
            left.unlink(missing_ok=True)


def write_text(path, text):
    """Writes a whole text file in place of `path`.

    >>> target = pathlib.Path(tempfile.mkdtemp()) / "file.txt"
    >>> write_text(target, "whole")
    >>> target.read_text()
    'whole'
    """
    with replacing(path) as temporary:
        temporary.write_text(text)


def sha256(path):
    """Returns the sha256 of a file, in hexadecimal.

    >>> target = pathlib.Path(tempfile.mkdtemp()) / "empty"
    >>> target.touch()
    >>> sha256(target)[:16]
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_directory(directory):
    """Makes the new name last, where directories can be synced."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:  # Windows opens no directories
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that has nothing to sync
            raise
    finally:
        os.close(descriptor)
