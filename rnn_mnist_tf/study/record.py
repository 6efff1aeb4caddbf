"""The file of a point that is done, wherever it was made."""

import json

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
        (row,) = merge_seeds([point], {point.name: record})
        losses = [line["loss"] for line in record["curve"]]
        numbers = [row["test_error_percent"], record["result"]["test_examples"], *losses]
        numbers += [n for line in record["curve"] for k, n in line.items() if k.startswith("val_")]
        if not losses or not all(isinstance(number, (int, float)) for number in numbers):
            raise ValueError("its accuracy, test examples or curve are no numbers.")
        if record["seed"] != config.seed:
            raise ValueError("its seed is not its configuration's.")
        if not all(isinstance(record[name], str) for name in ("date", "machine", "data_digest")):
            raise ValueError("its date, machine or data_digest is no text.")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"Received {path}, expected the record of a point: {error}") from error
    record["config"] = config.without_places()
    return point, record
