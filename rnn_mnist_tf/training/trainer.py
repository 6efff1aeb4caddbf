"""The training loop: a Keras model, optimizer and metrics under `strategy.run`.

Not Keras's `fit`, which can neither run on several workers under Keras 3 nor go on in the middle
of an epoch. All randomness is a function of (seed, epoch, step): the order of the images of
(seed, epoch), every Keras `SeedGenerator` of (seed, step). So a run that goes on from a checkpoint
computes what the uninterrupted run computes.
"""

import itertools
import math
import time
import zlib

import keras
import numpy as np
import tensorflow as tf

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training.checkpoint import load_checkpoint, save_checkpoint
from rnn_mnist_tf.training.config import TrainConfig
from rnn_mnist_tf.training.predictor import make_predictor, seed_generators
from rnn_mnist_tf.training.schedules import (
    make_learning_rate,
    make_optimizer,
    unbiased_momentum,
    undecayed_variables,
)
from rnn_mnist_tf.training.strategy import (
    batch_statistics,
    choose_parts,
    has_batch_statistics,
    split_rows,
)


class Trainer:
    """Trains a classifier on images that stay in memory as uint8.

    Args:
        config: a `TrainConfig`.
        images, labels: the training part, uint8 `[count, ...]` and integers `[count]`.
        num_classes: the number of logits.
        strategy: a `tf.distribute.Strategy`; the default one if None.
        steps_per_call: steps in one call of the graph; progress is seen, and a stop obeyed, between
            calls. It has no part in the numbers.
        parts: into how many parts a replica's batch is split, to run side by side; chosen for the
            machine if None. The gradients are the whole batch's, within rounding.

    >>> from rnn_mnist_tf.training import TrainConfig
    >>> images, labels = np.zeros([8, 4, 4], np.uint8), np.zeros(8, int)
    >>> config = TrainConfig(cell="gru", num_units=2, num_layers=1, epochs=1, batch_size=4)
    >>> trainer = Trainer(config, images, labels, num_classes=2)
    >>> trainer.fit(), trainer.step
    (True, 2)
    """

    def __init__(
        self,
        config,
        images,
        labels,
        num_classes,
        strategy=None,
        steps_per_call=50,
        parts=None,
    ):
        if images.ndim == 3 and config.grayscale != TrainConfig.grayscale:
            raise InputError(
                f"Received grayscale={config.grayscale!r} and images that are gray, which do not "
                "read it, expected no --grayscale."
            )
        self.config = config
        self.strategy = strategy or tf.distribute.get_strategy()
        self.steps_per_call = steps_per_call
        self.examples = len(images)
        self.steps_per_epoch = -(-self.examples // config.batch_size)
        keras.utils.set_random_seed(config.seed)
        with self.strategy.scope():
            self.model = build_model(config, images.shape[1:], num_classes)
            rate = make_learning_rate(
                config.schedule, config.learning_rate, config.epochs * self.steps_per_epoch
            )
            replicas = self.strategy.num_replicas_in_sync
            self.optimizer = make_optimizer(
                config.optimizer,
                rate,
                config.weight_decay,
                config.global_clipnorm / replicas,  # see `_replica_step`
                config.ema_momentum,
                undecayed_variables(self.model),
            )
            self.optimizer.build(self.model.trainable_variables)
            self.loss_metric = keras.metrics.Mean("loss")
            self.accuracy_metric = keras.metrics.SparseCategoricalAccuracy("accuracy")
            self.model.optimizer = self.optimizer  # where Keras's callbacks look for it
            # Keras averages weights alone, which do not go with the statistics of other weights.
            self._statistics = batch_statistics(self.model) if config.ema_momentum else []
            self._average_statistics = [
                tf.Variable(tf.zeros(s.shape), trainable=False) for s in self._statistics
            ]
        rows = config.batch_size // replicas
        self.parts = parts or choose_parts(self.model, rows)
        if self.parts > 1 and has_batch_statistics(self.model):
            raise ValueError(
                f"Received parts={parts} for a model with batch statistics, expected 1: they are "
                "those of a whole batch."
            )
        self._images = tf.constant(images)
        self._labels = tf.constant(labels, tf.int64)
        self._run_steps = tf.function(
            self._steps,
            input_signature=[
                tf.TensorSpec([self.examples], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int64),
            ],
        )
        self._predict = make_predictor(self.model)
        self._stop_requested = False
        self._raw_weights = None  # while the model has the averages in their place
        self.epoch, self.step_in_epoch = 0, 0
        self.history = []
        self.train_seconds, self.trace_seconds = 0.0, 0.0

    @property
    def step(self):
        """Steps done since the run began."""
        return self.epoch * self.steps_per_epoch + self.step_in_epoch

    def request_stop(self):
        """Makes `fit` return after the current call of the graph. Safe in a signal handler."""
        self._stop_requested = True

    def fit(self, validation=None, callbacks=(), checkpoint_directory=None, on_epoch=None):
        """Trains until the last epoch, from the newest checkpoint if there is one.

        With `ema_momentum` validation reads the averaged weights, and the model has them when the
        run is over; checkpoints have both, and going on starts from the raw ones.

        Args:
            validation: None or `(images, labels)`, evaluated after each epoch.
            callbacks: Keras callbacks; batch callbacks fire once a call of the graph. They are
                told of the end of training whatever ends it.
            checkpoint_directory: where the run is saved after each epoch, and when it is stopped.
            on_epoch: called with the history after each epoch is safe on disk.

        Returns:
            True if the run is over: after the last epoch, or after an epoch in which a callback set
            `model.stop_training`. False after `request_stop`: call it again to go on.
        """
        self._swap_back()
        if checkpoint_directory is not None:
            self._restore(checkpoint_directory)
        callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.model)
        self.model.stop_training = False
        self._trace()
        callbacks.on_train_begin()
        try:
            over = self._fit_epochs(validation, callbacks, checkpoint_directory, on_epoch)
            if over:
                self._swap_in_averages()
        finally:
            callbacks.on_train_end()
            # Not at the beginning: a signal that came just before it is obeyed.
            self._stop_requested = False
        return over

    def _fit_epochs(self, validation, callbacks, checkpoint_directory, on_epoch):
        """Runs the epochs that are left. Returns False if it was stopped before their end."""
        while self.epoch < self.config.epochs and not self.model.stop_training:
            whole = self._fit_epoch(validation, callbacks)
            self._save(checkpoint_directory)
            if not whole:
                return False
            if on_epoch is not None:
                on_epoch(self.history)
        return True

    def predict_logits(self, images):
        """Returns the logits of uint8 images, a NumPy array `[count, num_classes]`."""
        return self._predict(images)

    def _trace(self):
        """Traces and compiles the graph with no step in it, so that timings are of steps alone."""
        begin = time.perf_counter()
        order = np.zeros(self.examples, np.int32)
        self._run_steps(order, np.int32(0), np.int32(0), np.int64(0))
        self.trace_seconds += time.perf_counter() - begin

    def _fit_epoch(self, validation, callbacks):
        """Runs what is left of an epoch. Returns False if it was stopped before its end."""
        order = np.random.default_rng([self.config.seed, self.epoch]).permutation(self.examples)
        order = tf.constant(order, tf.int32)
        callbacks.on_epoch_begin(self.epoch)
        while self.step_in_epoch < self.steps_per_epoch:
            if self._stop_requested:
                return False
            begin_step = self.step_in_epoch
            end_step = min(begin_step + self.steps_per_call, self.steps_per_epoch)
            callbacks.on_train_batch_begin(begin_step)
            begin = time.perf_counter()
            self._run_steps(order, np.int32(begin_step), np.int32(end_step), np.int64(self.step))
            logs = {"loss": float(self.loss_metric.result())}
            logs["accuracy"] = float(self.accuracy_metric.result())
            self._check_finite("loss", logs["loss"])
            self.train_seconds += time.perf_counter() - begin
            self.step_in_epoch = end_step
            callbacks.on_train_batch_end(end_step - 1, logs)
        line = {"epoch": self.epoch + 1, **logs}
        if validation is not None and len(validation[0]):
            line.update(self._validate(*validation))
        line["learning_rate"] = float(tf.convert_to_tensor(self.optimizer.learning_rate))
        line["train_seconds"] = round(self.train_seconds, 3)
        self.history.append(line)
        self.epoch, self.step_in_epoch = self.epoch + 1, 0
        self.loss_metric.reset_state()
        self.accuracy_metric.reset_state()
        callbacks.on_epoch_end(self.epoch - 1, line)
        return True

    def _validate(self, images, labels):
        self._swap_in_averages()
        try:
            logits = self.predict_logits(images)
        finally:
            self._swap_back()
        # Without smoothing: runs with more and less of it can be compared.
        loss = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits))
        self._check_finite("validation loss", loss)
        accuracy = np.mean(np.argmax(logits, axis=1) == labels)
        return {"val_loss": loss, "val_accuracy": float(accuracy)}

    def _check_finite(self, name, loss):
        if not math.isfinite(loss):
            raise InputError(
                f"The {name} is {loss} in epoch {self.epoch + 1}, expected a finite number. Lower "
                "--learning_rate and pass --overwrite."
            )

    def _swap_in_averages(self):
        """Puts the averaged weights into the model, and keeps the raw ones to go on with."""
        if self.config.ema_momentum and self.step:
            self._raw_weights = [np.array(variable) for variable in self._averaged_variables()]
            self.optimizer.finalize_variable_values(self.model.trainable_variables)
            for statistic, average in zip(self._statistics, self._average_statistics):
                statistic.assign(average)

    def _swap_back(self):
        """Gives the model its raw weights back, to the bit."""
        if self._raw_weights is not None:
            for variable, weights in zip(self._averaged_variables(), self._raw_weights):
                variable.assign(weights)
            self._raw_weights = None

    def _averaged_variables(self):
        return [*self.model.trainable_variables, *self._statistics]

    def _steps(self, order, begin_step, end_step, first_step):
        """Runs the steps `begin_step` to `end_step - 1` of an epoch inside the graph."""
        batch = self.config.batch_size
        for step in tf.range(begin_step, end_step):
            indices = order[step * batch : tf.minimum((step + 1) * batch, self.examples)]
            self._step(first_step + tf.cast(step - begin_step, tf.int64), indices)

    def _step(self, step, indices):
        """One step of all replicas, `step` of the run."""
        # Without averages nothing reads it, and the graph's optimizer drops it.
        momentum = unbiased_momentum(self.config.ema_momentum, step)
        self.optimizer.ema_momentum = momentum
        self.strategy.run(self._replica_step, args=(step, indices))
        self.optimizer.ema_momentum = self.config.ema_momentum
        for statistic, average in zip(self._statistics, self._average_statistics):
            average.assign(momentum * average + (1 - momentum) * statistic.value)

    def _seed_generators(self, step, replica):
        """Sets every Keras `SeedGenerator` of the model from (seed, step, replica)."""
        for index, generator in enumerate(seed_generators(self.model)):
            key = zlib.crc32(f"{self.config.seed}/{index}".encode())
            first = tf.bitwise.bitwise_xor(tf.constant(key, tf.int64), step)
            # The second word counts the draws of a step, far fewer than stand between replicas.
            seed = tf.stack([first, tf.cast(replica, tf.int64) * 2**20]) % 2**32
            generator.state.assign(tf.cast(seed, generator.state.dtype))

    def _replica_step(self, step, indices):
        """One step of one replica: its rows, their gradients, the update."""
        rows = tf.shape(indices)[0]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        self._seed_generators(step, replica)
        replicas = self.strategy.num_replicas_in_sync
        mine = indices[rows * replica // replicas : rows * (replica + 1) // replicas]
        bounds = split_rows(tf.shape(mine)[0], self.parts)
        variables = self.model.trainable_variables
        gradients = []
        for begin, end in itertools.pairwise(bounds):
            part = mine[begin:end]
            gradients.append(self._part_gradients(part, tf.cast(rows, tf.float32), variables))
        total = [tf.add_n(list(parts)) for parts in zip(*gradients)]
        if self.config.global_clipnorm and replicas > 1:
            # Keras clips each replica's gradients before it adds them up. So each gets an equal
            # share of the sum, and an equal share of the norm.
            context = tf.distribute.get_replica_context()
            total = context.all_reduce(tf.distribute.ReduceOp.MEAN, total)
        self.optimizer.apply(total, variables)

    def _part_gradients(self, indices, global_rows, variables):
        """The share of some rows in the gradients of the mean loss over the global batch."""
        labels = tf.gather(self._labels, indices)
        with tf.GradientTape() as tape:
            logits = self.model(tf.gather(self._images, indices), training=True)
            losses = self._losses(labels, logits)
            loss = tf.reduce_sum(losses) / global_rows
        self.loss_metric.update_state(losses)
        self.accuracy_metric.update_state(labels, logits)
        return tape.gradient(loss, [variable.value for variable in variables])

    def _losses(self, labels, logits):
        """Each row's cross-entropy against `(1 - smoothing) one_hot + smoothing / classes`."""
        smoothing = self.config.label_smoothing
        if not smoothing:
            return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return keras.losses.categorical_crossentropy(
            tf.one_hot(labels, logits.shape[-1]),
            logits,
            from_logits=True,
            label_smoothing=smoothing,
        )

    def _state_variables(self):
        metrics = [*self.loss_metric.variables, *self.accuracy_metric.variables]
        return {
            **{f"model/{i}": v for i, v in enumerate(self.model.variables)},
            **{f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)},
            **{f"metric/{i}": v for i, v in enumerate(metrics)},
            **{f"average/{i}": v for i, v in enumerate(self._average_statistics)},
        }

    def _save(self, directory):
        if directory is None:
            return
        arrays = {name: np.asarray(v) for name, v in self._state_variables().items()}
        position = {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "history": self.history,
            "train_seconds": self.train_seconds,
            "trace_seconds": self.trace_seconds,
        }
        save_checkpoint(directory, self.step, arrays, position)

    def _restore(self, directory):
        checkpoint = load_checkpoint(directory)
        if checkpoint is None:
            return
        arrays, position = checkpoint
        variables = self._state_variables()
        held = {name: array.shape for name, array in arrays.items()}
        if held != {name: tuple(variable.shape) for name, variable in variables.items()}:
            raise InputError(
                f"Received {directory}, whose checkpoints have other variables than the model and "
                "its optimizer, such as those of another version of Keras. Pass --overwrite to "
                "begin anew."
            )
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.epoch, self.step_in_epoch = position["epoch"], position["step_in_epoch"]
        self.history = position["history"]
        self.train_seconds = position["train_seconds"]
        self.trace_seconds = position["trace_seconds"]
