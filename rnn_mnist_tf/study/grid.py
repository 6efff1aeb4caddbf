"""A grid of configurations as text: `cell:gru,lstm+use_peepholes=true;num_layers:1,2`."""

import dataclasses
import hashlib
import itertools
import re
import typing
import urllib.parse

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training import TrainConfig

_FIELDS = {field.name: type(field.default) for field in dataclasses.fields(TrainConfig)}
_KINDS = {**_FIELDS, "cores": int}
FLAG_NAMES = tuple(_KINDS)
_BOOLS = {"true": True, "false": False}
# A plus belongs to a number (1e+3) unless a further flag begins behind it.
_FURTHER = re.compile(r"\+(?=\w+=)")
_LONGEST_NAME = 200


class GridError(InputError):
    """A grid that is not one: its syntax, a name or a value.

    >>> parse_grids(["cell:gpu"])
    Traceback (most recent call last):
    rnn_mnist_tf.study.grid.GridError: Received --grid=cell:gpu: Received cell='gpu', expected \
one of ('basic_rnn', 'gru', 'basic_lstm', 'lstm', 'attention', 'grid_lstm').
    """


class Point(typing.NamedTuple):
    """One training run of a study.

    Attributes:
        config: a `TrainConfig`.
        cores: how many the run may use; 0 means all.
        settings: the flags that the grid set, `{name: value}` in the order of the flags; the seed
            is always one of them.
        choices: what it took of each axis, `{axis: text}`.
    """

    config: TrainConfig
    cores: int
    settings: dict
    choices: dict

    @property
    def name(self):
        """A file name that says what the grid set.

        >>> parse_grids(["num_layers:2;cell:gru"])[0].name
        'cell=gru,num_layers=2,seed=0'
        """
        name = ",".join(
            f"{name}={urllib.parse.quote(value_text(value), safe='+')}"
            for name, value in self.settings.items()
        )
        if len(name) <= _LONGEST_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        return f"{name[: _LONGEST_NAME - 17]}~{digest}"

    @property
    def identity(self):
        """What two points that are the same run have in common."""
        return self.config, self.cores

    @property
    def configuration(self):
        """What the seeds of one configuration have in common."""
        return dataclasses.replace(self.config, seed=0), self.cores

    def value(self, name):
        """Returns the value of a flag, whether the grid set it or not.

        >>> parse_grids(["cell:gru"])[0].value("num_units")
        100
        """
        return self.cores if name == "cores" else getattr(self.config, name)


def parse_grids(texts, base=None, cores=0, seeds=1):
    """Returns the points of a union of grids, each point once.

        grid  = axis; axis; ...        every combination of their values
        axis  = name:value,value,...   a flag of train that is part of a configuration, or cores
        value = text+name=text+...     the axis's value, and further flags that go with it

    The filters of one network stand with slashes between them: `filters:16/24,32/48`.

    Args:
        texts: the grids.
        base: a `TrainConfig` for all that a grid does not set; the default one if None.
        cores: of points that do not set them.
        seeds: points that set no seed run with 0 to `seeds - 1`; with the base's if `seeds` is 1.

    Returns:
        A list of `Point`.

    Raises:
        GridError: no grid, `seeds` beside a seed of the base, bad syntax, an unknown flag, a value
            of the wrong type or outside of its limits, a flag set twice in a point.

    >>> [point.name for point in parse_grids(["cell:gru,lstm+cell_clip=1"], seeds=2)]
    ['cell=gru,seed=0', 'cell=gru,seed=1', 'cell=lstm,cell_clip=1,seed=0', \
'cell=lstm,cell_clip=1,seed=1']
    """
    if not texts:
        raise GridError("Received no grid, expected for example --grid=cell:gru,basic_lstm.")
    base = base or TrainConfig()
    if seeds > 1 and base.seed:
        raise GridError(
            f"Received seeds={seeds} and seed={base.seed}, expected one of them: several seeds are "
            f"0 to {seeds - 1}. For others write them into the grid, as in seed:5,6."
        )
    points = {}
    for text in texts:
        try:
            for settings, choices in _combinations(text):
                for seed in range(seeds) if seeds > 1 else (base.seed,):
                    point = _make_point(base, cores, {"seed": seed, **settings}, choices)
                    points.setdefault(point.identity, point)
        except InputError as error:
            raise GridError(f"Received --grid={text}: {error}") from error
    return list(points.values())


def settings_text(settings):
    """Returns a grid's settings in a line: words alone, numbers and truth values with their flag.

    >>> settings_text({"cell": "lstm", "cell_clip": 1.0}), settings_text({})
    ('lstm cell_clip=1', 'base')
    """
    texts = [
        value if isinstance(value, str) else f"{name}={value_text(value)}"
        for name, value in settings.items()
    ]
    return " ".join(texts) or "base"


def value_text(value):
    """Returns a flag's value as people write it.

    >>> value_text(True), value_text(1.0), value_text(0.001)
    ('true', '1', '0.001')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _combinations(text):
    """Yields `(settings, choices)` for every combination of a grid's values."""
    axes = [_parse_axis(axis) for axis in text.split(";")]
    for combination in itertools.product(*axes):
        settings, choices = {}, {}
        for pairs in combination:
            for name, value in pairs:
                if name in settings:
                    raise GridError(
                        f"{name} is set twice, to {value_text(settings[name])} and to "
                        f"{value_text(value)}; expected one place that sets it."
                    )
                settings[name] = value
            (axis, first), *further = pairs
            texts = [value_text(first), *(f"{name}={value_text(v)}" for name, v in further)]
            choices[axis] = "+".join(texts)
        yield settings, choices


def _parse_axis(text):
    """Returns the values of an axis, each a list of `(name, value)`: its own, then further ones."""
    name, _, values = text.partition(":")
    name, values = name.strip(), [value.strip() for value in values.split(",")]
    if not name or not all(values):
        raise GridError(f"the axis {text!r} is malformed, expected name:value,value,...")
    if name == "filters" and len(values) > 1 and all(value.isdecimal() for value in values):
        raise GridError(
            f"the axis {text!r} has networks of one block each, expected slashes between the "
            f"filters of one network: filters:{'/'.join(values)}."
        )
    axis = []
    for value in values:
        first, *further = _FURTHER.split(value)
        pairs = [(name, first), *(setting.split("=", 1) for setting in further)]
        axis.append([(name, _convert(name, text)) for name, text in pairs])
    return axis


def _convert(name, text):
    """Returns the value of a flag from its text."""
    if name not in _KINDS:
        raise GridError(f"{name!r} is no flag of a configuration, expected one of {list(_KINDS)}.")
    kind = _KINDS[name]
    if name == "filters":
        text = text.replace("/", ",")
    try:
        return _BOOLS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise GridError(f"Received {name}={text!r}, expected {expected}.") from None


def _make_point(base, cores, settings, choices):
    settings = {name: settings[name] for name in sorted(settings, key=FLAG_NAMES.index)}
    cores = settings.get("cores", cores)
    if cores < 0:
        raise GridError(f"Received cores={cores}, expected at least 0.")
    fields = {name: value for name, value in settings.items() if name in _FIELDS}
    return Point(dataclasses.replace(base, **fields), cores, settings, choices)
