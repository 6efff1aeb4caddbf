"""Points are tried out: data once, each distinct run once."""

import numpy as np
import pytest

from rnn_mnist_tf.data import Dataset
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.study import check, check_points, parse_grids


def load(name, data_dir, tfds_dir, image_size, num_classes):
    """Noise, of any size."""
    labels = np.repeat(np.arange(num_classes), 20)
    images = np.zeros([len(labels), image_size or 8, image_size or 8], np.uint8)
    return Dataset(name, images, labels, images, labels, list(map(str, range(num_classes))))


def test_data_are_loaded_once_and_runs_set_up_once(monkeypatch):
    """Seeds and epochs need no further look; another size of images does."""
    loaded, built = [], []
    trainer = check.Trainer
    monkeypatch.setattr(
        check, "Trainer", lambda *arguments: built.append(arguments[0]) or trainer(*arguments)
    )
    points = parse_grids(["image_size:8,12;cell:gru,lstm;epochs:1,2;num_units:2"], seeds=2)
    check_points(points, lambda *source: loaded.append(source[3]) or load(*source))
    assert loaded == [8, 12]
    assert len(points) == 16
    assert [(c.image_size, c.cell) for c in built] == [
        (size, cell) for size in (8, 12) for cell in ("gru", "lstm")
    ]


def test_the_point_that_cannot_run_is_named():
    """The scan fits one of the sizes only."""
    points = parse_grids(["image_size:14,15;scan:patches;cell:gru;num_units:2"])
    with pytest.raises(InputError, match=r"^image_size=15,scan=patches.* cannot run: .*patch"):
        check_points(points, load)


def test_a_measurement_that_does_not_apply_is_named():
    """A CNN has no steps to forget; its speed can be measured."""
    points = parse_grids(["model:cnn_rnn,cnn;filters:2;tap:1;num_units:2"])
    check_points(points, load, analyses=["speed"])
    with pytest.raises(InputError, match=r"^model=cnn,.* cannot run: .*without an RNN"):
        check_points(points, load, analyses=["speed", "forgetting"])
