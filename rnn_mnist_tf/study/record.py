"""The file of a point that is done, wherever it was made."""

import json
import math

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.study.grid import FLAG_NAMES, Point
from rnn_mnist_tf.study.table import merge_seeds
from rnn_mnist_tf.training import TrainConfig


def read_record(path):
    """Returns a record and its `Point`; in its configuration, fields of later days are added.

    Args:
        path: a JSON file, named after the point, that `compare --results` wrote.

    Returns:
        `(Point, record)`.

    Raises:
        InputError: a file that cannot be read or is no record.

    >>> import pathlib
    >>> read_record(pathlib.Path("none.json"))
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received none.json, expected the record of a point: [Errno 2] \
No such file or directory: 'none.json'
    """
    try:
        record = json.loads(path.read_text())
        config = TrainConfig(**record["config"])
        point = Point(config, record["cores"], record["settings"], record["choices"])
        if point.name != path.stem:
            raise ValueError(f"it is the one of {point.name}.")
        unknown = ({*point.settings} | {*point.choices}) - {*FLAG_NAMES}
        if unknown:
            raise ValueError(f"{sorted(unknown)} are no flags.")
        _check_numbers(record)
        merge_seeds([point], {point.name: record})
        if record["seed"] != config.seed:
            raise ValueError("its seed is not its configuration's.")
        if not all(isinstance(record[name], str) for name in ("date", "machine", "data_digest")):
            raise ValueError("its date, machine or data_digest is no text.")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"Received {path}, expected the record of a point: {error}") from error
    record["config"] = config.without_places()
    return point, record


def _check_numbers(record):
    """Raises `ValueError` where what is drawn or computed with is no number."""
    result, curve, analyses = record["result"], record["curve"], record["analyses"]
    numbers = {
        "its accuracy": [result["test_accuracy"], result.get("val_accuracy", 0)],
        "its test_examples": [result["test_examples"]],
        "its curve": [
            number
            for line in curve
            for name, number in {"loss": line["loss"], **line}.items()
            if name == "loss" or name.startswith("val_")
        ],
        "its forgetting": analyses.get("forgetting", [0]),
        "its speed": [analyses.get("speed", {}).get(name, 1) for name in ("batch_1", "batch_100")],
    }
    for name, values in numbers.items():
        if not values or not all(
            isinstance(value, (int, float)) and math.isfinite(value) for value in values
        ):
            raise ValueError(f"{name} is no number, or none at all.")
    if not result["train_seconds"] > 0:
        raise ValueError(f"its train_seconds are {result['train_seconds']}.")
