"""The SavedModel: its signature, its answers, and what is left when it cannot be written."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.models import Front, build_rnn, make_cell
from rnn_mnist_tf.serving import export_saved_model, saved_model

CELLS = {
    "basic_rnn": {},
    "gru": {},
    "basic_lstm": {},
    "lstm": {"use_peepholes": True, "cell_clip": 1.0, "num_proj": 3},
}


def make_model(shape=(6, 5), cell="gru", **options):
    """A small model whose weights are all random."""
    random = np.random.default_rng(0)
    model = build_rnn(shape, 4, make_cell(cell, 5, 2, **CELLS[cell]), **options)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def make_images(count, shape=(6, 5)):
    """Random images."""
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.uint8)


def serve(directory, images):
    """What the signature of a SavedModel answers, as arrays."""
    signature = tf.saved_model.load(str(directory)).signatures["serving_default"]
    return {name: value.numpy() for name, value in signature(images=tf.constant(images)).items()}


@pytest.mark.parametrize(
    ("cell", "shape", "options"),
    [
        ("basic_rnn", (6, 5), {}),
        ("gru", (6, 5), {"scan": "columns"}),
        ("basic_lstm", (6, 5), {"scan": "permuted_rows"}),
        ("lstm", (6, 5), {"scan": "pixels"}),
        ("gru", (6, 5, 3), {"front": Front("article")}),
        ("basic_lstm", (6, 5, 3), {"front": Front("none")}),
    ],
)
def test_answers(tmp_path, cell, shape, options):
    """Logits, probabilities and label of any number of images are the model's."""
    model, images = make_model(shape, cell, **options), make_images(7, shape)
    export_saved_model(model, tmp_path / "served", images[:3])
    logits = np.asarray(model(images), np.float64)
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    for batch in (0, 1, 7):
        answers = serve(tmp_path / "served", images[:batch])
        np.testing.assert_allclose(answers["logits"], logits[:batch], rtol=0, atol=1e-5)
        np.testing.assert_allclose(answers["probabilities"], probabilities[:batch], atol=1e-5)
        np.testing.assert_array_equal(answers["label"], np.argmax(logits[:batch], axis=1))


def test_signature(tmp_path):
    """Bytes in; floats, floats and whole numbers out; any batch."""
    export_saved_model(make_model(), tmp_path / "served", make_images(1))
    signature = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in inputs.items()} == {
        "images": (tf.uint8, [None, 6, 5])
    }
    outputs = signature.structured_outputs
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in outputs.items()} == {
        "logits": (tf.float32, [None, 4]),
        "probabilities": (tf.float32, [None, 4]),
        "label": (tf.int64, [None]),
    }


def test_the_difference_is_reported(tmp_path):
    """The largest difference over the images is what a recount finds."""
    model, images = make_model(), make_images(20)
    difference = export_saved_model(model, tmp_path / "served", images)
    recount = np.abs(serve(tmp_path / "served", images)["logits"] - model(images)).max()
    assert 0 <= difference <= 1e-5
    assert abs(difference - recount) <= 1e-5


def test_the_check_takes_large_images_a_few_at_a_time(tmp_path, monkeypatch):
    """In batches of two, five images are all looked at, the last one too."""
    model, images = make_model(), make_images(5)
    export_saved_model(model, tmp_path / "served", images)
    monkeypatch.setattr(saved_model, "evaluation_batch", lambda shape: 2)
    sizes = []

    class Watched(saved_model.Classifier):
        """Says how many images it is asked about."""

        def __init__(self, model):
            super().__init__(model)
            classify = self.classify

            def watched(batch):
                sizes.append(len(batch))
                answers = dict(classify(batch))
                if len(batch) == 1:
                    answers["logits"] = answers["logits"] + 0.25
                return answers

            self.classify = watched

    difference = saved_model.largest_difference(Watched(model), tmp_path / "served", images)
    assert sizes == [2, 2, 1]
    assert difference == pytest.approx(0.25, abs=1e-5)


def test_the_check_sees_what_is_no_number(tmp_path):
    """A model that answers NaN is not exported, and leaves nothing behind."""
    model, images = make_model(), make_images(3)
    weights = model.get_weights()
    weights[-1][0] = np.nan
    model.set_weights(weights)
    with pytest.raises(RuntimeError, match="differs from the model by nan"):
        export_saved_model(model, tmp_path / "served", images)
    assert list(tmp_path.iterdir()) == []


