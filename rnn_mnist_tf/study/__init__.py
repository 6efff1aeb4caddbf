"""Studies: grids of training runs, each in a process of its own, and what they came to."""

from rnn_mnist_tf.study.check import check_points
from rnn_mnist_tf.study.children import Children
from rnn_mnist_tf.study.grid import GridError, Point, parse_grids
from rnn_mnist_tf.study.pictures import save_pictures
from rnn_mnist_tf.study.points import PointRunner
from rnn_mnist_tf.study.record import read_record
from rnn_mnist_tf.study.table import format_csv, format_json, format_markdown, merge_seeds

__all__ = [
    "Children",
    "GridError",
    "Point",
    "PointRunner",
    "check_points",
    "format_csv",
    "format_json",
    "format_markdown",
    "merge_seeds",
    "parse_grids",
    "read_record",
    "save_pictures",
]
