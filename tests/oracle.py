"""The oracle: TensorFlow 1's own cells and loops in a graph, and the same nests of ours.

TensorFlow 2 still ships the original cells privately. `run_oracle` and `run_ours` build the same
nest from a `Configuration`, give both the same numbers and return what came out of each.
"""

import dataclasses
import random
import typing
import warnings

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import rnn_cell as tf1_rnn_cell

import rnn_mnist_tf
from tests.modes import traced

RELATIVE_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
ACTIVATIONS = {"tf.nn.relu": tf.nn.relu, "tf.tanh": tf.tanh}


@dataclasses.dataclass(frozen=True)
class Component:
    """A class of the cell module and the keyword arguments it is made with."""

    name: str
    arguments: tuple = ()

    def make(self, module, *positional):
        """Returns the cell or wrapper, made from either module."""
        arguments = {key: ACTIVATIONS.get(value, value) for key, value in self.arguments}
        return getattr(module, self.name)(*positional, **arguments)

    def __str__(self):
        return f"{self.name}({','.join(f'{key}={value}' for key, value in self.arguments)})"


def component(name, **arguments):
    """Returns a `Component`."""
    return Component(name, tuple(arguments.items()))


def run_dynamic_rnn(library, cells, inputs, lengths, initial_states, configuration):
    """Runs `dynamic_rnn` of either library: the loop of a `Configuration` by default."""
    return library.dynamic_rnn(
        *cells,
        inputs,
        lengths,
        *initial_states,
        dtype=configuration.loop_dtype,
        time_major=configuration.time_major,
        **configuration.options_of(library),
    )


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A nest of cells and what it is run on.

    Attributes:
        layers: for each layer a tuple of `Component`: the cell, then the wrappers around it.
        wrappers: the wrappers around the whole nest.
        stacked: whether the layers are in a `MultiRNNCell`.
        state_is_tuple: of the `MultiRNNCell`.
        lengths: None or the sequence lengths.
        loop: a function `(library, cells, inputs, lengths, initial_states, configuration)` that
            returns `(outputs, state)`; the state of two directions is a pair.
        directions: how many cells the loop takes.
        options: pairs, arguments of the loop that only this package has.
        seed: of all numbers.
    """

    layers: tuple
    wrappers: tuple = ()
    stacked: bool = False
    state_is_tuple: bool = True
    batch: int = 3
    time: int = 5
    depth: int = 4
    lengths: tuple | None = None
    time_major: bool = False
    initial_state: bool = False
    dtype: str = "float32"
    loop: typing.Callable = run_dynamic_rnn
    directions: int = 1
    options: tuple = ()
    seed: int = 0

    @property
    def loop_dtype(self):
        """The dtype that the loop is told: none where the initial state tells it."""
        return None if self.initial_state else tf.as_dtype(self.dtype)

    @property
    def inputs_shape(self):
        """The shape of the inputs."""
        if self.time_major:
            return self.time, self.batch, self.depth
        return self.batch, self.time, self.depth

    def options_of(self, library):
        """Returns the loop's extra arguments: none for the oracle."""
        return dict(self.options) if library is rnn_mnist_tf else {}

    def __str__(self):
        layers = ">".join("+".join(map(str, layer)) for layer in self.layers)
        text = f"Multi({layers})" if self.stacked else layers
        text = "+".join([text, *map(str, self.wrappers)])
        parts = [text, f"b{self.batch}t{self.time}d{self.depth}", self.dtype]
        if self.lengths is not None:
            parts.append(f"lengths={','.join(map(str, self.lengths))}")
        flags = {
            "concatenated": not self.state_is_tuple,
            "time_major": self.time_major,
            "initial_state": self.initial_state,
        }
        parts += [name for name, flag in flags.items() if flag]
        parts += [str(value) for _, value in self.options]
        return "-".join([*parts, f"seed{self.seed}"])


class Numbers(typing.NamedTuple):
    """What both sides are given: `initial_state` flat or None, `weights` by TF1's names."""

    inputs: np.ndarray
    initial_state: list | None
    weights: dict


