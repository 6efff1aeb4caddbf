"""The names that TF1 gives a cell's variables."""

import re


def snake_case(name):
    """Returns a class name the way TF1 turns it into a variable scope.

    >>> snake_case("BasicLSTMCell"), snake_case("GRUCell"), snake_case("_MyCell")
    ('basic_lstm_cell', 'gru_cell', 'private__my_cell')
    """
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return f"private{name}" if name.startswith("_") else name  # a scope cannot start so


def named_inside(layer):
    """Returns `[(name, variable)]`: a layer's own by name, then those of what is inside.

    A cell inside says its own names; those of another layer stand below the layer's name.

    Args:
        layer: a Keras layer, or a cell, which then has its names as `add_weight` was given them.

    >>> import keras
    >>> layer = keras.layers.Dense(2)
    >>> layer.build((None, 3))
    >>> [name for name, _ in named_inside(layer)]
    ['kernel', 'bias']
    """
    named = []
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if hasattr(inner, "tf1_named_variables"):
            named += inner.tf1_named_variables()
        else:
            named += [(f"{inner.name}/{name}", variable) for name, variable in named_inside(inner)]
    seen = {id(variable) for _, variable in named}
    slashed = layer.__dict__.get("_slashed_names", {})
    own = [variable for variable in layer.weights if id(variable) not in seen]
    return [*((slashed.get(one.name, one.name), one) for one in own), *named]


def by_name(named, scope):
    """Returns a dict of `[(name, variable)]` below a scope, each variable once.

    Args:
        named: what `named_inside` returned.
        scope: a name, or an empty one.

    Raises:
        ValueError: two variables of one name.

    >>> variable = object()
    >>> list(by_name([("kernel", variable), ("again", variable)], "rnn"))
    ['rnn/kernel']
    """
    prefix = f"{scope}/" if scope else ""
    found = {}
    seen = set()
    for name, variable in named:
        if id(variable) in seen:
            continue
        if f"{prefix}{name}" in found:
            raise ValueError(
                f"Received two variables of the name {prefix}{name}, expected a name for each. "
                "Name the layers of the cell, or override tf1_named_variables."
            )
        seen.add(id(variable))
        found[f"{prefix}{name}"] = variable
    return found
