"""What a study has left on disk."""

import json
import pathlib


def contents(directory):
    """All files below a directory, by name, with what is in them and when it was written."""
    paths = [path for path in pathlib.Path(directory).rglob("*") if path.is_file()]
    return {str(p.relative_to(directory)): (p.read_bytes(), p.stat().st_mtime_ns) for p in paths}


def read(path):
    """The JSON of a file."""
    return json.loads(pathlib.Path(path).read_text())
