"""Tests of rnn_mnist_tf.pretrained."""
