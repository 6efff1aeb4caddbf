"""The benchmarks are programs beside the package; their modules find each other by name."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))
