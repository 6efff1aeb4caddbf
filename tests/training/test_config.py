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
        ("views", "flips", "one.*shifts"),
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
        ("seed", 2**32, "at most 4294967295"),
        ("dense_keep_prob", 0.0, "at least 0.01"),
        ("feature_keep_prob", 1.5, "at most 1"),
        ("augment_zoom", 0.95, "at most 0.9"),
        ("label_smoothing", 1.0, "at most 0.9"),
        ("ema_momentum", 1.0, "at most 0.99999"),
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


@pytest.mark.parametrize(
    ("model", "field", "value", "readers"),
    [
        ("cnn_rnn", "scan", "columns", "rnn"),
        ("rnn", "tap", 2, "cnn_rnn.*cnn.*cldnn"),
        ("renet", "head", "mean", "rnn"),
        ("rnn", "feature_keep_prob", 0.5, "cnn_rnn.*cnn.*cldnn"),
        ("cldnn", "budget_model", "rnn", "cnn"),
        ("cnn", "scan", "columns", "rnn"),
        # They change no size, so no budget depends on them.
        ("cnn", "shuffle_steps", "fresh", "cnn_rnn.*cldnn"),
        ("cnn", "residual", True, "rnn"),
        ("cnn", "input_keep_prob", 0.5, "rnn"),
        ("cnn", "output_keep_prob", 0.5, "rnn"),
        ("cnn", "state_keep_prob", 0.5, "rnn"),
        ("cnn", "cell_clip", 3.0, "rnn"),
    ],
)
def test_options_that_the_model_does_not_read(model, field, value, readers):
    """They would change nothing, and config.json would say that they did."""
    with pytest.raises(InputError, match=rf"{field}={value!r}.*{model!r}.*{readers}"):
        TrainConfig(model=model, **{field: value})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch_size": 4}, "patch_size=4.*scan='rows'.*--scan=patches"),
        ({"patch_size": 4, "scan": "pixels"}, "patch_size=4.*scan='pixels'"),
        ({"patch_size": 4, "model": "cnn", "budget_model": "rnn"}, "patch_size=4"),
        ({"blank_steps": 9, "model": "cnn", "budget_model": "rnn"}, "blank_steps=9"),
        ({"num_classes": 20}, "num_classes=20.*dataset='mnist5k'.*--dataset=idx"),
        ({"residual": True, "num_layers": 1}, "residual=True.*num_layers=1.*--num_layers=2"),
    ],
)
def test_options_that_go_with_another(options, words):
    """A patch has a size where there are patches; a data set has classes of its own."""
    with pytest.raises(InputError, match=words):
        TrainConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"patch_size": 4, "scan": "patches"},
        {"patch_size": 4, "model": "renet"},
        {"patch_size": 4, "scan": "patches", "model": "cnn", "budget_model": "rnn"},
        {"num_classes": 20, "dataset": "idx"},
    ],
)
def test_options_where_they_are_read(options):
    """There they are taken."""
    assert dataclasses.asdict(TrainConfig(**options)).items() >= options.items()


def test_a_control_reads_what_its_budget_depends_on():
    """The parameters of an RNN depend on its scan and its cells."""
    assert TrainConfig(model="cnn", budget_model="rnn", scan="patches").scan == "patches"


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
    """`to_json` writes every field, and the fields make the same configuration."""
    config = TrainConfig(**options)
    values = json.loads(config.to_json())
    assert values == dataclasses.asdict(config)
    assert TrainConfig(**values) == config


@pytest.mark.parametrize("optimizer", ["adam", "adadelta", "sgd"])
def test_weight_decay_is_adamw_s(optimizer):
    """A decay that would not be obeyed is refused, whatever the order of the fields."""
    with pytest.raises(InputError, match=rf"weight_decay=0.1.*'{optimizer}'.*--optimizer=adamw"):
        TrainConfig(weight_decay=0.1, optimizer=optimizer)
    assert TrainConfig(weight_decay=0.0, optimizer=optimizer).weight_decay == 0
    assert TrainConfig(weight_decay=0.1, optimizer="adamw").weight_decay == 0.1


def test_differences():
    """Each field that differs, ours first; none between equals."""
    config = TrainConfig(seed=1, cell="gru")
    assert config.differences(TrainConfig(seed=1, cell="gru")) == []
    assert config.differences(TrainConfig(seed=2)) == [
        "cell: 'gru', not 'basic_lstm'",
        "seed: 1, not 2",
    ]
