"""Reports: progress, tables, pictures."""

from rnn_mnist_tf.report.classification import (
    classification_scores,
    format_scores,
    save_confusion_matrix,
)
from rnn_mnist_tf.report.progress import ProgressBar

__all__ = ["ProgressBar", "classification_scores", "format_scores", "save_confusion_matrix"]
