"""A SavedModel that answers with TensorFlow alone."""

import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training.predictor import evaluation_batch

_TOLERANCE = 1e-5


class Classifier(tf.Module):
    """The serving signature around a model: plain pixels in; logits, probabilities, label out.

    Args:
        model: a Keras model from uint8 images to logits.
    """

    def __init__(self, model):
        super().__init__()
        self._model = model
        # The variables, tracked so that the SavedModel holds them.
        self._variables = [variable.value for variable in model.variables]
        self.classify = tf.function(
            self._classify,
            input_signature=[tf.TensorSpec(model.input_shape, tf.uint8, name="images")],
        )

    def _classify(self, images):
        logits = self._model(images, training=False)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": tf.argmax(logits, axis=-1),
        }


def export_saved_model(model, directory, images):
    """Writes a SavedModel, checks it against the live model, then gives it its name.

    `serving_default` takes `images`, uint8 `[batch, *image_shape]`, and gives `logits` and
    `probabilities`, float32 `[batch, classes]`, and `label`, int64 `[batch]`.

    Args:
        model: a Keras model from uint8 images to logits.
        directory: must not exist yet, or be empty.
        images: real images for the check.

    Returns:
        The largest difference between the two on `images`, in logits and probabilities.

    Raises:
        InputError: the directory is taken or cannot be written.
        RuntimeError: the SavedModel answers otherwise than the model; nothing is written then.
    """
    directory = pathlib.Path(directory).resolve()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(
            f"Received output={str(directory)!r}, which is taken, expected a new directory."
        )
    # A mounted directory cannot be replaced, and what is beside it is another file system.
    mounted = os.path.ismount(directory)
    place = directory if mounted else directory.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=f".{directory.name}-", dir=place)
    except OSError as error:
        raise InputError(
            f"Received output={str(directory)!r}, expected a writable directory: {error}."
        ) from error
    temporary = pathlib.Path(temporary)
    try:
        classifier = Classifier(model)
        _save(classifier, temporary, directory)
        difference = largest_difference(classifier, temporary, images)
        if not difference <= _TOLERANCE:
            raise RuntimeError(
                f"The SavedModel differs from the model by {difference:.3g}, expected at most "
                f"{_TOLERANCE}; nothing was written."
            )
        if mounted:
            # TensorFlow looks for saved_model.pb: while that is not there, neither is the model.
            for path in sorted(temporary.iterdir(), key=lambda path: path.name == "saved_model.pb"):
                path.rename(directory / path.name)
            return difference
        temporary.chmod(0o755)
        if directory.exists():
            directory.rmdir()
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference


def _save(classifier, temporary, directory):
    try:
        tf.saved_model.save(
            classifier, str(temporary), signatures={"serving_default": classifier.classify}
        )
    except tf.errors.ResourceExhaustedError:  # a full disk, or memory: the door tells them apart
        raise
    except tf.errors.OpError as error:
        raise InputError(
            f"Received output={str(directory)!r}, which cannot be written: {error.message}."
        ) from error


def largest_difference(classifier, directory, images):
    """Returns the largest difference between a live classifier's answers and a SavedModel's.

    As many images are answered at once as in `make_predictor`, so that large ones fit in memory.
    """
    served = tf.saved_model.load(str(directory)).signatures["serving_default"]
    differences, size = [], evaluation_batch(images.shape[1:])
    for begin in range(0, len(images), size):
        batch = tf.constant(images[begin : begin + size])
        live, loaded = classifier.classify(batch), served(images=batch)
        for name in ("logits", "probabilities"):
            differences.append(np.max(np.abs(live[name] - loaded[name])))
    return float(np.max(differences, initial=0))  # NaN if one of them is
