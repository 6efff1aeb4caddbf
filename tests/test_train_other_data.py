"""The train door where a run is and the data are others."""

import json

import numpy as np
import pytest

from rnn_mnist_tf import train
from rnn_mnist_tf.errors import InputError


def test_other_images_are_another_run(small_config, digits, tmp_path):
    """The same flags on other images do not go on with, or answer for, the run that is there."""
    train.run(small_config, tmp_path / "run", dataset=digits)
    other = digits._replace(train_images=255 - digits.train_images)
    with pytest.raises(InputError, match="other training images or labels"):
        train.run(small_config, tmp_path / "run", dataset=other)


def test_other_test_images_are_another_result(small_config, digits, tmp_path):
    """A run that is done does not answer for them; one that is not goes on."""
    train.run(small_config, tmp_path, dataset=digits)
    other = digits._replace(test_labels=np.roll(digits.test_labels, 1))
    with pytest.raises(InputError, match="result is of other test images or labels"):
        train.run(small_config, tmp_path, dataset=other)
    (tmp_path / "model.weights.h5").unlink()
    errors = train.run(small_config, tmp_path, dataset=other)["test_errors"]
    assert errors != train.run(small_config, tmp_path / "new", dataset=digits)["test_errors"]
    result = json.loads((tmp_path / "result.json").read_text())
    del result["test_digest"]  # as results of earlier days
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert train.run(small_config, tmp_path, dataset=digits)["test_errors"] == errors
