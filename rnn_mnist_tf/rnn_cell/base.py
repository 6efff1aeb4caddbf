"""The contract of a cell."""

import contextlib
import copy
import random

import keras
import tensorflow as tf

from rnn_mnist_tf.rnn_cell import nest
from rnn_mnist_tf.rnn_cell.call_context import reading_as, told_training, training_within
from rnn_mnist_tf.rnn_cell.checks import (
    check_training,
    get_initializer,
    refuse_reuse,
    takes_argument,
    weight_options,
)
from rnn_mnist_tf.rnn_cell.copies import deep_copy_of
from rnn_mnist_tf.rnn_cell.tf1_names import by_name, named_inside, snake_case

PACKAGE = "rnn_mnist_tf"


def is_mixed(policy):
    """Whether a Keras dtype policy, or a layer, computes in another dtype than its variables'.

    >>> is_mixed(keras.DTypePolicy("mixed_float16")), is_mixed(keras.DTypePolicy("float16"))
    (True, False)
    """
    return policy.compute_dtype != policy.variable_dtype


class RNNCell(keras.layers.Layer):
    """One step of a recurrent network: `(output, next_state) = cell(inputs, state)`.

    A subclass gives `state_size`, `output_size`, `build(inputs_shape)`, which is given a tuple and
    makes every variable once, and `call(inputs, state)`, which applies a pure step function to
    them.

    Shapes: inputs `[batch, input_size]`; output `[batch, output_size]`; a state is a nest of
    tensors `[batch, size]` with the structure of `state_size`. A bare size means a bare tensor.

    Args:
        trainable: bool, whether the variables are trained.
        name: the cell's scope in `tf1_variables`; the class name in snake case if None.
        dtype: the dtype of the variables and of the arithmetic. None means the dtype of the first
            inputs, as in TF1, or Keras's policy where a mixed one is set.
        tf1_scope: the `scope` of the step that made the variables, which configurations hold.

    Raises:
        ValueError: a state of another structure; a true `_reuse`, TF1's argument, which is taken
            from cells that hand it on.

    A cell works inside `keras.layers.RNN` too, as far as that carries its structures: one output of
    one size, a state that is a tensor or a nest of tuples, and no nest with `stateful=True`.

    Source: `tf.nn.rnn_cell.RNNCell` of TensorFlow 1.

    >>> from rnn_mnist_tf.rnn_cell import GRUCell
    >>> cell = GRUCell(4)
    >>> output, state = cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
    >>> output.shape, cell.state_size
    (TensorShape([2, 4]), 4)
    """

    def __new__(cls, *arguments, **options):
        """Makes the object; of the arguments Keras keeps what a configuration can hold."""
        if isinstance(options.get("dtype"), tf.DType):
            options["dtype"] = options["dtype"].name
        cell = super().__new__(cls, *arguments, **options)
        cell.__dict__["_made_with"] = arguments, options  # past Keras, which would track them
        return cell

    def __deepcopy__(self, memo):
        """See `deep_copy_of`."""
        return deep_copy_of(self, memo)

    def __init__(
        self, trainable=True, name=None, dtype=None, *, tf1_scope=None, _reuse=None, **kwargs
    ):
        refuse_reuse(_reuse)
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._has_own_name = name is not None
        self._own_scope = tf1_scope
        self._takes_dtype_of_inputs = dtype is None
        self._scope = None
        self._built_depth = None

    def finish_init(self):
        """Makes up for a constructor that did not call this class's: in TF1 it need not."""
        if "_built_depth" not in self.__dict__:
            RNNCell.__init__(self)

    @property
    def state_size(self):
        """The size of the state: an int, a `tf.TensorShape` or a nest of these."""
        raise NotImplementedError(f"{type(self).__name__} must define state_size.")

    @property
    def output_size(self):
        """The size of the output: an int, a `tf.TensorShape` or a nest of these."""
        raise NotImplementedError(f"{type(self).__name__} must define output_size.")

    @property
    def wrapped_cells(self):
        """The cells inside this one, a list: those that it holds, in layers of its too."""
        return _cells_inside(self)

    @property
    def _inner_cells(self):
        """Of the cells inside, those that are of this kind."""
        cells = [cell for cell in self.wrapped_cells if isinstance(cell, RNNCell)]
        for cell in cells:
            cell.finish_init()
        return cells

    def zero_state(self, batch_size, dtype):
        """Returns zeros `[batch] + size` in the structure of `state_size`.

        Args:
            batch_size: an int or an integer scalar tensor.
            dtype: the dtype of the zeros.
        """

        def zeros(size):
            return tf.zeros([batch_size, *nest.size_to_shape(size)], tf.as_dtype(dtype))

        return tf.nest.map_structure(zeros, self.state_size)

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Returns `zero_state` for the batch and dtype of `inputs`, or for those given.

        Without inputs and dtype the cell's own dtype is taken, as `keras.layers.RNN` expects.

        Raises:
            ValueError: neither `inputs` nor `batch_size`, or two that disagree.
        """
        if inputs is not None:
            inputs = tf.convert_to_tensor(inputs)
            static = inputs.shape[0]
            if isinstance(batch_size, int) and static is not None and static != batch_size:
                raise ValueError(
                    "batch size from input tensor is different from the input param. "
                    f"Received batch_size={batch_size}, expected {static}."
                )
            if dtype is not None and inputs.dtype != tf.as_dtype(dtype):
                raise ValueError(
                    "dtype from input tensor is different from the input param. "
                    f"Received dtype={tf.as_dtype(dtype).name}, expected {inputs.dtype.name}."
                )
            batch_size = static if static is not None else tf.shape(inputs)[0]
            dtype = inputs.dtype
        if batch_size is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state. "
                f"Received batch_size={batch_size}, dtype={dtype}; pass inputs or batch_size."
            )
        if inputs is None and dtype is None and not isinstance(self.output_size, int):
            raise ValueError(  # only Keras's own loop asks so
                f"keras.layers.RNN carries one output of one size. Received a cell with "
                f"output_size={self.output_size}, expected an int. Use rnn_mnist_tf.DynamicRNN."
            )
        return self.zero_state(batch_size, self.compute_dtype if dtype is None else dtype)

    @contextlib.contextmanager
    def run_scope(self, batch_size, inputs_shape, training=None):
        """Surrounds one run of a loop: what is drawn once a run is drawn on entry.

        Args:
            batch_size: an int or a scalar tensor.
            inputs_shape: the static shape of one step's inputs, batch first.
            training: as the steps are given it.
        """
        with contextlib.ExitStack() as stack:
            for cell in self._inner_cells:
                stack.enter_context(cell.run_scope(batch_size, inputs_shape, training))
            yield

    def adopt_dtype(self, dtype):
        """Sets the dtype of a cell that was made without one and has no variables yet.

        Args:
            dtype: a dtype or a Keras policy. A mixed policy of the cell or of one inside stays.
        """
        for cell in self._inner_cells:
            cell.adopt_dtype(dtype)
        if self._takes_dtype_of_inputs and not self.built:
            policies = [cell.dtype_policy for cell in (self, *self._inner_cells)]
            mixed = [policy for policy in policies if is_mixed(policy)]
            if not mixed and not isinstance(dtype, keras.DTypePolicy):
                dtype = tf.as_dtype(dtype).name
            self.dtype_policy = mixed[0] if mixed else dtype
            self._takes_dtype_of_inputs = False

    def __call__(self, inputs, state, scope=None, training=None):
        """Runs one step.

        Args:
            inputs: `[batch, input_size]`, floating point.
            state: a nest of tensors like `state_size`; see `nest.pack_state_as` for what is taken.
            scope: names the cell in `tf1_variables`, in place of its name, if this step makes the
                variables.
            training: None, True or False, for `call` if it takes it, and for the layers inside.

        Returns:
            `(output, next_state)`.
        """
        self.finish_init()
        training = check_training(training)
        inputs = tf.nest.map_structure(_as_tensor, inputs)
        state = nest.pack_state_as(self.state_size, tf.nest.map_structure(_as_tensor, state))
        self.check_step(inputs, state)
        if scope is not None:
            self.take_scope(getattr(scope, "name", scope))
        first = tf.nest.flatten(inputs)[0]
        if first.dtype != self.compute_dtype and tf.as_dtype(first.dtype).is_floating:
            self.adopt_dtype(first.dtype)
        if any(isinstance(leaf, tf.TensorArray) for leaf in tf.nest.flatten(state)):
            return self._call_with_arrays(inputs, state, training)
        options = {} if training is None else {"training": training}
        return super().__call__(inputs, state, **options)

    def _call_with_arrays(self, inputs, state, training):
        """Runs a step whose state Keras would not take: it knows tensors alone."""
        if is_mixed(self):
            raise ValueError(
                f"Received a state with a tf.TensorArray for {self.name} with the policy "
                f"{self.dtype_policy.name}, expected one dtype. Make the cell with dtype='float32'."
            )
        if not self.built:
            self.build(tf.nest.map_structure(lambda leaf: tuple(leaf.shape), inputs))
        training = told_training() if training is None else training
        taken = training is not None and takes_argument(type(self).call, "training")
        with training_within(training), reading_as(self.compute_dtype):
            return self.call(inputs, state, **({"training": training} if taken else {}))

    def check_step(self, inputs, state, name="state"):
        """Raises `ValueError` for inputs or a state, called `name`, that the cell cannot take.

        Of both only shapes and dtypes are looked at.
        """
        del inputs, state, name  # any cell takes anything; `LayerRNNCell` is strict

    def add_weight(self, *arguments, **options):
        """Adds a variable; an initialiser without seed draws other numbers for each, as in TF1.

        One with a `keras.random.SeedGenerator` draws on from it. A name may have slashes, as in
        TF1: `tf1_named_variables` has it so, and Keras's name of the variable has `_` for each.

        Args:
            arguments: in Keras's order (shape, initializer, dtype, ...), or in TF1's if the first
                is a name (name, shape, dtype, initializer, regularizer, trainable).
            options: the same by name.
        """
        options = weight_options(arguments, options)
        initializer = get_initializer(options.pop("initializer", None), None)
        if getattr(initializer, "_init_seed", 0) is None:
            initializer = copy.copy(initializer)
            initializer.seed = random.randint(1, 10**9)  # as Keras draws it
        name = options.pop("name", None)
        plain_name = name and name.replace("/", "_")
        variable = super().add_weight(initializer=initializer, name=plain_name, **options)
        number = len(self._trainable_variables) + len(self._non_trainable_variables)
        self._track_trackable(variable, f"weight_{number}")  # if it goes into a list or nowhere
        if name != plain_name:
            self.__dict__.setdefault("_slashed_names", {})[variable.name] = name
        return variable

    def add_variable(self, *arguments, **options):
        """See `add_weight`, of which this is TF1's other name."""
        return self.add_weight(*arguments, **options)

    def _trackable_children(self, *arguments, **options):
        """What `tf.train.Checkpoint` holds: cells and layers in lists and dicts too.

        Keras keeps these in types of its own, which TensorFlow does not look into.
        """
        children = super()._trackable_children(*arguments, **options)
        seen = {id(child) for child in children.values()}
        inner = self._flatten_layers(include_self=False, recursive=False)
        hidden = [layer for layer in inner if id(layer) not in seen]
        return {**children, **{f"layer_{index}": layer for index, layer in enumerate(hidden)}}

    def build(self, inputs_shape):
        """Makes the variables; a cell without any has nothing to do."""
        del inputs_shape

    def compute_output_shape(self, inputs_shape):
        """Returns the shapes of `(output, next_state)`."""
        batch = nest.first_shape(inputs_shape)[0]
        return self.step_output_shape(inputs_shape), nest.sizes_to_shapes(self.state_size, batch)

    def step_output_shape(self, inputs_shape):
        """Returns the shape of a step's output, nested like it, for inputs of a shape."""
        return nest.sizes_to_shapes(self.output_size, nest.first_shape(inputs_shape)[0])

    @property
    def tf1_scope(self):
        """The scope that TF1 gives the cell's variables."""
        if self._own_scope is not None:
            return self._own_scope
        return self.name if self._has_own_name else snake_case(type(self).__name__)

    def take_scope(self, scope):
        """Names the variables by the scope of the step that makes them; later ones do nothing."""
        if not self.built:
            self._own_scope = scope

    def tf1_named_variables(self):
        """Returns `[(name, variable)]` with TF1's names below the scope of the loop.

        They are the names that `add_weight` was given, and below the cell's scope those of the
        cells and, by their names, the layers inside. See `tf1_variables` for the whole names.
        """
        return [(f"{self.tf1_scope}/{name}", variable) for name, variable in named_inside(self)]

    def tf1_variables(self, scope=None):
        """Returns the cell's variables under the names that a TF1 checkpoint has for them.

        Keras refuses `/` in a variable's name, so TF1's names are this view.

        Args:
            scope: the scope of the loop; empty for none, as where steps were called by hand. None
                means that of the first loop which ran the cell, as TF1 made variables there: the
                one it was given, `rnn` by default, `bidirectional_rnn/fw` and `/bw` for the two
                halves.

        Returns:
            A dict from names to `keras.Variable`, shapes equal to TF1's. Empty before `build`.

        Raises:
            ValueError: two variables of one name, in a cell of a user's.

        >>> from rnn_mnist_tf.rnn_cell import BasicLSTMCell
        >>> cell = BasicLSTMCell(100)
        >>> cell.build((None, 28))
        >>> {name: tuple(variable.shape) for name, variable in cell.tf1_variables().items()}
        {'rnn/basic_lstm_cell/kernel': (128, 400), 'rnn/basic_lstm_cell/bias': (400,)}
        """
        if scope is None:
            scope = self._scope or "rnn"
        return by_name(self.tf1_named_variables() if self.built else [], scope)

    def set_scope(self, scope):
        """Remembers the scope of the first loop that runs the cell, for `tf1_variables`."""
        if self._scope is None:
            self._scope = getattr(scope, "name", scope) or "rnn"

    def input_depth(self, inputs_shape):
        """Returns the static width of the inputs, for which the cell is then built.

        Raises:
            ValueError: it is unknown, there is none, or there are several.
        """
        containers = (dict, list, tuple)
        if isinstance(inputs_shape, dict) or isinstance(inputs_shape[-1], containers):
            raise ValueError(
                f"Received nested inputs of shapes {inputs_shape} for {self.name}, expected one "
                "tensor [batch, input_size]. Join them with tf.concat, or make a tensor of them."
            )
        if len(inputs_shape) < 2:
            raise ValueError(
                f"Received inputs of shape {tuple(inputs_shape)} for {self.name}, expected "
                "[batch, input_size]."
            )
        depth = inputs_shape[-1]
        if depth is None:
            raise ValueError(
                "Expected inputs.shape[-1] to be known. "
                f"Received inputs of shape {tuple(inputs_shape)}; set the last dimension."
            )
        self._built_depth = int(depth)
        return self._built_depth

    def get_config(self):
        """Returns the constructor's arguments.

        Raises:
            NotImplementedError: a cell of a user's without a `get_config` of its own whose
                arguments are not all numbers and texts.
        """
        self.finish_init()
        config = super().get_config()
        if not self._has_own_name:
            config["name"] = None  # TF1's scope is the class name; Keras's numbered one is not
        if self._takes_dtype_of_inputs:
            config["dtype"] = None
        if self._own_scope is not None:
            config["tf1_scope"] = self._own_scope
        if not getattr(self.get_config, "_is_default", False):
            return config
        init = type(self).__init__
        return {name: value for name, value in config.items() if takes_argument(init, name)}

    get_config._is_default = True  # so that Keras keeps the arguments of a cell that has no own one


def _cells_inside(layer):
    """The cells that a layer holds, not those inside of these."""
    cells = []
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        cells += [inner] if isinstance(inner, RNNCell) else _cells_inside(inner)
    return cells


def _as_tensor(value):
    if isinstance(value, (tf.Tensor, tf.TensorArray)) or keras.utils.is_keras_tensor(value):
        return value
    return tf.convert_to_tensor(value)
