"""Arguments of cells, checked."""

import functools
import inspect
import numbers

import keras
import tensorflow as tf


def assert_like_rnncell(cell, name="cell"):
    """Raises `TypeError` unless `cell` has what the loops need.

    That is `output_size`, `state_size`, one of `zero_state` and `get_initial_state`, and a call.

    Source: `tensorflow/python/ops/rnn_cell_impl.py`, `assert_like_rnncell`.

    >>> assert_like_rnncell(3)
    Traceback (most recent call last):
    TypeError: Received cell=3 (int), which is not an RNNCell: it has no output_size, state_size, \
zero_state or get_initial_state, call. Pass a cell of rnn_mnist_tf.rnn_cell.
    """
    missing = [field for field in ("output_size", "state_size") if not _has(cell, field)]
    if not (_has(cell, "zero_state") or _has(cell, "get_initial_state")):
        missing.append("zero_state or get_initial_state")
    if not callable(cell) or isinstance(cell, type):
        missing.append("call")
    if missing:
        raise TypeError(
            f"Received {name}={cell!r} ({type(cell).__name__}), which is not an RNNCell: it has "
            f"no {', '.join(missing)}. Pass a cell of rnn_mnist_tf.rnn_cell."
        )


def _has(cell, field):
    try:
        getattr(cell, field)
    except (AttributeError, NotImplementedError):
        return False
    return True


@functools.cache
def takes_argument(function, argument):
    """Whether a function can be given an argument by name.

    >>> takes_argument(takes_argument, "function"), takes_argument(takes_argument, "training")
    (True, False)
    """
    parameters = inspect.signature(function).parameters.values()
    return any(one.name == argument or one.kind is one.VAR_KEYWORD for one in parameters)


def check_floating(tensor, name):
    """Raises `ValueError` if a tensor is not floating point.

    TF1 lets complex numbers pass, of which Keras would lose the imaginary part.

    >>> check_floating(tf.constant([[1]]), "inputs")
    Traceback (most recent call last):
    ValueError: RNN cell only supports floating point inputs. Received inputs of dtype int32, \
expected a float dtype; cast it first.
    """
    dtype = tf.as_dtype(tensor.dtype)
    if not dtype.is_floating:
        raise ValueError(
            "RNN cell only supports floating point inputs. "
            f"Received {name} of dtype {dtype.name}, expected a float dtype; cast it first."
        )


def check_training(training):
    """Returns None, True or False; 0 and other values that are false mean False.

    Raises:
        ValueError: a tensor whose value is not known before the run.

    >>> check_training(None), check_training(0), check_training(tf.constant(True))
    (None, False, True)
    """
    if training is None or isinstance(training, bool):
        return training
    value = tf.get_static_value(training) if isinstance(training, tf.Tensor) else training
    if value is None:
        raise ValueError(
            "Received training as a tensor whose value is known only when the graph runs, expected "
            "None, True or False. Trace one tf.function for each."
        )
    return bool(value)


def refuse_reuse(reuse):
    """Raises `ValueError` for a true `reuse`: here an object is its variables.

    >>> refuse_reuse(None)
    """
    if reuse:
        raise ValueError(
            f"Received reuse={reuse!r}, expected None or False. TF1 shared variables by name; "
            "here a cell owns its variables: call the same cell object again to share them."
        )


def check_units(value, name="num_units"):
    """Returns a size as an int. Raises `ValueError` unless it is a positive whole number.

    >>> check_units(128)
    128
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) <= 0:
        raise ValueError(f"Received {name}={value!r}, expected a positive integer.")
    return int(value)


def check_clip(value, name):
    """Returns a bound as a float, or None. Raises `ValueError` unless it is a number of at least 0.

    >>> check_clip(None, "cell_clip"), check_clip(50, "cell_clip")
    (None, 50.0)
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value >= 0:
        raise ValueError(f"Received {name}={value!r}, expected None or a number of at least 0.")
    return float(value)


_KERAS_ORDER = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer")
_TF1_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable")
_OF_GRAPHS = ("partitioner", "caching_device", "collections", "getter")
_WITHOUT_MEANING = ("use_resource", "synchronization")


