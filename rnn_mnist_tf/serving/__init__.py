"""Serving: a trained model outside of this package."""

from rnn_mnist_tf.serving.saved_model import export_saved_model

__all__ = ["export_saved_model"]
