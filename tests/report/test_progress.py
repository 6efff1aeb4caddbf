"""The progress bar: where it stands, what it says, where it says it."""

import keras
import pytest

from rnn_mnist_tf.report import ProgressBar
from rnn_mnist_tf.report.progress import format_metrics

LOGS = {"loss": 0.25, "accuracy": 0.5}


@pytest.fixture
def bar():
    """A bar over two epochs of 100 images, 30 a step."""
    bar = ProgressBar(epochs=2, examples=100, batch_size=30)
    yield bar
    bar.on_train_end()


def test_the_bar_counts_images(bar):
    """After a batch it stands at the images done in all epochs, the last batch being partial."""
    places = []
    for epoch in range(2):
        bar.on_epoch_begin(epoch)
        for batch in (1, 3):
            bar.on_train_batch_end(batch, LOGS)
            places.append(bar._bar.n)
    assert places == [60, 100, 160, 200]
    assert bar._bar.total == 200


def test_a_run_that_goes_on_starts_where_it_stood(capsys):
    """Images done before are not counted as done now."""
    bar = ProgressBar(epochs=2, examples=100, batch_size=30)
    bar.on_epoch_begin(1)
    bar.on_train_batch_begin(1)
    assert bar._bar.initial == bar._bar.n == 130
    bar.on_train_batch_end(1, LOGS)
    bar.on_train_batch_begin(2)
    assert bar._bar.initial == 130
    assert bar._bar.n == 160
    bar.on_train_end()
    assert "Traceback" not in capsys.readouterr().err


def test_the_bar_is_for_stderr(capsys):
    """Each epoch leaves a line with its figures; stdout is for the answer."""
    bar = ProgressBar(epochs=2, examples=100, batch_size=30)
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(3, LOGS)
    bar.on_epoch_end(0, {"epoch": 1, **LOGS, "val_loss": 0.75, "val_accuracy": 0.125})
    bar.on_train_end()
    shown = capsys.readouterr()
    assert shown.out == ""
    expected = "epoch 1/2: loss 0.2500, accuracy 0.5000, val_loss 0.7500, val_accuracy 0.1250"
    assert expected in shown.err
    assert "100/200" in shown.err
    assert "images/s" in shown.err


def test_the_bar_is_a_keras_callback(bar):
    """So that it can stand in a list of callbacks."""
    assert isinstance(bar, keras.callbacks.Callback)


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        ({}, ""),
        ({"loss": 1.0}, "loss 1.0000"),
        ({"accuracy": 0.5, "loss": 1.0, "epoch": 3}, "loss 1.0000, accuracy 0.5000"),
    ],
)
def test_format_metrics(metrics, line):
    """Loss first, four digits, nothing that is not there."""
    assert format_metrics(metrics) == line
