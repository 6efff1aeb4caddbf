"""A training script of TensorFlow 1, as it was: which wave is in a noisy sequence?

A stack of LSTMs with dropout reads sequences of different lengths; softmax decides. It differs from
1.x in its two first imports alone: TensorFlow 2 keeps the rest below `compat.v1`.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.ops import rnn_cell

BATCH_SIZE = 16
TIME_STEPS = 12
NUM_INPUT = 5
NUM_HIDDEN = 8
NUM_LAYERS = 2
NUM_CLASSES = 3
LEARNING_RATE = 0.05
OPTIMIZERS = {
    "sgd": tf.train.GradientDescentOptimizer,
    "adam": tf.train.AdamOptimizer,
}


def next_batch(step):
    """Returns inputs, lengths and labels of a step."""
    random = np.random.RandomState(step)
    labels = random.randint(0, NUM_CLASSES, [BATCH_SIZE])
    lengths = random.randint(3, TIME_STEPS + 1, [BATCH_SIZE])
    phases = np.arange(TIME_STEPS)[None, :, None] * (1.0 + labels[:, None, None])
    waves = np.sin(0.5 * phases + np.arange(NUM_INPUT))
    inputs = waves + 0.3 * random.normal(size=[BATCH_SIZE, TIME_STEPS, NUM_INPUT])
    return inputs.astype(np.float32), lengths.astype(np.int32), labels.astype(np.int32)


def make_cell(keep_prob):
    """Returns the stack."""
    layers = []
    for layer in range(NUM_LAYERS):
        cell = rnn_cell.LSTMCell(
            NUM_HIDDEN,
            use_peepholes=True,
            initializer=tf.random_uniform_initializer(-0.3, 0.3),
            forget_bias=1.0,
            state_is_tuple=True,
        )
        layers.append(
            rnn_cell.DropoutWrapper(
                cell, input_keep_prob=keep_prob, output_keep_prob=keep_prob, seed=layer
            )
        )
    return rnn_cell.MultiRNNCell(layers, state_is_tuple=True)


def make_softmax():
    """Returns the variables of the last layer."""
    return {
        "weights": tf.Variable(tf.random_normal([NUM_HIDDEN, NUM_CLASSES]), name="weights"),
        "biases": tf.Variable(tf.zeros([NUM_CLASSES]), name="biases"),
    }


def compute_loss(cell, softmax, inputs, lengths, labels):
    """Returns the mean loss of a batch."""
    outputs, state = tf.nn.dynamic_rnn(
        cell, inputs, sequence_length=lengths, dtype=tf.float32, swap_memory=True
    )
    average = tf.reduce_sum(outputs, axis=1) / tf.cast(lengths, tf.float32)[:, None]
    last = state[-1].h + average
    logits = tf.matmul(last, softmax["weights"]) + softmax["biases"]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(losses)


def train(steps, optimizer, keep_prob, checkpoint):
    """Trains from a checkpoint, a dict from names to arrays. Returns the loss of each step.

    The last loss is that of a batch of its own without dropout.
    """
    inputs_ = tf.placeholder(tf.float32, [None, TIME_STEPS, NUM_INPUT])
    lengths_ = tf.placeholder(tf.int32, [None])
    labels_ = tf.placeholder(tf.int32, [None])
    keep_prob_ = tf.placeholder(tf.float32, [])

    loss = compute_loss(make_cell(keep_prob_), make_softmax(), inputs_, lengths_, labels_)
    trainable = tf.trainable_variables()
    train_op = OPTIMIZERS[optimizer](LEARNING_RATE).minimize(loss)

    losses = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for variable in trainable:
            variable.load(checkpoint[variable.op.name], session)
        for step in range(steps):
            inputs, lengths, labels = next_batch(step)
            feed = {inputs_: inputs, lengths_: lengths, labels_: labels, keep_prob_: keep_prob}
            losses.append(session.run([loss, train_op], feed)[0])
        inputs, lengths, labels = next_batch(steps)
        feed = {inputs_: inputs, lengths_: lengths, labels_: labels, keep_prob_: 1.0}
        losses.append(session.run(loss, feed))
    return losses
