"""The IDX files of MNIST and its kin, plain or gzipped, with every header and size checked."""

import gzip
import math
import pathlib
import zlib

import numpy as np

from rnn_mnist_tf.errors import InputError

_UNSIGNED_BYTE = 8
_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def read_idx_directory(directory):
    """Reads the four files of a data set.

    Args:
        directory: holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
            `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or as `.gz`.

    Returns:
        A dict with `train_images`, `train_labels`, `test_images`, `test_labels`: images uint8
        `[count, height, width]`, labels uint8 `[count]`.

    Raises:
        InputError: a file is missing, truncated, damaged, of another type, or has another count or
            image size than its partner.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise InputError(
            f"Received data_dir={str(directory)!r}, expected a directory with the four IDX files "
            f"{', '.join(_FILES.values())} (plain or .gz)."
        )
    arrays = {
        key: read_idx(_find(directory, name), 3 if key.endswith("images") else 1)
        for key, name in _FILES.items()
    }
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if len(images) != len(labels):
            raise InputError(
                f"Received {len(images)} images in {_FILES[f'{part}_images']} and {len(labels)} "
                f"labels in {_FILES[f'{part}_labels']}, expected as many of one as of the other."
            )
        if not len(images):
            raise InputError(f"Received no images in {_FILES[f'{part}_images']}, expected some.")
    if arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise InputError(
            f"Received training images of {arrays['train_images'].shape[1:]} and test images of "
            f"{arrays['test_images'].shape[1:]}, expected one size."
        )
    return arrays


def _find(directory, name):
    for candidate in (directory / name, directory / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError(
        f"Received data_dir={str(directory)!r}, expected it to hold {name} or {name}.gz."
    )


def read_idx(path, rank):
    """Reads one IDX file of unsigned bytes.

    The format: two zero bytes, the type (8), the number of dimensions, each dimension as a
    big-endian 32-bit number, then the values.

    Args:
        path: a plain or gzipped file.
        rank: the expected number of dimensions.

    Raises:
        InputError: the file cannot be read, is damaged, or is not what its header says.

    >>> import tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels"
    >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3]))
    >>> read_idx(file, 1)
    array([7, 3], dtype=uint8)
    """
    content = _read(pathlib.Path(path))
    header = 4 + 4 * rank
    magic = bytes([0, 0, _UNSIGNED_BYTE, rank])
    if content[:4] != magic:
        raise InputError(
            f"Received {path} with magic number 0x{content[:4].hex()}, expected 0x{magic.hex()}: "
            f"an IDX file of unsigned bytes in {rank} dimensions."
        )
    if len(content) < header:
        raise InputError(f"Received {path} of {len(content)} bytes, expected a whole IDX header.")
    shape = [int(size) for size in np.frombuffer(content[4:header], ">u4")]
    count = math.prod(shape)
    if len(content) != header + count:
        raise InputError(
            f"Received {path} of {len(content)} bytes, expected {header + count} for its "
            f"dimensions {shape}: the file is truncated or damaged. Fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _read(path):
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"Received {path}, expected a readable IDX file: {error}. Fetch it again."
        ) from error
