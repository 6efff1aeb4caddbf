"""Records of points that never ran, and what their study says."""

import json

from rnn_mnist_tf.study import merge_seeds, parse_grids
from rnn_mnist_tf.study.claims import SECTIONS
from rnn_mnist_tf.training import TrainConfig

SPREAD = (
    "Between seeds a test error of 1 % has a standard deviation of {} points, and one of e % has "
    "sqrt(e) times as much."
)
NO_SPREAD = "No spread between seeds of errors up to 10 % is known: no difference is judged."


def make_record(random=None, epochs=2, analyses=None):
    """A record with fixed numbers, or random ones."""
    test, val = (0.875, 0.75) if random is None else random.uniform(0.5, 1, size=2)
    return {
        "result": {
            "test_accuracy": float(test),
            "val_accuracy": float(val),
            "parameters": 12345,
            "train_seconds": 2.5 if random is None else float(random.uniform(1, 90)),
            "epochs": epochs,
            "train_examples": 1875 if random is None else int(random.integers(10, 1000)),
        },
        "curve": [
            {"epoch": epoch, "loss": 1 / epoch, "val_accuracy": float(val) * epoch / epochs}
            for epoch in range(1, epochs + 1)
        ],
        "analyses": analyses or {},
    }


def make_study(points, figures):
    """`{point name: record}`, whole, of points that never ran.

    Args:
        points: from `parse_grids`.
        figures: of each point a dict with what is not as in `make_record`: `error` (of the test
            images, in percent), `analyses`, `images_per_second`, and any entries of the result.
    """
    records = {}
    for point, changes in zip(points, figures, strict=True):
        result = dict(changes)
        record = make_record(analyses=result.pop("analyses", {}))
        record["result"]["test_accuracy"] = 1 - result.pop("error", 12.5) / 100
        rate = result.pop("images_per_second", None)
        record["result"].update({"test_examples": 10_000, **result})
        if rate is not None:
            seconds, epochs = record["result"]["train_seconds"], record["result"]["epochs"]
            record["result"]["train_examples"] = rate * seconds / epochs
        records[point.name] = {
            "study": "study",
            "point": point.name,
            "settings": point.settings,
            "choices": point.choices,
            "seed": point.config.seed,
            "cores": point.cores,
            "config": point.config.without_places(),
            "classes": 10,
            "data_digest": "0123",
            "date": "2026-11-25T01:02:03+00:00",
            "machine": "2 cores of a machine",
            **record,
        }
    return records


def answer(name, grids, figures, seeds=1, only=None):
    """What a study's section says where the figures of its points are these.

    Args:
        name: of the section.
        grids: texts.
        figures: one dict a point, in the order of the grid; see `make_study`.
        seeds: of each configuration.
        only: which points are done; all if None.
    """
    base = TrainConfig(model="cnn_rnn") if name == "taps" else None
    points = parse_grids(grids, base, seeds=seeds)
    if only is not None:
        points = [points[index] for index in only]
    records = make_study(points, figures)
    return SECTIONS[name].answer(merge_seeds(points, records), records)


def errors(*values, **others):
    """Figures of points with these test errors in percent."""
    return [{"error": value, **others} for value in values]


def speed(milliseconds):
    """What the analysis finds of a model that takes this long an image in batches of 100."""
    return {"speed": {"batch_1": 1.0, "batch_100": milliseconds}}


def write_study(directory, name, grids, random, seeds=1, **figures):
    """Writes the records of a study as compare does. Returns its points, in the grid's order."""
    points = parse_grids(grids, TrainConfig(num_layers=1), seeds=seeds)
    changes = [
        {
            "error": round(random.uniform(1, 9), 2),
            "train_seconds": round(random.uniform(1, 90), 3),
            "parameters": 20_000 + point.config.num_layers,
            "analyses": {
                "forgetting": random.uniform(0.1, 1, 28 + point.config.blank_steps).tolist()
            },
            **figures,
        }
        for point in points
    ]
    (directory / name).mkdir(parents=True)
    for record in make_study(points, changes).values():
        path = directory / name / f"{record['point']}.json"
        path.write_text(json.dumps({**record, "study": name}, indent=2) + "\n")
    return points


def change(path, **values):
    """Changes entries of a record; those that become None are gone."""
    record = {**json.loads(path.read_text()), **values}
    record = {name: value for name, value in record.items() if value is not None}
    path.write_text(json.dumps(record))


def damage(part, **values):
    """What a part of a record becomes; entries that become None are gone."""

    def change_part(path):
        entries = {**json.loads(path.read_text())[part], **values}
        entries = {name: value for name, value in entries.items() if value is not None}
        change(path, **{part: entries})

    return change_part