class Result(typing.NamedTuple):
    """What came out, as NumPy arrays in the structure that the loop returned.

    `gradients` holds those of the inputs, of the leaves of the initial state and of the variables,
    by name, of the loss of `weighted_sum`.
    """

    outputs: typing.Any
    state: typing.Any
    gradients: dict


def make_cell(module, configuration):
    """Returns the nest of cells, made from the oracle's module or from ours."""
    layers = []
    for cell, *wrappers in configuration.layers:
        layers.append(_wrap(module, cell.make(module), wrappers))
    nest = layers[0]
    if configuration.stacked:
        nest = module.MultiRNNCell(layers, state_is_tuple=configuration.state_is_tuple)
    return _wrap(module, nest, configuration.wrappers)


def _wrap(module, cell, wrappers):
    for wrapper in wrappers:
        cell = wrapper.make(module, cell)
    return cell


def _make_cells(module, configuration):
    return [make_cell(module, configuration) for _ in range(configuration.directions)]


def build_ours(configuration):
    """Returns our cells, built by a run over zeros."""
    cells = _make_cells(rnn_mnist_tf.rnn_cell, configuration)
    inputs = tf.zeros(configuration.inputs_shape, configuration.dtype)
    leaves = None
    if configuration.initial_state:
        sizes = tf.nest.flatten([cell.state_size for cell in cells])
        leaves = [tf.zeros([configuration.batch, size], configuration.dtype) for size in sizes]
    _run_loop(rnn_mnist_tf, cells, inputs, configuration.lengths, leaves, configuration)
    return cells


def variables_of(cells):
    """Returns the variables of our cells by TF1's names."""
    return {name: v for cell in cells for name, v in cell.tf1_variables().items()}


def draw_numbers(configuration, cells):
    """Returns random `Numbers` for our built cells; no weight is zero, biases neither."""
    generator = np.random.default_rng(configuration.seed)

    def draw(shape, scale=1.0):
        return (scale * generator.standard_normal(shape)).astype(configuration.dtype)

    inputs = draw(configuration.inputs_shape)
    initial_state = None
    if configuration.initial_state:
        sizes = tf.nest.flatten([cell.state_size for cell in cells])
        initial_state = [draw((configuration.batch, size), 0.5) for size in sizes]
    weights = {}
    for name, variable in variables_of(cells).items():
        shape = tuple(variable.shape)
        weights[name] = draw(shape, shape[0] ** -0.5 if len(shape) == 2 else 0.5)
    return Numbers(inputs, initial_state, weights)


def _run_loop(library, cells, inputs, lengths, leaves, configuration):
    """Runs the loop from the flat leaves of the initial state, or from none."""
    states = [None] * len(cells)
    if leaves is not None:
        states = tf.nest.pack_sequence_as([cell.state_size for cell in cells], leaves)
    if lengths is not None:
        lengths = tf.convert_to_tensor(lengths, tf.int32)
    return configuration.loop(library, cells, inputs, lengths, states, configuration)


def weighted_sum(structure, seed):
    """Returns the loss: all tensors of a structure summed under fixed random weights.

    The weights are positive, so that gradients are not differences of large numbers.
    """
    generator = np.random.default_rng(seed)
    terms = []
    for leaf in tf.nest.flatten(structure):
        weights = generator.uniform(0.5, 1.5, leaf.shape).astype(leaf.dtype.as_numpy_dtype)
        terms.append(tf.reduce_sum(weights * leaf))
    return tf.add_n(terms)


def _gradient_names(numbers):
    leaves = range(len(numbers.initial_state or []))
    return ["inputs", *(f"initial_state leaf {leaf}" for leaf in leaves), *numbers.weights]


