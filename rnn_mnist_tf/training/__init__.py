"""Training: configuration, the loop, checkpoints, the directory of a run."""

from rnn_mnist_tf.training.config import TrainConfig
from rnn_mnist_tf.training.predictor import make_predictor
from rnn_mnist_tf.training.trainer import Trainer

__all__ = ["TrainConfig", "Trainer", "make_predictor"]
