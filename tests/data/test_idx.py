"""IDX files: whole ones are read, and everything that can be wrong with one is named."""

import gzip
import struct

import numpy as np
import pytest

from rnn_mnist_tf.data.idx import read_idx, read_idx_directory
from rnn_mnist_tf.errors import InputError

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def idx_bytes(values):
    """The IDX file of an array of bytes, as the format is described."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 0x08, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def make_arrays():
    """A small data set of images that are not square."""
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (7, 4, 3)),
        "train_labels": random.integers(0, 10, 7),
        "test_images": random.integers(0, 256, (5, 4, 3)),
        "test_labels": random.integers(0, 10, 5),
    }


def write(directory, arrays, zipped=()):
    """Writes the four files, those in `zipped` as .gz."""
    for key, values in arrays.items():
        content = idx_bytes(values)
        if key in zipped:
            (directory / f"{NAMES[key]}.gz").write_bytes(gzip.compress(content))
        else:
            (directory / NAMES[key]).write_bytes(content)


@pytest.fixture
def directory(tmp_path):
    """A directory with four good files."""
    write(tmp_path, make_arrays())
    return tmp_path


def assert_refused(directory, *words):
    """Reading is an `InputError` of one line with the words."""
    with pytest.raises(InputError) as caught:
        read_idx_directory(directory)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("zipped", [(), tuple(NAMES), ("train_images", "test_labels")])
def test_good_files(tmp_path, zipped):
    """Plain and gzipped files, alone or mixed, hold the same numbers."""
    arrays = make_arrays()
    write(tmp_path, arrays, zipped)
    read = read_idx_directory(tmp_path)
    assert read.keys() == arrays.keys()
    for key, values in arrays.items():
        np.testing.assert_array_equal(read[key], values.astype(np.uint8), strict=True)


def test_no_directory(tmp_path):
    """The error names the directory and all four files."""
    assert_refused(tmp_path / "none", str(tmp_path / "none"), *NAMES.values())


@pytest.mark.parametrize("key", NAMES)
def test_missing_file(directory, key):
    """The error names the file that is missing and the directory."""
    (directory / NAMES[key]).unlink()
    assert_refused(directory, NAMES[key], str(directory))


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("key", NAMES)
def test_truncated_file(directory, key, zipped):
    """A file that ends anywhere before its end is refused by name."""
    path = directory / NAMES[key]
    content = path.read_bytes()
    if zipped:
        path.unlink()
        path, content = directory / f"{NAMES[key]}.gz", gzip.compress(content)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert_refused(directory, str(path))


@pytest.mark.parametrize("key", NAMES)
def test_file_with_more_than_it_says(directory, key):
    """Bytes past the end are as wrong as missing ones."""
    path = directory / NAMES[key]
    path.write_bytes(path.read_bytes() + b"\0")
    assert_refused(directory, str(path), "damaged")


@pytest.mark.parametrize("place", range(8))
def test_damaged_gzip(directory, place):
    """A gzip file whose bytes were changed is refused by name."""
    path = directory / NAMES["train_images"]
    content = bytearray(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    at = 10 + place * (len(content) - 10) // 8
    content[at] ^= 0xFF
    zipped = directory / f"{path.name}.gz"
    zipped.write_bytes(content)
    assert_refused(directory, str(zipped))


@pytest.mark.parametrize(
    "magic",
    [b"\0\0\x08\1", b"\0\0\x09\3", b"\0\0\x0d\3", b"\1\0\x08\3", b"\x03\x08\0\0", b"PK\3\4"],
    ids=["rank", "signed", "float", "first-byte", "little-endian", "zip"],
)
def test_wrong_magic(directory, magic):
    """The error names the magic number found and the one of images."""
    path = directory / NAMES["test_images"]
    path.write_bytes(magic + path.read_bytes()[4:])
    assert_refused(directory, str(path), f"0x{magic.hex()}", "0x00000803")


def test_labels_and_images_swapped(directory):
    """Labels in the place of images are found by their magic number."""
    images, labels = (directory / NAMES[f"train_{part}"] for part in ("images", "labels"))
    images.write_bytes(labels.read_bytes())
    assert_refused(directory, str(images), "0x00000801")


@pytest.mark.parametrize("part", ["train", "test"])
def test_mismatched_counts(directory, part):
    """As many labels as images: the error has both numbers."""
    count = len(make_arrays()[f"{part}_labels"])
    (directory / NAMES[f"{part}_labels"]).write_bytes(idx_bytes(np.zeros(count + 1)))
    assert_refused(directory, f"{count} images", str(count + 1), NAMES[f"{part}_labels"])


def test_mismatched_sizes(directory):
    """Training and test images have one size: the error has both."""
    (directory / NAMES["test_images"]).write_bytes(idx_bytes(np.zeros((5, 3, 4))))
    assert_refused(directory, "(4, 3)", "(3, 4)")


def test_sizes_past_32_bits(directory):
    """A header whose sizes multiply past any memory is a damaged file, not a crash."""
    path = directory / NAMES["train_images"]
    path.write_bytes(b"\0\0\x08\3" + b"\xff" * 12 + bytes(84))
    assert_refused(directory, str(path), "damaged")


def test_labels_are_one_dimension(tmp_path):
    """`read_idx` gives the array that was written."""
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(np.array([3, 1, 255])))
    np.testing.assert_array_equal(read_idx(path, 1), np.array([3, 1, 255], np.uint8), strict=True)


@pytest.mark.parametrize("part", ["train", "test"])
def test_no_images(directory, part):
    """Files that are whole and hold nothing are refused."""
    (directory / NAMES[f"{part}_images"]).write_bytes(idx_bytes(np.zeros((0, 4, 3))))
    (directory / NAMES[f"{part}_labels"]).write_bytes(idx_bytes(np.zeros(0)))
    assert_refused(directory, "no images", NAMES[f"{part}_images"])