def run_oracle(configuration, numbers, checkpoint=None):
    """Returns the `Result` of TensorFlow 1's cells, run by its loop in a graph.

    With a path, TensorFlow 1's `Saver` writes the weights there.
    """
    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = _make_cells(tf1_rnn_cell, configuration)
        inputs = tf.constant(numbers.inputs)
        leaves = numbers.initial_state and [tf.constant(leaf) for leaf in numbers.initial_state]
        outputs, state = _run_loop(
            tf.compat.v1.nn, cells, inputs, configuration.lengths, leaves, configuration
        )
        variables = {v.op.name: v for v in tf.compat.v1.global_variables()}
        _assert_same_variables(numbers.weights, variables)
        loss = weighted_sum((outputs, state), configuration.seed)
        sources = [inputs, *(leaves or []), *(variables[name] for name in numbers.weights)]
        gradients = tf.gradients(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        with tf.compat.v1.Session() as session:
            for name, value in numbers.weights.items():
                variables[name].load(value, session)
            if checkpoint:
                tf.compat.v1.train.Saver().save(session, str(checkpoint))
            outputs, state, gradients = session.run((outputs, state, gradients))
    return Result(outputs, state, dict(zip(_gradient_names(numbers), gradients)))


def _assert_same_variables(ours, oracle):
    ours = {name: tuple(value.shape) for name, value in ours.items()}
    oracle = {name: tuple(variable.shape.as_list()) for name, variable in oracle.items()}
    assert ours == oracle, f"our variables are {ours}, the oracle's are {oracle}"


def run_ours(configuration, cells, numbers, in_graph=False):
    """Returns the `Result` of our built cells, eager or inside `tf.function`."""
    variables = variables_of(cells)
    for name, value in numbers.weights.items():
        variables[name].assign(value)
    inputs = tf.constant(numbers.inputs)
    leaves = numbers.initial_state and [tf.constant(leaf) for leaf in numbers.initial_state]
    lengths = configuration.lengths and tf.constant(configuration.lengths)

    def compute(inputs, lengths, leaves):
        sources = [inputs, *(leaves or []), *(variable.value for variable in variables.values())]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs, state = _run_loop(rnn_mnist_tf, cells, inputs, lengths, leaves, configuration)
            loss = weighted_sum((outputs, state), configuration.seed)
        gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return outputs, state, [tf.convert_to_tensor(gradient) for gradient in gradients]

    compute = traced(compute, in_graph)
    result = compute(inputs, lengths, leaves)
    outputs, state, gradients = tf.nest.map_structure(lambda tensor: tensor.numpy(), result)
    return Result(outputs, state, dict(zip(_gradient_names(numbers), gradients)))


def describe(structure):
    """Returns a text of a structure: the type names of its containers, dtypes and shapes."""
    if isinstance(structure, (list, tuple)):
        return f"{type(structure).__name__}({', '.join(map(describe, structure))})"
    return f"{structure.dtype}{list(structure.shape)}"


def assert_close(ours, oracle, path):
    """Asserts max |ours - oracle| <= tolerance * max |oracle|, for the tensor at `path`."""
    assert ours.shape == oracle.shape, f"{path}: ours {ours.shape}, the oracle {oracle.shape}"
    assert ours.dtype == oracle.dtype, f"{path}: ours {ours.dtype}, the oracle {oracle.dtype}"
    largest = np.max(np.abs(oracle), initial=0.0)
    difference = np.max(np.abs(ours - oracle), initial=0.0)
    allowed = RELATIVE_TOLERANCE[oracle.dtype.name] * largest
    assert difference <= allowed, (
        f"{path}: max |ours - oracle| is {difference:.3e}, allowed are {allowed:.3e} "
        f"for max |oracle| of {largest:.3e}"
    )


def assert_same_result(ours, oracle):
    """Asserts the same structures and, within the tolerance, the same numbers everywhere."""
    for part in ("outputs", "state"):
        our_part, oracle_part = getattr(ours, part), getattr(oracle, part)
        assert describe(our_part) == describe(oracle_part), part
        leaves = zip(tf.nest.flatten(our_part), tf.nest.flatten(oracle_part))
        for index, (our_leaf, oracle_leaf) in enumerate(leaves):
            assert_close(our_leaf, oracle_leaf, f"{part} leaf {index}")
    for name, gradient in oracle.gradients.items():
        assert_close(ours.gradients[name], gradient, f"gradient of {name}")


def assert_parity(configuration, in_graph=False):
    """Asserts that our cells and loop give what the oracle gives."""
    cells = build_ours(configuration)
    numbers = draw_numbers(configuration, cells)
    oracle = run_oracle(configuration, numbers)
    assert_same_result(run_ours(configuration, cells, numbers, in_graph), oracle)


def configurations(number, seed):
    """Returns random, valid and varied `Configuration`s of cells under `dynamic_rnn`."""
    chooser = random.Random(seed)
    return [_draw_configuration(chooser, seed * 10_000 + index) for index in range(number)]


def _draw_configuration(chooser, seed):
    depth = width = chooser.choice([2, 3, 4, 5])
    number_of_layers = chooser.choice([1, 1, 2, 3])
    stacked = number_of_layers > 1 or chooser.random() < 0.3
    concatenated = chooser.random() < 0.2
    plain = not concatenated and chooser.random() < 0.4
    layers = []
    for _ in range(number_of_layers):
        if plain:
            layer, width = _draw_plain_layer(chooser)
        else:
            layer, width = _draw_layer(chooser, width, concatenated)
        layers.append(layer)
    outer_residual = width == depth and not plain and chooser.random() < 0.3
    time, batch = chooser.randint(1, 6), chooser.randint(1, 4)
    lengths = None
    if chooser.random() < 0.65:
        lengths = tuple(
            chooser.choice([0, time, chooser.randint(0, time + 2)]) for _ in range(batch)
        )
    return Configuration(
        layers=tuple(layers),
        wrappers=(component("ResidualWrapper"),) if outer_residual else (),
        stacked=stacked,
        state_is_tuple=not (stacked and concatenated),
        batch=batch,
        time=time,
        depth=depth,
        lengths=lengths,
        time_major=chooser.random() < 0.4,
        initial_state=chooser.random() < 0.5,
        dtype=chooser.choice(["float32", "float32", "float64"]),
        options=(("implementation", "loop"),) if chooser.random() < 0.3 else (),
        seed=seed,
    )


def _draw_plain_layer(chooser):
    """Returns an LSTM cell that a whole-sequence kernel can run, and the width of its output."""
    units = chooser.choice([2, 3, 4, 5])
    arguments = {"num_units": units, "forget_bias": chooser.choice([0.0, 1.0, 2.0])}
    if chooser.random() < 0.4:
        return (component("LSTMCell", **arguments, use_peepholes=True),), units
    return (component(chooser.choice(["BasicLSTMCell", "LSTMCell"]), **arguments),), units


def _draw_layer(chooser, width, concatenated):
    """Returns a cell with its wrappers, for inputs of a width, and the width of its output."""
    kind = chooser.choice(["BasicRNNCell", "GRUCell", "BasicLSTMCell", "LSTMCell", "LSTMCell"])
    arguments = {"num_units": chooser.choice([width, 2, 3, 5])}
    if kind == "LSTMCell":
        arguments |= {
            "use_peepholes": chooser.random() < 0.5,
            "cell_clip": chooser.choice([None] * 6 + [0.3] * 4 + [0.1, 0.0]),
            "num_proj": chooser.choice([None, None, width, 2, 4]),
            "proj_clip": chooser.choice([None, 0.2]),
        }
    if kind in ("BasicLSTMCell", "LSTMCell"):
        arguments["forget_bias"] = chooser.choice([None, 0.0, 0.5, 2.0])
        arguments["state_is_tuple"] = None if chooser.random() < 0.85 else False
        if concatenated:
            arguments["state_is_tuple"] = False
    arguments["activation"] = chooser.choice([None, None, "relu", "tf.nn.relu", "tf.tanh"])
    arguments = {key: value for key, value in arguments.items() if value is not None}
    output = arguments.get("num_proj", arguments["num_units"])
    layer = [component(kind, **arguments)]
    if output == width and chooser.random() < 0.5:
        layer.append(component("ResidualWrapper"))
    return tuple(layer), output
