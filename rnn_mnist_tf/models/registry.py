"""A model is rebuilt from a run's configuration by its name."""

from rnn_mnist_tf.models.cells import make_cell
from rnn_mnist_tf.models.rnn import build_rnn, step_size


def _rnn(config, image_shape, num_classes):
    def cell(seed):
        return make_cell(
            config.cell,
            config.num_units,
            config.num_layers,
            config.use_peepholes,
            config.cell_clip,
            config.num_proj,
            input_size=step_size(image_shape, config.scan, config.patch_size, config.grayscale),
            residual=config.residual,
            input_keep_prob=config.input_keep_prob,
            output_keep_prob=config.output_keep_prob,
            state_keep_prob=config.state_keep_prob,
            seed=seed,
            api=config.api,
        )

    return build_rnn(
        image_shape,
        num_classes,
        cell(config.seed),
        scan=config.scan,
        patch_size=config.patch_size,
        scan_seed=config.seed,
        grayscale=config.grayscale,
        pixel_scale=config.pixel_scale,
        pixel_offset=config.pixel_offset,
        cell_bw=cell(config.seed + config.num_layers) if config.bidirectional else None,
        head=config.head,
    )


MODELS = {"rnn": _rnn}
BUDGETS = ("cnn_rnn", "rnn")


def build_model(config, image_shape, num_classes):
    """Builds the Keras model that a configuration names, plain pixels to logits.

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
    return MODELS[config.model](config, tuple(image_shape), num_classes)
