"""A run's directory: config.json, metrics.jsonl, result.json, weights with their sha256."""

import contextlib
import json
import pathlib
import shutil
import typing

from rnn_mnist_tf.data import load_dataset
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training.config import TrainConfig
from rnn_mnist_tf.training.files import replacing, sha256, sweep, write_text

CONFIG = "config.json"
METRICS = "metrics.jsonl"
RESULT = "result.json"
WEIGHTS = "model.weights.h5"
WEIGHTS_SHA256 = "model.weights.h5.sha256"
CHECKPOINTS = "checkpoints"
CONFUSION_MATRIX = "confusion_matrix.png"
# In the order of deletion. config.json is last: while anything is left, it says whose it is.
_FILES = (RESULT, WEIGHTS, WEIGHTS_SHA256, METRICS, CONFUSION_MATRIX, CONFIG)

# What every result has; one with a validation part has its loss and accuracy too.
_RESULT_FIELDS = (
    "test_accuracy",
    "test_examples",
    "test_errors",
    "epochs",
    "train_examples",
    "train_seconds",
    "trace_seconds",
    "images_per_second",
    "parameters",
    "seed",
)


class RunDescription(typing.NamedTuple):
    """What a model is rebuilt from.

    Attributes:
        config: a `TrainConfig`.
        image_shape: `(h, w)` or `(h, w, c)`.
        class_names: one text a class.
        data_digest: of the training images and labels; wherever they lie, they are the same ones.
    """

    config: TrainConfig
    image_shape: tuple
    class_names: list
    data_digest: str = ""

    def to_json(self):
        """Returns the text of `config.json`."""
        values = {
            "config": json.loads(self.config.to_json()),
            "image_shape": [int(size) for size in self.image_shape],
            "class_names": list(self.class_names),
            "data_digest": self.data_digest,
        }
        return json.dumps(values, indent=2) + "\n"


def open_workdir(workdir, description, overwrite=False):
    """Makes the directory of a run, or finds the run it already holds.

    Args:
        workdir: a path.
        description: a `RunDescription`.
        overwrite: whether the run that it holds is deleted.

    Returns:
        The directory as a `pathlib.Path`.

    Raises:
        InputError: the directory holds a run with another configuration, or cannot be written.
    """
    workdir = pathlib.Path(workdir)
    if overwrite:
        delete_run(workdir)
    if (workdir / CONFIG).exists():
        held = read_description(workdir)
        different = description.config.differences(held.config)
        if tuple(description.image_shape) != tuple(held.image_shape):
            different.append(f"image_shape: {description.image_shape}, not {held.image_shape}")
        if description.data_digest != held.data_digest:
            different.append("other training images or labels")
        if different:
            raise InputError(
                f"Received workdir={str(workdir)!r}, which holds another run ("
                f"{'; '.join(different)}). Choose another --workdir, or pass --overwrite."
            )
        if (workdir / RESULT).exists():
            return workdir  # complete: nothing will be written
    elif (workdir / CHECKPOINTS).exists():
        raise InputError(
            f"Received workdir={str(workdir)!r} with {CHECKPOINTS} and no {CONFIG} that says whose "
            "they are. Choose another --workdir, or pass --overwrite."
        )
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        sweep(workdir, _FILES)
        write_text(workdir / CONFIG, description.to_json())
    except OSError as error:
        raise InputError(
            f"Received workdir={str(workdir)!r}, expected a directory that can be written: {error}."
        ) from error
    return workdir


def delete_run(workdir):
    """Deletes a run's own files, and nothing else that may lie beside them."""
    try:
        if (workdir / CHECKPOINTS).is_dir():
            shutil.rmtree(workdir / CHECKPOINTS)
        for name in _FILES:
            (workdir / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"Received workdir={str(workdir)!r} and overwrite, but its run cannot be deleted: "
            f"{error}."
        ) from error


def read_description(workdir):
    """Returns the `RunDescription` of a directory.

    Raises:
        InputError: no directory, no run in it, or a damaged `config.json`.
    """
    path = pathlib.Path(workdir) / CONFIG
    if not path.is_file():
        raise InputError(
            f"Received workdir={str(workdir)!r}, expected the directory of a run: it has no "
            f"{CONFIG}. Train one with python -m rnn_mnist_tf.train."
        )
    try:
        values = json.loads(path.read_text())
        config = TrainConfig(**values["config"])
        return RunDescription(
            config,
            tuple(values["image_shape"]),
            list(values["class_names"]),
            values["data_digest"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"Received {path}, expected a run's configuration: {error}.") from error


def has_other_test_images(result, test_digest):
    """Whether a result is of other test images or labels than those of a `Dataset.test_digest`.

    One of earlier days does not say of which it is.

    >>> has_other_test_images({"test_digest": "ab"}, "cd"), has_other_test_images({}, "cd")
    (True, False)
    """
    return result.get("test_digest", test_digest) != test_digest


def write_metrics(workdir, history):
    """Writes one line of JSON an epoch."""
    write_text(workdir / METRICS, "".join(json.dumps(line) + "\n" for line in history))


def write_result(workdir, result):
    """Writes `result.json`; its presence means that the run is complete."""
    write_text(workdir / RESULT, json.dumps(result, indent=2) + "\n")


def read_result(workdir):
    """Returns the result of a complete run, or None.

    Raises:
        InputError: it is damaged, or lacks what a run writes.
    """
    path = pathlib.Path(workdir) / RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text())
        missing = [name for name in _RESULT_FIELDS if name not in dict(result)]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Received {path}, expected a run's result: {error}.") from error
    if missing:
        raise InputError(
            f"Received {path} without {', '.join(missing)}, expected a run's result. Train again "
            "with --overwrite."
        )
    return result


