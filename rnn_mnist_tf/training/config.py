"""What a run is: every choice that has a part in its numbers, in one frozen record."""

import dataclasses
import json
import math

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.images import SCANS
from rnn_mnist_tf.images.grayscale import GRAYSCALE_WEIGHTS
from rnn_mnist_tf.models import (
    APIS,
    BUDGETS,
    CELLS,
    HEADS,
    MODELS,
    READ_BY,
    SERIALIZATIONS,
    SHUFFLES,
    SIZELESS,
    VIEWS,
)

PLACES = ("data_dir", "tfds_dir")
OPTIMIZERS = ("adam", "adamw", "adadelta", "sgd")
SCHEDULES = ("constant", "one_cycle", "cosine")


def _field(default, help_text, choices=None, minimum=None, maximum=None):
    return dataclasses.field(
        default=default,
        metadata={"help": help_text, "choices": choices, "minimum": minimum, "maximum": maximum},
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The configuration of a training run; each field is a flag of the same name.

    Raises:
        InputError: a value outside of its choices or bounds; options that do not go together.

    >>> TrainConfig(cell="gru").num_units
    100
    >>> TrainConfig(cell="gpu")
    Traceback (most recent call last):
    rnn_mnist_tf.errors.InputError: Received cell='gpu', expected one of ('basic_rnn', 'gru', \
'basic_lstm', 'lstm', 'attention', 'grid_lstm').
    """

    dataset: str = _field("mnist5k", "mnist5k (embedded), idx, or a TFDS name.")
    data_dir: str = _field("", "For --dataset=idx: the directory with the four IDX files.")
    tfds_dir: str = _field("", "Where TFDS keeps data sets; its own default if empty.")
    image_size: int = _field(0, "Side that images are resized to; 0 keeps them.", minimum=0)
    num_classes: int = _field(10, "For --dataset=idx: labels are 0 to num_classes - 1.", minimum=2)
    validation_fraction: float = _field(0.1, "Part of the training images held out.", minimum=0)
    train_examples: int = _field(0, "Train on this many images only; 0 means all.", minimum=0)
    grayscale: str = _field(
        "rec601", "Colour to gray; none keeps channels.", (*GRAYSCALE_WEIGHTS, "none")
    )
    pixel_scale: float = _field(1 / 255, "Pixels 0..255 are multiplied by this, ...")
    pixel_offset: float = _field(0.0, "... then this is added.")
    augment_shift: float = _field(0.0, "Largest shift, a part of the side.", minimum=0, maximum=1)
    augment_rotation: float = _field(0.0, "Largest turn in degrees.", minimum=0, maximum=180)
    augment_zoom: float = _field(0.0, "Largest change of scale, a part.", minimum=0, maximum=0.9)
    augment_elastic: float = _field(0.0, "Strength of elastic distortion.", minimum=0, maximum=1)
    model: str = _field("rnn", "The model.", tuple(MODELS))
    scan: str = _field("rows", "How an image becomes a sequence.", SCANS)
    patch_size: int = _field(7, "Side of a patch, for --scan=patches and renet.", minimum=1)
    blank_steps: int = _field(0, "Blank steps after the image, for rnn.", minimum=0)
    filters: str = _field("32,48,48,64", "Filters of each convolution block.")
    tap: int = _field(4, "The convolution block whose features are read.", minimum=1)
    feature_keep_prob: float = _field(
        1.0, "Part of the features kept in training after each pooling.", minimum=0.01, maximum=1
    )
    serialize: str = _field("rows", "How features become a sequence.", SERIALIZATIONS)
    shuffle_steps: str = _field("none", "The order of a feature sequence.", SHUFFLES)
    reduction: int = _field(128, "Units of cldnn's linear reduction.", minimum=1)
    budget_model: str = _field("cnn_rnn", "cnn has this model's parameters.", BUDGETS)
    cell: str = _field("basic_lstm", "The cell.", tuple(CELLS))
    num_units: int = _field(100, "Units of a layer.", minimum=1)
    num_layers: int = _field(2, "Layers.", minimum=1)
    use_peepholes: bool = _field(False, "Peepholes, for --cell=lstm.")
    cell_clip: float = _field(0.0, "Clip of c, for --cell=lstm; 0 means none.", minimum=0)
    num_proj: int = _field(0, "Projection of h, for --cell=lstm; 0 means none.", minimum=0)
    bidirectional: bool = _field(False, "A second stack reads the steps backward.")
    residual: bool = _field(False, "A ResidualWrapper around each layer after the first.")
    input_keep_prob: float = _field(
        1.0, "Part of each layer's inputs kept in training.", minimum=0, maximum=1
    )
    output_keep_prob: float = _field(
        1.0, "Part of each layer's outputs kept in training.", minimum=0, maximum=1
    )
    state_keep_prob: float = _field(
        1.0, "Part of each layer's state kept in training.", minimum=0, maximum=1
    )
    head: str = _field("last", "What the dense layer sees of the outputs.", HEADS)
    dense_units: int = _field(
        0, "A hidden dense layer before the logits; 0: none, of cldnn num_units.", minimum=0
    )
    dense_keep_prob: float = _field(
        1.0, "Part of the features kept in training before the logits.", minimum=0.01, maximum=1
    )
    views: str = _field("one", "Views of an image whose mean is the answer.", VIEWS)
    api: str = _field("rnn_cell", "This package's cells, or Keras's own.", APIS)
    epochs: int = _field(10, "Passes over the training images.", minimum=1)
    batch_size: int = _field(64, "Images a step, over all devices.", minimum=1, maximum=2**20)
    optimizer: str = _field("adam", "The optimizer.", OPTIMIZERS)
    learning_rate: float = _field(0.001, "Learning rate, the peak of a schedule.", minimum=0)
    schedule: str = _field("constant", "Learning rate over time.", SCHEDULES)
    weight_decay: float = _field(0.0, "Decoupled weight decay, for adamw.", minimum=0)
    global_clipnorm: float = _field(0.0, "Clip of the gradients' norm; 0: none.", minimum=0)
    label_smoothing: float = _field(
        0.0, "Part of a label spread over all classes.", minimum=0, maximum=0.9
    )
    ema_momentum: float = _field(0.0, "Weight averaging; 0 means none.", minimum=0, maximum=0.99999)
    seed: int = _field(0, "Of all that is random.", minimum=0, maximum=2**32 - 1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(field.default) is float and type(value) is int:
                object.__setattr__(self, field.name, float(value))
            self._check_field(field)
        if self.weight_decay and self.optimizer != "adamw":
            raise InputError(
                f"Received weight_decay={self.weight_decay} and optimizer={self.optimizer!r}, "
                "expected --optimizer=adamw, which alone decays weights."
            )
        self._check_read()

    def _check_field(self, field):
        value, kind = getattr(self, field.name), type(field.default)
        choices, minimum, maximum = (field.metadata[k] for k in ("choices", "minimum", "maximum"))
        if type(value) is not kind:
            expected = f"a value of type {kind.__name__}"
        elif kind is float and not math.isfinite(value):
            expected = "a finite number"
        elif choices and value not in choices:
            expected = f"one of {choices}"
        elif minimum is not None and value < minimum:
            expected = f"at least {minimum}"
        elif maximum is not None and value > maximum:
            expected = f"at most {maximum}"
        else:
            return
        raise InputError(f"Received {field.name}={value!r}, expected {expected}.")

    def _check_read(self):
        """Raises where an option is set that the model does not read: it would change nothing."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            models = {self.model} if field.name in SIZELESS else self._sized_as
            readers = READ_BY.get(field.name)
            if readers and value != field.default and not models & set(readers):
                raise InputError(
                    f"Received {field.name}={value!r} and model={self.model!r}, which does not "
                    f"read it, expected one of {readers}, or no --{field.name}."
                )
        if "rnn" in self._sized_as:
            self._check_goes_with("patch_size", "scan", "patches")
        self._check_goes_with("num_classes", "dataset", "idx")
        if self.residual and self.num_layers == 1:
            raise InputError(
                "Received residual=True and num_layers=1, whose only layer has none before it to "
                "add, expected --num_layers=2 or more, or no --residual."
            )

    @property
    def _sized_as(self):
        """The models whose options change this one: a budget is another model's size."""
        return {self.model, self.budget_model} if self.model == "cnn" else {self.model}

    def _check_goes_with(self, name, other, wanted):
        """Raises where a field is set that only one value of another one reads."""
        value = getattr(self, name)
        if value != getattr(TrainConfig, name) and getattr(self, other) != wanted:
            raise InputError(
                f"Received {name}={value!r} and {other}={getattr(self, other)!r}, which does not "
                f"read it, expected --{other}={wanted}, or no --{name}."
            )

    def to_json(self):
        """Returns the configuration as JSON text, one field a line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @property
    def source(self):
        """The arguments of `load_dataset`."""
        return self.dataset, self.data_dir, self.tfds_dir, self.image_size, self.num_classes

    def without_places(self):
        """Returns the fields as a dict, without those that say where the data lies.

        >>> "data_dir" in TrainConfig(data_dir="digits").without_places()
        False
        """
        fields = dataclasses.asdict(self)
        return {name: value for name, value in fields.items() if name not in PLACES}

    def differences(self, other):
        """Returns `['field: ours, theirs']` for each field that differs and has a part in the run.

        Where the data lies has none.

        >>> TrainConfig(seed=1).differences(TrainConfig())
        ['seed: 1, not 0']
        """
        return [
            f"{field.name}: {getattr(self, field.name)!r}, not {getattr(other, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(other, field.name) and field.name not in PLACES
        ]
