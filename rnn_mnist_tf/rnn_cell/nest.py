"""Nested structures of state sizes and state tensors."""

import tensorflow as tf


def size_to_shape(size):
    """Returns the per-row shape, a list, that one entry of `state_size` stands for.

    Args:
        size: int or `tf.TensorShape`. An int `n` means rows of shape `[n]`.

    Raises:
        TypeError: if `size` is neither.

    >>> size_to_shape(3), size_to_shape(tf.TensorShape([2, 3])), size_to_shape(tf.TensorShape([]))
    ([3], [2, 3], [])
    """
    if isinstance(size, tf.TensorShape):
        return size.as_list()
    if isinstance(size, int) and not isinstance(size, bool):
        return [size]
    if hasattr(size, "__index__") and not isinstance(size, bool):
        return [int(size)]
    raise TypeError(f"Received size={size!r}, expected an int or a tf.TensorShape.")


def sizes_to_shapes(sizes, *lead):
    """Returns the shapes of rows, nested like their sizes, behind leading dimensions.

    >>> sizes_to_shapes([3, tf.TensorShape([2, 3])], None)
    [(None, 3), (None, 2, 3)]
    """
    return tf.nest.map_structure(lambda size: (*lead, *size_to_shape(size)), sizes)


def plain_size(size):
    """Returns a size as an int where one will do, and as a `tf.TensorShape` elsewhere.

    Raises:
        TypeError: if `size` is neither.

    >>> plain_size(tf.TensorShape([3])), plain_size(tf.TensorShape([2, 3]))
    (3, TensorShape([2, 3]))
    """
    shape = size_to_shape(size)
    return shape[0] if len(shape) == 1 else tf.TensorShape(shape)


def map_shapes(function, shapes):
    """Applies a function to each shape of a nest, in which a shape is a sequence of sizes.

    >>> map_shapes(len, {"left": [(None, 3), (None, 4, 5)]})
    {'left': [2, 3]}
    """
    parts = list(shapes.values()) if isinstance(shapes, dict) else list(shapes)
    if isinstance(shapes, dict) or any(isinstance(part, (dict, list, tuple)) for part in parts):
        return rebuild(shapes, [map_shapes(function, part) for part in parts])
    return function(shapes)


def first_shape(shapes):
    """Returns the first shape of a nest, in which a shape is a sequence of sizes.

    >>> first_shape({"left": [(None, 3), (None, 4)]})
    (None, 3)
    """
    first = []
    map_shapes(first.append, shapes)
    return first[0]


def sizes_to_config(sizes):
    """Returns a nest of sizes in the types that JSON has. See `sizes_from_config`.

    >>> sizes_to_config([3, tf.TensorShape([2, 3])])
    [3, {'tensor_shape': [2, 3]}]
    """

    def to_config(size):
        return {"tensor_shape": size.as_list()} if isinstance(size, tf.TensorShape) else size

    return tf.nest.map_structure(to_config, sizes)


def sizes_from_config(config):
    """Returns the nest of sizes that `sizes_to_config` was given.

    >>> sizes_from_config([3, {"tensor_shape": [2, 3]}])
    [3, TensorShape([2, 3])]
    """
    if not tf.nest.is_nested(config):
        return config
    if isinstance(config, dict) and set(config) == {"tensor_shape"}:
        return tf.TensorShape(config["tensor_shape"])
    children = config.values() if isinstance(config, dict) else config
    return rebuild(config, [sizes_from_config(child) for child in children])


def child_path(path, structure, key):
    """Returns the path of a child: `state[0]`, `state[0].c`, `state['name']`.

    >>> child_path("state", (1, 2), 0)
    'state[0]'
    """
    fields = getattr(structure, "_fields", None)
    if fields is not None:
        return f"{path}.{fields[key]}"
    return f"{path}[{key!r}]"