def test_the_check_sees_a_difference(tmp_path):
    """A SavedModel of other weights is found out."""
    model, images = make_model(), make_images(3)
    export_saved_model(model, tmp_path / "served", images)
    model.set_weights([weight + 0.01 for weight in model.get_weights()])
    live = saved_model.Classifier(model)
    difference = saved_model.largest_difference(live, tmp_path / "served", images)
    recount = np.abs(serve(tmp_path / "served", images)["logits"] - model(images)).max()
    assert difference >= recount - 1e-6 > 1e-4


def test_an_empty_directory_is_free(tmp_path):
    """A directory with nothing in it may be named."""
    (tmp_path / "served").mkdir()
    export_saved_model(make_model(), str(tmp_path / "served"), make_images(1))
    assert (tmp_path / "served" / "saved_model.pb").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_mounted_directory(tmp_path, monkeypatch):
    """It cannot be replaced, and what is beside it is not written: it is filled."""
    served = tmp_path / "served"
    served.mkdir()
    before, rename = served.stat().st_ino, pathlib.Path.rename
    monkeypatch.setattr(os.path, "ismount", lambda path: pathlib.Path(path) == served)

    def move(path, target):
        """Moves, and not out of the mounted file system."""
        assert served in path.parents and served in target.parents
        assert path.name != "saved_model.pb" or len(list(path.parent.iterdir())) == 1
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", move)
    model, images = make_model(), make_images(3)
    export_saved_model(model, served, images)
    assert served.stat().st_ino == before
    assert [path.name for path in served.iterdir() if path.name.startswith(".")] == []
    np.testing.assert_allclose(serve(served, images)["logits"], model(images), rtol=0, atol=1e-5)


def test_parents_are_made(tmp_path):
    """So that a new place needs no preparation."""
    export_saved_model(make_model(), tmp_path / "deep" / "served", make_images(1))
    assert (tmp_path / "deep" / "served" / "saved_model.pb").is_file()


def test_a_link_to_an_empty_directory(tmp_path):
    """The link stays one, and the model is behind it."""
    (tmp_path / "place").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "place")
    export_saved_model(make_model(), tmp_path / "link", make_images(1))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "place" / "saved_model.pb").is_file()


def everything(directory):
    """All paths below a directory, with the content of files."""
    return {
        path.relative_to(directory): path.read_bytes() if path.is_file() else None
        for path in pathlib.Path(directory).rglob("*")
    }


@pytest.mark.parametrize("kind", ["file", "directory", "saved model"])
def test_a_taken_output_is_refused_and_untouched(tmp_path, kind):
    """Neither a file nor a directory with something in it is ever replaced."""
    output = tmp_path / "served"
    if kind == "file":
        output.write_text("mine")
    elif kind == "directory":
        output.mkdir()
        (output / "notes.txt").write_text("mine")
    else:
        export_saved_model(make_model(), output, make_images(1))
    before = everything(tmp_path)
    with pytest.raises(InputError, match="taken") as caught:
        export_saved_model(make_model(), output, make_images(1))
    assert str(output) in str(caught.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["/proc/served", "file/served"])
def test_an_output_that_cannot_be_written(tmp_path, place):
    """The error names it."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="output=") as caught:
        export_saved_model(make_model(), tmp_path / place, make_images(1))
    assert str(tmp_path / place) in str(caught.value)


@pytest.mark.parametrize("taken", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize("difference", [2e-5, 1.0, float("nan"), float("inf")])
def test_a_failed_check_leaves_nothing(tmp_path, monkeypatch, difference, taken):
    """A SavedModel that answers otherwise never gets the name, and is not left lying about."""
    if taken:
        (tmp_path / "served").mkdir()
    before = everything(tmp_path)
    monkeypatch.setattr(saved_model, "largest_difference", lambda *_: difference)
    with pytest.raises(RuntimeError, match="differs"):
        export_saved_model(make_model(), tmp_path / "served", make_images(1))
    assert everything(tmp_path) == before


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_broken_write_leaves_nothing(tmp_path, monkeypatch, error):
    """So is one whose disk filled up, or whose user lost patience."""

    def save(_, directory, **__):
        (pathlib.Path(directory) / "half").touch()
        raise error

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(error):
        export_saved_model(make_model(), tmp_path / "served", make_images(1))
    assert everything(tmp_path) == {}


def test_a_write_that_tensorflow_refuses(tmp_path, monkeypatch):
    """Its own kind of error is one of the user's, who named the place."""

    def save(*_, **__):
        raise tf.errors.OutOfRangeError(None, None, "File too large")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(InputError, match=r"served.*File too large"):
        export_saved_model(make_model(), tmp_path / "served", make_images(1))
    assert everything(tmp_path) == {}
