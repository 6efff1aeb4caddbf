"""The configuration of a run: what it takes, what it refuses, how it is written down."""

import dataclasses
import json

import pytest

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.training import TrainConfig


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cell", "gpu", "basic_rnn.*gru.*basic_lstm.*lstm"),
        ("scan", "diagonal", "rows.*pixels"),
        ("model", "transformer", "rnn"),
        ("grayscale", "rec709", "rec601.*article.*none"),
        ("optimizer", "lion", "adam.*adadelta.*sgd"),
        ("schedule", "step", "constant.*one_cycle.*cosine"),
        ("epochs", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("num_units", -1, "at least 1"),
        ("num_layers", 0, "at least 1"),
        ("num_classes", 1, "at least 2"),
        ("patch_size", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("image_size", -1, "at least 0"),
        ("learning_rate", -0.1, "at least 0"),
        ("learning_rate", float("nan"), "finite"),
        ("validation_fraction", -0.1, "at least 0"),
        ("cell_clip", -1.0, "at least 0"),
        ("epochs", 1.0, "type int"),
        ("epochs", True, "type int"),
        ("epochs", "3", "type int"),
        ("epochs", None, "type int"),
        ("learning_rate", "0.1", "type float"),
        ("learning_rate", True, "type float"),
        ("use_peepholes", 1, "type bool"),
        ("cell", 3, "type str"),
        ("data_dir", None, "type str"),
    ],
)
def test_wrong_values(field, value, words):
    """The error has the field, the value and what is expected."""
    with pytest.raises(InputError, match=rf"{field}={value!r}.*{words}"):
        TrainConfig(**{field: value})


def test_whole_numbers_are_floats_too():
    """A learning rate of 1 is one of 1.0, in the record as well."""
    config = TrainConfig(learning_rate=1)
    assert type(config.learning_rate) is float
    assert config == TrainConfig(learning_rate=1.0)


def test_a_configuration_is_frozen():
    """Nothing is changed after it was checked."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "lstm", "use_peepholes": True, "pixel_scale": 1 / 127.5, "pixel_offset": -1.0},
        {"data_dir": 'a "quoted"\n täxt', "learning_rate": 1e-17, "seed": 2**31},
    ],
)
def test_json_and_back(options):
    """`from_json` gives exactly what `to_json` wrote."""
    config = TrainConfig(**options)
    assert TrainConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json()) == dataclasses.asdict(config)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"epochs": 0}', '{"colour": 1}', '{"epochs": "3"}', "[1, 2]"]
)
def test_json_that_is_no_configuration(text):
    """Whatever a damaged file holds is an `InputError`."""
    with pytest.raises(InputError):
        TrainConfig.from_json(text, source="some.json")


def test_damaged_json_is_named():
    """The error has the name of the file."""
    with pytest.raises(InputError, match=r"some\.json"):
        TrainConfig.from_json('{"colour": 1}', source="some.json")


def test_differences():
    """Each field that differs, ours first; none between equals."""
    config = TrainConfig(seed=1, cell="gru")
    assert config.differences(TrainConfig(seed=1, cell="gru")) == []
    assert config.differences(TrainConfig(seed=2)) == [
        "cell: 'gru', not 'basic_lstm'",
        "seed: 1, not 2",
    ]
