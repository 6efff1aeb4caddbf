"""Every point of a study is tried out before the first one runs."""

import collections
import dataclasses

from rnn_mnist_tf.data import load_dataset, split_images
from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.report.analyses import check_analyses
from rnn_mnist_tf.training import Trainer

# What has no part in whether a run can be set up.
_IRRELEVANT = {"seed": 0, "epochs": 1}


def check_points(points, load=load_dataset, analyses=()):
    """Loads each data set once and sets each distinct run up once, without training it.

    Args:
        points: a list of `Point`.
        load: takes `load_dataset`'s arguments.
        analyses: names of measurements that are to follow each training.

    Raises:
        InputError: naming the first point that cannot run, and why.

    >>> from rnn_mnist_tf.study.grid import parse_grids
    >>> check_points(parse_grids(["dataset:idx"]))
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: dataset=idx,seed=0 cannot run: Received dataset='idx' \
without data_dir, expected --data_dir=DIR.
    """
    by_data = collections.defaultdict(list)
    for point in points:
        by_data[point.config.source].append(point)
    for source, members in by_data.items():
        dataset, seen = None, set()
        for point in members:
            try:
                # One after the other, so that no more than one data set is in memory.
                dataset = dataset or load(*source)
                _check_point(point, dataset, analyses, seen)
            except ValueError as error:
                raise InputError(f"{point.name} cannot run: {error}") from error


def _check_point(point, dataset, analyses, seen):
    config = dataclasses.replace(point.config, **_IRRELEVANT)
    if config in seen:
        return
    seen.add(config)
    train, _ = split_images(dataset.train_labels, config)
    some = train[:1]
    images, labels = dataset.train_images[some], dataset.train_labels[some]
    check_analyses(analyses, Trainer(config, images, labels, dataset.num_classes).model)
