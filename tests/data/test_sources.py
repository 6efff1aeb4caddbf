"""One door to all data: files, TFDS names, and what is said where there is no network."""

import http.client
import pathlib
import shutil
import threading
import urllib.error

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from rnn_mnist_tf.data import load_dataset, tfds_source
from rnn_mnist_tf.errors import InputError
from tests.data.test_idx import make_arrays, write

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


class Painted(tfds.core.GeneratorBasedBuilder):
    """A base for tiny data sets that TFDS really prepares: images of one colour, by class."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (6, 5, 3)
    SPLITS = ("train", "test")
    LABEL = tfds.features.ClassLabel(names=list(COLOURS))

    def _info(self):
        features = {"image": tfds.features.Image(shape=self.SHAPE), "label": self.LABEL}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), description="Painted."
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        counts = {"train": 9, "test": 6, "validation": 6}
        return {split: self._generate_examples(counts[split]) for split in self.SPLITS}

    def _generate_examples(self, count):
        for index in range(count):
            name = list(COLOURS)[index % 3]
            height, width = (self.SHAPE[0] or 6 + index), (self.SHAPE[1] or 5 + index)
            image = np.zeros((height, width, self.SHAPE[2]), np.uint8)
            image[:] = COLOURS[name][: self.SHAPE[2]]
            yield index, {"image": image, "label": name}


class PaintedColour(Painted):
    """Colour images of one size."""


class PaintedGray(Painted):
    """Gray images of one size."""

    SHAPE = (6, 5, 1)


class PaintedSizes(Painted):
    """Colour images of several sizes, and no test split."""

    SHAPE = (None, None, 3)
    SPLITS = ("train", "validation")


class PaintedTraining(Painted):
    """A training split and nothing else."""

    SPLITS = ("train",)


class PaintedTexts(Painted):
    """Labels that are no classes."""

    LABEL = tfds.features.Text()


@pytest.fixture
def no_download(monkeypatch):
    """Counts the calls of `download_and_prepare`, which does nothing but fail."""
    calls = []

    def download_and_prepare(builder, **options):
        calls.append(builder.name)
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download_and_prepare)
    return calls


def assert_refused(*words, **options):
    """Loading is an `InputError` of one line with the words."""
    with pytest.raises(InputError) as caught:
        load_dataset(**options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert [word for word in words if word not in message] == []


def test_idx_files(tmp_path):
    """The four files of a directory, labels as int64."""
    arrays = make_arrays()
    write(tmp_path, arrays)
    dataset = load_dataset("idx", data_dir=str(tmp_path), num_classes=10)
    for key, values in arrays.items():
        np.testing.assert_array_equal(getattr(dataset, key), values)
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.int64
    assert dataset.image_shape == (4, 3)
    assert dataset.class_names == list("0123456789")


@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_out_of_range(tmp_path, part):
    """The error has the part, the labels found and those expected; more classes help."""
    arrays = make_arrays()
    arrays[f"{part}_labels"][-1] = 12
    write(tmp_path, arrays)
    assert_refused(part, "12", "0 to 9", name="idx", data_dir=str(tmp_path))
    dataset = load_dataset("idx", data_dir=str(tmp_path), num_classes=13)
    assert dataset.num_classes == 13


def test_idx_needs_a_directory():
    """The error says which flag is missing."""
    assert_refused("--data_dir", name="idx")


def test_a_directory_needs_idx(tmp_path):
    """A directory for another data set would go unread: the error says what was meant."""
    assert_refused("--dataset=idx", "--tfds_dir", name="mnist5k", data_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["no_such_set", "", "Mnist", "../mnist", "mnist 5k"])
def test_unknown_name(name, no_download):
    """The error names what there is."""
    assert_refused(repr(name), "mnist5k", "idx", name=name)
    assert no_download == []


@pytest.mark.parametrize(
    "name", ["mnist/letters", "mnist:99.0.0", "mnist5k/small", "mnist5k/x=1", "mnist5k/foo=["]
)
def test_unknown_variant(name, no_download):
    """A known name with an unknown configuration or version is one line too."""
    assert_refused(repr(name), name=name)
    assert no_download == []


def hang(*_, **__):
    """A network that swallows packets."""
    threading.Event().wait()


def fail_with(error):
    """A network that answers with an error."""

    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize("name", ["mnist", "cifar10", "emnist/letters"])
@pytest.mark.parametrize(
    "urlopen",
    [
        hang,
        fail_with(urllib.error.URLError("Name or service not known")),
        fail_with(TimeoutError("timed out")),
        fail_with(ConnectionResetError("reset")),
        fail_with(http.client.BadStatusLine("garbage")),
    ],
    ids=["hangs", "no-name", "times-out", "resets", "garbage"],
)
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_a_network(tmp_path, monkeypatch, no_download, urlopen, name):
    """One address is asked once: TFDS, which would retry for minutes, is never set going."""
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr(tfds_source, "_PROBE_SECONDS", 0.1)
    words = (repr(name), "--dataset=mnist5k", "--dataset=idx --data_dir=DIR")
    assert_refused(*words, name=name, tfds_dir=str(tmp_path))
    assert no_download == []


def test_an_answer_lets_tfds_try(tmp_path, monkeypatch, no_download):
    """A server that refuses HEAD is a server; what TFDS then raises is one line."""
    refusal = urllib.error.HTTPError("http://x", 403, "Forbidden", None, None)
    monkeypatch.setattr("urllib.request.urlopen", fail_with(refusal))
    assert_refused("mnist", "no network at all", name="mnist", tfds_dir=str(tmp_path))
    assert no_download == ["mnist"]


def test_prepared_data_needs_no_network(tfds_dir, mnist5k, monkeypatch, no_download):
    """What was prepared once is read without asking anybody."""
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked"))
    again = load_dataset("mnist5k", tfds_dir=tfds_dir)
    np.testing.assert_array_equal(again.train_images, mnist5k.train_images)
    np.testing.assert_array_equal(again.test_labels, mnist5k.test_labels)
    assert no_download == []


def test_another_process_is_faster(mnist5k, tfds_dir, tmp_path, monkeypatch):
    """Two that prepare at once both have the data, though only one can put it into its place."""

    def download_and_prepare(builder, **options):
        shutil.copytree(pathlib.Path(tfds_dir) / "mnist5k", tmp_path / "mnist5k")
        raise FileExistsError("Cannot rename")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download_and_prepare)
    loaded = load_dataset("mnist5k", tfds_dir=str(tmp_path))
    np.testing.assert_array_equal(loaded.train_images, mnist5k.train_images)


@pytest.mark.parametrize("damage", ["truncated", "missing", "information"])
def test_damaged_data(tfds_dir, tmp_path, mnist5k, damage):
    """One line; of damaged records it says which directory to delete."""
    del mnist5k  # which makes sure that it is prepared
    shutil.copytree(pathlib.Path(tfds_dir) / "mnist5k", tmp_path / "mnist5k")
    (records,) = tmp_path.glob("mnist5k/*/*train.tfrecord*")
    if damage == "truncated":
        records.write_bytes(records.read_bytes()[:-1000])
    elif damage == "missing":
        records.unlink()
    else:
        (records.parent / "dataset_info.json").write_text("{")
    assert_refused(
        *(["'mnist5k'"] if damage == "information" else [str(records.parent), "Delete"]),
        name="mnist5k",
        tfds_dir=str(tmp_path),
    )


def test_a_directory_that_cannot_be_written(tmp_path):
    """Preparing below a file fails in one line, which names the directory and what to do."""
    assert_refused("--tfds_dir", name="mnist5k", tfds_dir="/proc/none")
    (tmp_path / "file").touch()
    assert_refused(str(tmp_path / "file"), name="mnist5k", tfds_dir=str(tmp_path / "file" / "dir"))


def test_colour_images(tmp_path):
    """Images keep their three channels, labels are numbers in the order of the names."""
    dataset = load_dataset("painted_colour", tfds_dir=str(tmp_path))
    assert dataset.train_images.shape == (9, 6, 5, 3)
    assert dataset.test_images.shape == (6, 6, 5, 3)
    assert dataset.train_images.dtype == np.uint8
    assert dataset.class_names == list(COLOURS)
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert (image == list(COLOURS.values())[label]).all()


def test_gray_images(tmp_path):
    """The axis of one channel is dropped."""
    dataset = load_dataset("painted_gray", tfds_dir=str(tmp_path))
    assert dataset.train_images.shape == (9, 6, 5)
    assert dataset.image_shape == (6, 5)


def test_images_are_resized(tmp_path):
    """Images of several sizes become one size; `validation` stands in for `test`."""
    dataset = load_dataset("painted_sizes", tfds_dir=str(tmp_path), image_size=8)
    assert dataset.train_images.shape == (9, 8, 8, 3)
    assert dataset.test_images.shape == (6, 8, 8, 3)
    assert dataset.train_images.dtype == np.uint8
    for image, label in zip(dataset.test_images, dataset.test_labels, strict=True):
        assert (image == list(COLOURS.values())[label]).all()


@pytest.mark.parametrize("side", [7, 14, 28, 45])
def test_the_embedded_digits_are_resized(mnist5k, tfds_dir, side):
    """Both parts, as uint8; the labels are whose they were."""
    dataset = load_dataset("mnist5k", tfds_dir=tfds_dir, image_size=side)
    for part in ("train", "test"):
        images = getattr(dataset, f"{part}_images")
        originals = getattr(mnist5k, f"{part}_images")
        assert (images.dtype, images.shape) == (np.uint8, (len(originals), side, side))
        assert_resized(images[::97], originals[::97])
        np.testing.assert_array_equal(
            getattr(dataset, f"{part}_labels"), getattr(mnist5k, f"{part}_labels")
        )


@pytest.mark.parametrize("side", [2, 4, 9])
def test_idx_files_are_resized(tmp_path, side):
    """As those of TFDS are: more of them than are resized at once, none left out."""
    random = np.random.default_rng(0)
    arrays = {**make_arrays(), "train_images": random.integers(0, 256, (1003, 4, 3))}
    arrays["train_labels"] = random.integers(0, 10, 1003)
    write(tmp_path, arrays)
    dataset = load_dataset("idx", data_dir=str(tmp_path), image_size=side)
    for part in ("train_images", "test_images"):
        images = getattr(dataset, part)
        assert (images.dtype, images.shape) == (np.uint8, (len(arrays[part]), side, side))
        assert_resized(images, arrays[part])


def assert_resized(images, originals):
    """They are Pillow's, which resizes with the same weights in whole numbers: one off at most."""
    size = (images.shape[2], images.shape[1])
    for image, original in zip(images, originals, strict=True):
        expected = Image.fromarray(original.astype(np.uint8)).resize(size, Image.BILINEAR)
        difference = image.astype(int) - np.asarray(expected, int)
        assert np.abs(difference).max() <= 1


def test_several_sizes_need_a_size(tmp_path, no_download):
    """The error says which flag is missing, before anything is fetched."""
    assert_refused("--image_size", name="painted_sizes", tfds_dir=str(tmp_path))
    assert no_download == []


@pytest.mark.parametrize("name", ["painted_texts", "imdb_reviews", "coco"])
def test_not_for_image_classification(tmp_path, no_download, name):
    """Texts, boxes and labels without classes are refused before anything is fetched."""
    assert_refused(name, "image classification", name=name, tfds_dir=str(tmp_path))
    assert no_download == []


def test_no_test_split(tmp_path):
    """Without a test or validation split there is nothing to report."""
    assert_refused("splits", "train", name="painted_training", tfds_dir=str(tmp_path))