def weight_options(arguments, options):
    """Returns the arguments of `add_weight` by name, from Keras's order or TF1's.

    Raises:
        TypeError: too many without a name; one by place and by name.
        ValueError: one of TF1's that says how a graph keeps a variable, such as a partitioner.

    >>> weight_options(("kernel", [3, 4]), {"partitioner": None})
    {'name': 'kernel', 'shape': [3, 4]}
    """
    order = _TF1_ORDER if arguments and isinstance(arguments[0], str) else _KERAS_ORDER
    if len(arguments) > len(order):
        raise TypeError(
            f"Received {len(arguments)} arguments without a name, expected at most {len(order)}: "
            f"{', '.join(order)}. Pass the others by name."
        )
    positional = dict(zip(order, arguments))
    twice = sorted({*positional} & {*options})
    if twice:
        raise TypeError(f"Received {', '.join(twice)} by place and by name, expected it once.")
    options = {**positional, **options}
    for name in _OF_GRAPHS:
        value = options.pop(name, None)
        if value is not None:
            raise ValueError(
                f"Received {name}={value!r}, expected None: a variable is kept whole, by its cell."
            )
    options = {name: value for name, value in options.items() if name not in _WITHOUT_MEANING}
    if options.get("trainable", True) is None:
        options["trainable"] = True  # TF1's default
    return options


def get_initializer(initializer, default):
    """Returns a Keras initialiser from a Keras name or object, or TensorFlow 1's own.

    TensorFlow 1's initialisers work as they are, but could not be saved: Keras's twins can.

    Args:
        initializer: a name, an initialiser, a function of shape and dtype, or None.
        default: taken in place of None.

    >>> get_initializer(tf.compat.v1.random_uniform_initializer(-0.1, 0.1), "zeros").maxval
    0.1
    """
    initializer = default if initializer is None else initializer
    kind = type(initializer)
    if kind.__module__.startswith("tensorflow.") and hasattr(keras.initializers, kind.__name__):
        config = initializer.get_config()
        for name in ("dtype", "partition_info", "verify_shape"):
            config.pop(name, None)
        if kind.__name__ == "RandomUniform" and config["maxval"] is None:
            config["maxval"] = 1.0  # TensorFlow's default for floating point
        return getattr(keras.initializers, kind.__name__)(**config)
    return keras.initializers.get(initializer)


# TensorFlow's own functions, and those of keras.ops, have no configuration; their twins in
# keras.activations compute the same. (keras.ops.gelu does not.)
_TWINS_IN_OPS = (
    *("celu", "elu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu"),
    *("log_sigmoid", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink"),
    *("softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax"),
    *("squareplus", "tanh", "tanh_shrink"),
)
_KERAS_ACTIVATIONS = {
    **{getattr(keras.ops, name): name for name in _TWINS_IN_OPS},
    tf.identity: "linear",
    tf.math.exp: "exponential",
    tf.math.sigmoid: "sigmoid",
    tf.math.softplus: "softplus",
    tf.math.tanh: "tanh",
    tf.nn.elu: "elu",
    tf.nn.gelu: "gelu",
    tf.nn.leaky_relu: "leaky_relu",
    tf.nn.relu: "relu",
    tf.nn.relu6: "relu6",
    tf.nn.selu: "selu",
    tf.nn.silu: "silu",  # which tf.nn.swish is
    tf.nn.softsign: "softsign",
}


def hard_sigmoid(x):
    """Returns TF1's `clip(0.2 x + 0.5, 0, 1)`; `keras.activations.hard_sigmoid` has `x / 6 + 0.5`.

    >>> round(float(hard_sigmoid(1.0)), 4), round(float(keras.activations.hard_sigmoid(1.0)), 4)
    (0.7, 0.6667)
    """
    return tf.clip_by_value(0.2 * tf.convert_to_tensor(x) + 0.5, 0, 1)


def get_activation(activation):
    """Returns an activation from a callable, a name or nothing, which means tanh.

    A name is Keras's, but `hard_sigmoid`, of which Keras 3 has another than TF1, is TF1's.

    >>> get_activation(None) is keras.activations.tanh, get_activation("relu").__name__
    (True, 'relu')
    """
    if not activation:
        return keras.activations.tanh
    if activation == "hard_sigmoid":
        return hard_sigmoid
    if callable(activation):
        activation = _KERAS_ACTIVATIONS.get(activation, activation)
    return keras.activations.get(activation)


def serialize_activation(activation):
    """Returns what a configuration holds of an activation.

    Raises:
        ValueError: a user's function with the name of one of Keras's, which would be loaded in its
            place.

    >>> serialize_activation(keras.activations.relu)
    'relu'
    """
    if activation is hard_sigmoid:
        return "hard_sigmoid"
    if activation is keras.activations.hard_sigmoid:
        return keras.saving.serialize_keras_object(activation)
    serialized = keras.activations.serialize(activation)
    if isinstance(serialized, str) and activation is not keras.activations.get(serialized):
        raise ValueError(
            f"Received activation={activation!r}, expected a name that Keras has not: "
            f"{serialized!r} would be loaded as Keras's own. Rename it, or register it with "
            "keras.saving.register_keras_serializable."
        )
    return serialized
