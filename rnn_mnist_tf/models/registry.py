"""A model is rebuilt from a run's configuration by its name."""

import itertools

from rnn_mnist_tf.images import Augmentation
from rnn_mnist_tf.models.cells import make_cell
from rnn_mnist_tf.models.cldnn import build_cldnn
from rnn_mnist_tf.models.cnn import build_cnn
from rnn_mnist_tf.models.cnn_rnn import build_cnn_rnn
from rnn_mnist_tf.models.convolution import feature_shape, parse_filters
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.renet import build_renet
from rnn_mnist_tf.models.rnn import build_rnn, step_size
from rnn_mnist_tf.models.serialize import sequence_shape
from rnn_mnist_tf.models.views import answer_views

BUDGETS = ("cnn_rnn", "rnn")
_CONVOLUTIONS = ("cnn_rnn", "cnn", "cldnn")
_CELLS = ("rnn", "cnn_rnn", "cldnn", "renet")
# The fields of a configuration that some models alone read, and which do.
READ_BY = {
    "scan": ("rnn",),
    "blank_steps": ("rnn",),
    "patch_size": ("rnn", "renet"),
    "filters": _CONVOLUTIONS,
    "tap": _CONVOLUTIONS,
    "feature_keep_prob": _CONVOLUTIONS,
    "serialize": ("cnn_rnn", "cldnn"),
    "shuffle_steps": ("cnn_rnn", "cldnn"),
    "reduction": ("cldnn",),
    "budget_model": ("cnn",),
    "head": ("rnn", *_CONVOLUTIONS),
    "cell_clip": _CELLS,
    "bidirectional": ("rnn", "cnn_rnn", "cldnn"),
    "residual": ("rnn", "cnn_rnn", "cldnn"),
    "input_keep_prob": _CELLS,
    "output_keep_prob": _CELLS,
    "state_keep_prob": _CELLS,
}
# Those of them that change no model's size, so that no budget depends on them.
SIZELESS = (
    *("blank_steps", "shuffle_steps", "residual", "cell_clip", "feature_keep_prob"),
    *("input_keep_prob", "output_keep_prob", "state_keep_prob"),
)


def _cell_maker(config, num_layers):
    """Returns `make(input_size)`, whose cells drop out each with a seed of its own."""
    seeds = itertools.count(config.seed, num_layers)

    def make(input_size):
        return make_cell(
            config.cell,
            config.num_units,
            num_layers,
            config.use_peepholes,
            config.cell_clip,
            config.num_proj,
            input_size=input_size,
            residual=config.residual,
            input_keep_prob=config.input_keep_prob,
            output_keep_prob=config.output_keep_prob,
            state_keep_prob=config.state_keep_prob,
            seed=next(seeds),
            api=config.api,
        )

    return make


def _cells(config, input_size):
    """Returns the cell, and the backward one or None."""
    make = _cell_maker(config, config.num_layers)
    return make(input_size), make(input_size) if config.bidirectional else None


def _augmentation(config):
    return Augmentation(
        config.augment_shift, config.augment_rotation, config.augment_zoom, config.augment_elastic
    )


def _front(config):
    return Front(
        config.grayscale,
        config.pixel_scale,
        config.pixel_offset,
        _augmentation(config),
        config.seed,
    )


def _convolution(config):
    return {"filters": parse_filters(config.filters), "tap": config.tap}


def _features(config):
    """What models that convolve have in common."""
    return {**_convolution(config), "feature_keep_prob": config.feature_keep_prob}


def _feature_size(config, image_shape):
    """Returns the features of a step of the serialized feature map."""
    shape = feature_shape(_front(config).shape(image_shape), **_convolution(config))
    return sequence_shape(shape, config.serialize)[1]


def _rnn(config, image_shape, num_classes):
    size = step_size(image_shape, config.scan, config.patch_size, _front(config))
    cell, cell_bw = _cells(config, size)
    return build_rnn(
        image_shape,
        num_classes,
        cell,
        config.scan,
        config.patch_size,
        cell_bw,
        head=config.head,
        blank_steps=config.blank_steps,
        **_ends(config),
    )


def _serialized(config):
    """What models that read serialized features have in common."""
    return {
        **_features(config),
        "serialize": config.serialize,
        "shuffle_steps": config.shuffle_steps,
        "head": config.head,
    }


def _ends(config):
    """What models have in common before their first layer and after their last."""
    return {
        "dense_units": config.dense_units,
        "dense_keep_prob": config.dense_keep_prob,
        "front": _front(config),
        "seed": config.seed,
    }


def _cnn_rnn(config, image_shape, num_classes):
    cells = _cells(config, _feature_size(config, image_shape))
    return build_cnn_rnn(image_shape, num_classes, *cells, **_serialized(config), **_ends(config))


def _cnn(config, image_shape, num_classes):
    other = MODELS[config.budget_model](config, image_shape, num_classes)
    return build_cnn(
        image_shape,
        num_classes,
        other.count_params(),
        **_features(config),
        head=config.head,
        dense_keep_prob=config.dense_keep_prob,
        front=_front(config),
        seed=config.seed,
    )


def _cldnn(config, image_shape, num_classes):
    return build_cldnn(
        image_shape,
        num_classes,
        *_cells(config, config.reduction),
        reduction=config.reduction,
        **_serialized(config),
        **{**_ends(config), "dense_units": config.dense_units or config.num_units},
    )


def _renet(config, image_shape, num_classes):
    return build_renet(
        image_shape,
        num_classes,
        _cell_maker(config, num_layers=1),
        patch_size=config.patch_size,
        num_layers=config.num_layers,
        **_ends(config),
    )


MODELS = {"rnn": _rnn, "cnn_rnn": _cnn_rnn, "cnn": _cnn, "cldnn": _cldnn, "renet": _renet}


def build_model(config, image_shape, num_classes):
    """Builds the Keras model that a configuration names, plain pixels to logits.

    `cnn` has as many parameters as `config.budget_model` of the same options, or just fewer.

    Args:
        config: a `TrainConfig`, or anything with its fields.
        image_shape: `(h, w)` or `(h, w, c)`.
        num_classes: the number of logits.

    Raises:
        ValueError: an unknown model, or options that do not fit.

    >>> from rnn_mnist_tf.training import TrainConfig
    >>> build_model(TrainConfig(), (28, 28), 10).count_params()
    133010
    """
    if config.model not in MODELS:
        raise ValueError(f"Received model={config.model!r}, expected one of {tuple(MODELS)}.")
    model = MODELS[config.model](config, tuple(image_shape), num_classes)
    return answer_views(model, config.views)
