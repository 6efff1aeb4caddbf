"""The private names that TF1 had for a cell's attributes, which cells derived from TF1's read."""


def tf1_attributes(*names, **renamed):
    """Gives a class TF1's names of its attributes; an instance can set them to something else.

    Args:
        names: attributes whose name in TF1 has an underscore before it.
        renamed: TF1's names, without the underscore, and those of the attributes here.

    >>> @tf1_attributes("num_units", kernel="matrix")
    ... class Cell:
    ...     num_units, matrix = 4, "K"
    >>> Cell()._num_units, Cell()._kernel
    (4, 'K')
    """

    def decorate(cell_class):
        for tf1_name, name in {**dict(zip(names, names)), **renamed}.items():
            setattr(cell_class, f"_{tf1_name}", _Attribute(name))
        return cell_class

    return decorate


class _Attribute:
    """Reads another attribute; without `__set__`, so that setting it is the instance's own."""

    def __init__(self, name):
        self.name = name

    def __get__(self, cell, owner=None):
        return self if cell is None else getattr(cell, self.name)