def save_weights(workdir, model):
    """Writes the weights, without the optimizer's state, and their sha256.

    Raises:
        OSError: they cannot be written; what is there stays as it is.
    """
    with _without_optimizer(model), replacing(workdir / WEIGHTS) as temporary:
        # Keras wants the ending, which a temporary file beside the target keeps only in part.
        target = temporary.with_name(temporary.stem + ".weights.h5")
        try:
            model.save_weights(target)
            target.replace(temporary)
        except RuntimeError as error:  # h5py's, where the disk is full when it closes the file
            raise OSError(f"{workdir / WEIGHTS} cannot be written: {error}") from error
        finally:
            target.unlink(missing_ok=True)
        digest = sha256(temporary)
    write_text(workdir / WEIGHTS_SHA256, f"{digest}  {WEIGHTS}\n")


@contextlib.contextmanager
def _without_optimizer(model):
    """Hides a model's optimizer, whose state Keras would save with the weights."""
    optimizer = getattr(model, "optimizer", None)  # a model that is not trained has none
    if optimizer is None:
        yield
        return
    model.optimizer = None
    try:
        yield
    finally:
        model.optimizer = optimizer


def is_complete(workdir):
    """Whether a run has ended: its result is there, its weights and their sha256."""
    return all(
        (pathlib.Path(workdir) / name).is_file() for name in (RESULT, WEIGHTS, WEIGHTS_SHA256)
    )


def load_run_dataset(description, name="", data_dir="", tfds_dir=""):
    """Returns the `Dataset` of a run, or another one as the run's was read; see `check_dataset`.

    Args:
        description: the `RunDescription`.
        name, data_dir, tfds_dir: see `load_dataset`; the run's own if empty. With a `data_dir` and
            no name it is IDX files.

    Raises:
        InputError: no such data.
    """
    config, classes = description.config, len(description.class_names)
    name = name or ("idx" if data_dir else config.dataset)
    return load_dataset(
        name,
        data_dir or (config.data_dir if name == "idx" else ""),
        tfds_dir or config.tfds_dir,
        config.image_size,
        classes,
    )


def check_dataset(description, dataset):
    """Raises `InputError` if a run's model cannot answer a `Dataset`.

    >>> import types
    >>> others = types.SimpleNamespace(name="others", image_shape=(4, 4), num_classes=2)
    >>> check_dataset(RunDescription(TrainConfig(), (28, 28), ["a", "b"]), others)
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received dataset='others' with images of (4, 4), expected \
(28, 28), the model's.
    """
    classes = len(description.class_names)
    if tuple(dataset.image_shape) != tuple(description.image_shape):
        raise InputError(
            f"Received dataset={dataset.name!r} with images of {tuple(dataset.image_shape)}, "
            f"expected {tuple(description.image_shape)}, the model's."
        )
    if dataset.num_classes != classes:
        raise InputError(
            f"Received dataset={dataset.name!r} with {dataset.num_classes} classes, expected "
            f"{classes}, the model's."
        )


def load_model(workdir):
    """Rebuilds the model of a complete run and fills it with its weights.

    Returns:
        `(model, description)`.

    Raises:
        InputError: no run, no weights yet, or weights whose sha256 does not match.
    """
    workdir = pathlib.Path(workdir)
    description = read_description(workdir)
    weights, expected = workdir / WEIGHTS, workdir / WEIGHTS_SHA256
    if not weights.is_file() or not expected.is_file():
        raise InputError(
            f"Received workdir={str(workdir)!r}, whose run is not complete: {WEIGHTS} or its "
            "sha256 is missing. Go on with the same train command."
        )
    wanted = (expected.read_text().split() or [""])[0]
    found = sha256(weights)
    if found != wanted:
        raise InputError(
            f"Received {weights} with sha256 {found[:16]}..., expected {wanted[:16]}...: the file "
            "was changed or damaged. Train again with --overwrite."
        )
    model = build_model(description.config, description.image_shape, len(description.class_names))
    try:
        model.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0][:200]
        raise InputError(f"Received {weights}, expected this model's weights: {reason}") from error
    return model, description
