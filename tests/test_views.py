"""A run whose answers are means over views, at every door: against the same run without views."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rnn_mnist_tf import export, predict, train
from rnn_mnist_tf.images.fit import fit_image
from rnn_mnist_tf.training.workdir import load_model
from tests.test_predict import assert_is
from tests.views import mean_over_shifts


@pytest.fixture(scope="module")
def viewing(tmp_path_factory, small_config, digits):
    """The directory of the small run with views, not to be changed."""
    workdir = tmp_path_factory.mktemp("runs") / "views"
    train.run(dataclasses.replace(small_config, views="shifts"), workdir, dataset=digits)
    return workdir


def answers(trained, images):
    """What the run without views answers on the average of views."""
    return mean_over_shifts(load_model(trained)[0], images)


def test_train(viewing, trained, digits):
    """The weights are the same to the bit; what is counted at the end are answers of views."""
    model, description = load_model(viewing)
    assert description.config.views == "shifts"
    for one, other in zip(model.get_weights(), load_model(trained)[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    guesses = np.argmax(answers(trained, digits.test_images), axis=1)
    result = json.loads((viewing / "result.json").read_text())
    assert result["test_errors"] == np.sum(guesses != digits.test_labels)


def test_evaluate(call, viewing, trained, mnist5k):
    """All test digits, other errors than without views."""
    errors = {}
    for workdir in (viewing, trained):
        answer = call("evaluate", f"--workdir={workdir}", "--json")
        assert answer.code == 0
        errors[workdir] = json.loads(answer.out)["errors"]
    guesses = np.argmax(answers(trained, mnist5k.test_images), axis=1)
    assert errors[viewing] == np.sum(guesses != mnist5k.test_labels)
    assert errors[viewing] != errors[trained]


def test_predict(viewing, trained, mnist5k, tmp_path):
    """Probabilities: a mean of their logarithms has to be normalised again."""
    for index, digit in enumerate(mnist5k.test_images[:3]):
        Image.fromarray(digit).save(tmp_path / f"{index}.png")
    fitted = [fit_image(Image.fromarray(digit), (28, 28)) for digit in mnist5k.test_images[:3]]
    exponentials = np.exp(answers(trained, np.stack(fitted)))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    for prediction, probabilities in zip(predict.run(viewing, [tmp_path]), expected, strict=True):
        assert_is(prediction, probabilities)


def test_export(viewing, trained, mnist5k, tmp_path):
    """The SavedModel answers as the live model, and as views of the one without."""
    said = export.run(viewing, tmp_path / "served", dataset=mnist5k)
    assert said["largest_difference"] <= 1e-5
    serve = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    images = mnist5k.test_images[:7]
    served = serve(images=tf.constant(images))
    np.testing.assert_allclose(served["logits"], answers(trained, images), atol=1e-4)