def rebuild(structure, children):
    """Returns a structure of the same type as `structure` with other children.

    >>> rebuild((1, 2), [3, 4])
    (3, 4)
    """
    if isinstance(structure, dict):
        return type(structure)(zip(structure, children))
    if hasattr(structure, "_fields"):
        return type(structure)(*children)
    return tuple(children) if isinstance(structure, tuple) else list(children)


def pack_state_as(state_size, state, name="state"):
    """Returns `state` in the structure of `state_size`, container types included.

    Lists and plain tuples are taken where `state_size` has a tuple or a namedtuple of the same
    length, and a container of one entry where it has a bare size: that is how
    `keras.layers.RNN` hands states to a cell.

    Args:
        state_size: an int, a `tf.TensorShape` or a nest of these.
        state: a tensor or a nest of tensors.
        name: what error messages call `state`.

    Raises:
        ValueError: if the structures cannot be matched; the message holds the path.

    >>> from rnn_mnist_tf import LSTMStateTuple
    >>> pack_state_as((LSTMStateTuple(2, 2), 3), [["c", "h"], ["s"]])
    (LSTMStateTuple(c='c', h='h'), 's')
    """
    if not tf.nest.is_nested(state_size):
        while isinstance(state, (list, tuple)) and len(state) == 1:
            state = state[0]
        if tf.nest.is_nested(state):
            raise ValueError(
                f"Received a nested {name} ({describe(state)}), expected one tensor of size "
                f"{state_size}: the cell has a bare state. Pass the tensor itself."
            )
        return state
    keys = list(state_size) if isinstance(state_size, dict) else range(len(state_size))
    matches = (
        isinstance(state, dict) and set(state) == set(keys)
        if isinstance(state_size, dict)
        else isinstance(state, (list, tuple)) and len(state) == len(state_size)
    )
    if not matches:
        raise ValueError(
            f"Received {name} of structure {describe(state)}, expected {name} to be a tuple of "
            f"length {len(state_size)} like state_size={state_size}. Expected state to be a tuple "
            f"of length {len(state_size)}; make one with cell.zero_state(batch_size, dtype)."
        )
    children = [
        pack_state_as(state_size[key], state[key], child_path(name, state_size, key))
        for key in keys
    ]
    return rebuild(state_size, children)


def describe(structure):
    """Returns a one-line text of a structure: shapes and dtypes in place of tensors.

    >>> describe((tf.zeros([2, 3]), 1))
    '(float32[2, 3], 1)'
    """
    if isinstance(structure, dict):
        inner = ", ".join(f"{key!r}: {describe(value)}" for key, value in structure.items())
        return "{" + inner + "}"
    if isinstance(structure, (list, tuple)):
        values = [describe(value) for value in structure]
        fields = getattr(structure, "_fields", None)
        if fields is not None:
            pairs = ", ".join(f"{field}={value}" for field, value in zip(fields, values))
            return f"{type(structure).__name__}({pairs})"
        if isinstance(structure, list):
            return "[" + ", ".join(values) + "]"
        return "(" + ", ".join(values) + ("," if len(values) == 1 else "") + ")"
    if hasattr(structure, "shape") and hasattr(structure, "dtype"):
        dtype = getattr(structure.dtype, "name", structure.dtype)
        shape = structure.shape
        if not isinstance(shape, tf.TensorShape):
            return f"{dtype}{list(shape)}"
        return f"{dtype}{shape.as_list() if shape.rank is not None else '[...]'}"
    return repr(structure)


def paths(structure, name="state"):
    """Returns the paths of all leaves, in the order of `tf.nest.flatten`.

    >>> paths((1, (2, 3)))
    ['state[0]', 'state[1][0]', 'state[1][1]']
    """
    if not tf.nest.is_nested(structure):
        return [name]
    keys = sorted(structure) if isinstance(structure, dict) else range(len(structure))
    return [
        leaf for key in keys for leaf in paths(structure[key], child_path(name, structure, key))
    ]
