"""What a classifier got right and wrong: numbers, a table, a picture."""

import numpy as np
from sklearn import metrics

from rnn_mnist_tf.training.files import replacing

_LARGEST_PICTURE = 24.0  # inches
_MOST_WITH_NUMBERS, _MOST_WITH_NAMES = 40, 100  # classes; each is a text that is laid out


def classification_scores(labels, predicted, class_names):
    """Returns accuracy over all examples, and each class's precision, recall and count.

    >>> scores = classification_scores(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"])
    >>> round(scores["accuracy"], 4), scores["classes"][0]
    (0.6667, {'name': 'a', 'precision': 1.0, 'recall': 0.5, 'examples': 2})
    """
    indices = range(len(class_names))
    precision, recall, _, counts = metrics.precision_recall_fscore_support(
        labels, predicted, labels=indices, zero_division=0
    )
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "examples": len(labels),
        "errors": int(np.sum(labels != predicted)),
        "classes": [
            {
                "name": class_names[i],
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "examples": int(counts[i]),
            }
            for i in indices
        ],
    }


def format_scores(scores):
    """Returns the scores as a table for people.

    >>> scores = classification_scores(np.array([0, 1]), np.array([0, 1]), ["a", "b"])
    >>> print(format_scores(scores))
    accuracy 1.0000 over 2 examples, 0 errors
    class     precision    recall  examples
    a            1.0000    1.0000         1
    b            1.0000    1.0000         1
    """
    width = max(10, *(len(c["name"]) + 1 for c in scores["classes"]))
    lines = [
        f"accuracy {scores['accuracy']:.4f} over {scores['examples']} examples, "
        f"{scores['errors']} errors",
        f"{'class':<{width}}{'precision':>9}{'recall':>10}{'examples':>10}",
    ]
    lines += [
        f"{c['name']:<{width}}{c['precision']:>9.4f}{c['recall']:>10.4f}{c['examples']:>10}"
        for c in scores["classes"]
    ]
    return "\n".join(lines)


def save_confusion_matrix(path, labels, predicted, class_names):
    """Draws the confusion matrix into a PNG file; of very many classes without their names."""
    # A figure of its own, not pyplot: no window system, nothing global.
    from matplotlib.figure import Figure

    classes = len(class_names)
    side = min(max(5.0, 0.6 * classes), _LARGEST_PICTURE)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    matrix = metrics.confusion_matrix(labels, predicted, labels=range(classes))
    if classes <= _MOST_WITH_NAMES:
        numbers = classes <= _MOST_WITH_NUMBERS
        display = metrics.ConfusionMatrixDisplay(matrix, display_labels=class_names)
        display.plot(
            ax=axes,
            colorbar=False,
            cmap="Blues",
            include_values=numbers,
            xticks_rotation="horizontal" if numbers else "vertical",
        )
    else:
        axes.imshow(matrix, cmap="Blues", interpolation="nearest")
        axes.set(xlabel="Predicted label", ylabel="True label")
    wrong = int(matrix.sum() - np.trace(matrix))
    axes.set_title(f"{wrong} errors in {int(matrix.sum())} test examples")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
