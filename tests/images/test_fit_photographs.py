"""Photographs of digits on paper become what scans of them do."""

import numpy as np
import pytest
from PIL import Image

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.images.fit import fit_image
from tests.images.test_fit import page


def photograph(rng, *, paper=210, ink=40, falloff=0.0, noise=0.0, speck=0):
    """A page of 600 x 480 with a seven, as a camera sees it; no speck touches the seven."""
    drawing = np.asarray(page(0, 255).resize((480, 600), Image.Resampling.BICUBIC), float) / 255
    pixels = ink + (paper - ink) * drawing
    pixels[20 : 20 + speck, 420 : 420 + speck] = ink
    pixels *= 1 - falloff * np.linspace(0, 1, pixels.shape[1])
    pixels += rng.normal(0, 1, pixels.shape) * noise
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"falloff": 0.3}, id="lit-from-one-side"),
        pytest.param({"falloff": 0.28, "paper": 300}, id="overexposed-on-one-side"),
        pytest.param({"noise": 10}, id="noise"),
        pytest.param({"speck": 4}, id="dust"),
        pytest.param({"paper": 120, "ink": 30}, id="gray-paper"),
        pytest.param({"paper": 130, "ink": 250}, id="light-on-gray"),
        pytest.param({"falloff": 0.2, "noise": 6, "speck": 4, "paper": 150}, id="all"),
    ],
)
def test_photographs_of_paper(seen):
    """Light, noise and dust are no ink: the digit has the place and size that it has on a scan."""
    scan = fit_image(photograph(np.random.default_rng(0)), (28, 28)).astype(float)
    seen = fit_image(photograph(np.random.default_rng(1), **seen), (28, 28)).astype(float)
    assert np.corrcoef(scan.ravel(), seen.ravel())[0, 1] > 0.98
    for axis in (0, 1):
        ends = [np.flatnonzero((digit > 100).any(axis))[[0, -1]] for digit in (scan, seen)]
        np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("noise", [2, 10])
def test_a_photograph_of_a_blank_page_is_an_input_error(noise):
    """Its noise is no drawing."""
    rng = np.random.default_rng(0)
    pixels = 200 - 40 * np.linspace(0, 1, 480) + rng.normal(0, noise, [600, 480])
    blank = Image.fromarray(pixels.round().astype(np.uint8))
    with pytest.raises(InputError, match="no drawing"):
        fit_image(blank, (28, 28))
