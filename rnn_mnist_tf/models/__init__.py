"""Models: plain Keras models, from plain pixels to logits, behind one registry."""

from rnn_mnist_tf.models.cells import APIS, CELLS, make_cell
from rnn_mnist_tf.models.cldnn import build_cldnn
from rnn_mnist_tf.models.cnn import build_cnn
from rnn_mnist_tf.models.cnn_rnn import build_cnn_rnn
from rnn_mnist_tf.models.front import Front
from rnn_mnist_tf.models.heads import HEADS
from rnn_mnist_tf.models.registry import BUDGETS, MODELS, READ_BY, SIZELESS, build_model
from rnn_mnist_tf.models.renet import build_renet
from rnn_mnist_tf.models.rnn import build_rnn
from rnn_mnist_tf.models.serialize import SERIALIZATIONS, SHUFFLES
from rnn_mnist_tf.models.views import VIEWS, viewed_model

__all__ = [
    "APIS",
    "BUDGETS",
    "CELLS",
    "HEADS",
    "MODELS",
    "READ_BY",
    "SERIALIZATIONS",
    "SHUFFLES",
    "SIZELESS",
    "VIEWS",
    "Front",
    "build_cldnn",
    "build_cnn",
    "build_cnn_rnn",
    "build_model",
    "build_renet",
    "build_rnn",
    "make_cell",
    "viewed_model",
]
