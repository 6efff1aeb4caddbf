"""What programs have left on disk."""

import json
import pathlib


def contents(directory):
    """All files below a directory, by name, with what is in them."""
    paths = [path for path in pathlib.Path(directory).rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def contents_and_times(directory):
    """As `contents`, each with the time when it was written."""
    return {
        name: (content, (pathlib.Path(directory) / name).stat().st_mtime_ns)
        for name, content in contents(directory).items()
    }


def read(path):
    """The JSON of a file."""
    return json.loads(pathlib.Path(path).read_text())
