"""What tests of training share."""

import pytest


@pytest.fixture(scope="module")
def data(mnist5k):
    """A hundred real digits: at 32 a batch, three whole batches and one of four."""
    return mnist5k.train_images[:100], mnist5k.train_labels[:100]
