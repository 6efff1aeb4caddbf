"""A feature map becomes a sequence."""

SERIALIZATIONS = ("rows", "columns", "both", "positions")
SHUFFLES = ("none", "fixed", "fresh")
