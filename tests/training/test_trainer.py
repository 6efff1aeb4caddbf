"""The training loop: its numbers against a plain loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training import Trainer
from rnn_mnist_tf.training.predictor import seed_generators
from tests.modes import mostly_slow
from tests.training.trainers import (
    AtCall,
    assert_identical,
    cross_entropy,
    history,
    make_config,
    make_trainer,
    weights,
)

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "adadelta": lambda: keras.optimizers.Adadelta(0.01, rho=0.9, epsilon=1e-6),
}


class NumpyAdamW:
    """AdamW as Loshchilov and Hutter wrote it down, after a clip of the norm of all gradients.

    Args:
        rate, decay: of a step.
        clip: the largest norm.
    """

    def __init__(self, rate, decay, clip):
        self.rate, self.decay, self.clip = rate, decay, clip
        self.step, self.norms, self.moments = 0, [], {}

    def apply_gradients(self, gradients_and_weights):
        """Takes a step."""
        pairs = [(np.asarray(g, np.float64), weight) for g, weight in gradients_and_weights]
        self.step += 1
        self.norms.append(np.sqrt(sum(np.sum(g**2) for g, _ in pairs)))
        for gradient, weight in pairs:
            gradient = gradient * min(1, self.clip / self.norms[-1])
            first, second = self.moments.get(weight.path, (0, 0))
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            self.moments[weight.path] = first, second
            # Keras adds epsilon where Kingma and Ba's section 2 ends: before the correction.
            correction = np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
            direction = correction * first / (np.sqrt(second) + 1e-7)
            if weight.name == "kernel":
                direction = direction + self.decay * np.asarray(weight)
            weight.assign(np.asarray(weight) - self.rate * direction)


def train_plainly(config, images, labels, initial_weights, optimizer, rate=None, on_step=None):
    """The same training as a textbook has it: one tape a batch, the mean loss.

    Returns:
        The weights, and the mean loss and the accuracy of each epoch.
    """
    model = build_model(config, images.shape[1:], 10)
    model.set_weights(initial_weights)
    lines, step = [], 0
    targets = np.eye(10)[labels] * (1 - config.label_smoothing) + config.label_smoothing / 10
    targets = targets.astype(np.float32)
    for epoch in range(config.epochs):
        order = np.random.default_rng([config.seed, epoch]).permutation(len(images))
        losses, hits = [], []
        for begin in range(0, len(images), config.batch_size):
            batch = order[begin : begin + config.batch_size]
            with tf.GradientTape() as tape:
                logits = model(images[batch], training=True)
                log_probabilities = tf.nn.log_softmax(logits)
                each = -tf.reduce_sum(targets[batch] * log_probabilities, axis=1)
                loss = tf.reduce_mean(each)
            if rate is not None:
                optimizer.learning_rate = rate(step)
            gradients = tape.gradient(loss, model.trainable_weights)
            optimizer.apply_gradients(zip(gradients, model.trainable_weights))
            losses.extend(each.numpy())
            hits.extend(np.argmax(logits, axis=1) == labels[batch])
            step += 1
            if on_step is not None:
                on_step(model.get_weights())
        lines.append((np.mean(losses), np.mean(hits)))
    return model.get_weights(), lines


@pytest.mark.parametrize("parts", mostly_slow([1, 2, 3], [1, 3]))
@pytest.mark.parametrize(
    ("cell", "optimizer", "count"),
    [
        ("basic_rnn", "adam", 100),
        ("gru", "sgd", 100),
        ("basic_lstm", "adadelta", 100),
        ("basic_lstm", "sgd", 97),  # the last batch is one image: fewer than the parts
    ],
)
def test_training_equals_a_plain_loop(data, cell, optimizer, count, parts):
    """Batches in the order of (seed, epoch), the last one partial, give the textbook's weights."""
    config = make_config(cell=cell, optimizer=optimizer, seed=3)
    trainer = make_trainer(config, data, count, parts=parts)
    initial = weights(trainer)
    assert trainer.fit()
    expected, lines = train_plainly(
        config, data[0][:count], data[1][:count], initial, OPTIMIZERS[optimizer]()
    )
    assert trainer.step == 8
    for ours, theirs, before in zip(weights(trainer), expected, initial, strict=True):
        assert np.abs(theirs - before).max() > 1e-4
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
    ours = [(line["loss"], line["accuracy"]) for line in trainer.history]
    np.testing.assert_allclose(ours, lines, rtol=1e-5)


def test_the_schedule_is_taken_a_step_at_a_time(data):
    """One cycle over all eight steps: the warm-up of 30 % is two, then six of a cosine."""
    config = make_config(optimizer="sgd", schedule="one_cycle", learning_rate=0.5)
    trainer = make_trainer(config, data)
    initial = weights(trainer)
    trainer.fit()

    def rate(step):
        if step < 2:
            return 0.02 + 0.48 * step / 2
        return 0.25 * (1 + np.cos(np.pi * (step - 2) / 6))

    expected, _ = train_plainly(config, *data, initial, keras.optimizers.SGD(), rate)
    for ours, theirs in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    rates = [line["learning_rate"] for line in trainer.history]
    assert rates == pytest.approx([rate(4), rate(8)], abs=1e-7)


@pytest.mark.parametrize("parts", [1, 2])
def test_decay_and_clip(data, parts):
    """AdamW decays kernels and not biases; some gradients are clipped, by the norm of all."""
    clip = 0.3
    config = make_config(optimizer="adamw", weight_decay=2.0, global_clipnorm=clip)
    trainer = make_trainer(config, data, parts=parts)
    initial = weights(trainer)
    trainer.fit()
    optimizer = NumpyAdamW(0.01, 2.0, clip)
    expected, _ = train_plainly(config, *data, initial, optimizer)
    for ours, theirs in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=5e-5)
    assert min(optimizer.norms) < clip < max(optimizer.norms)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_label_smoothing(data, smoothing):
    """The loss is the one against smoothed labels; that of the validation part is not smoothed."""
    config = make_config(label_smoothing=smoothing, optimizer="sgd", learning_rate=0.1)
    trainer = make_trainer(config, data)
    initial = weights(trainer)
    trainer.fit(data)
    expected, lines = train_plainly(config, *data, initial, keras.optimizers.SGD(0.1))
    for ours, theirs in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=5e-5)
    ours = [(line["loss"], line["accuracy"]) for line in trainer.history]
    np.testing.assert_allclose(ours, lines, rtol=1e-4)
    assert trainer.history[-1]["val_loss"] == pytest.approx(cross_entropy(trainer, *data), rel=1e-5)


@pytest.mark.parametrize("momentum", [0.5, 0.99999])
def test_the_average_of_the_weights(data, momentum):
    """It is the mean over all steps, the last weighing most, with no excess of the first."""
    config = make_config(ema_momentum=momentum, optimizer="sgd")
    trainer = make_trainer(config, data)
    initial, steps = weights(trainer), []
    trainer.fit()
    train_plainly(config, *data, initial, OPTIMIZERS["sgd"](), on_step=steps.append)
    shares = momentum ** np.arange(len(steps))[::-1].astype(float)
    for ours, *theirs in zip(weights(trainer), *steps, strict=True):
        expected = np.average(np.stack(theirs), axis=0, weights=shares)
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-5)
        assert np.abs(theirs[-1] - expected).max() > 1e-4


def test_the_average_of_the_statistics(data):
    """Averaged weights stand beside the batch statistics averaged over the same steps."""
    momentum = 0.9
    options = {"model": "cnn", "filters": "2,3", "tap": 2, "epochs": 1, "num_units": 30}
    config = make_config(ema_momentum=momentum, optimizer="sgd", **options)
    trainer = make_trainer(config, data, steps_per_call=1)
    (layer, *_) = [
        layer
        for layer in trainer.model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    seen = []
    record = AtCall(range(1, 5), lambda: seen.append(np.array(layer.moving_mean)))
    trainer.fit(callbacks=[record])
    shares = momentum ** np.arange(len(seen))[::-1].astype(float)
    assert len(seen) == 4
    np.testing.assert_allclose(
        np.array(layer.moving_mean), np.average(seen, axis=0, weights=shares), rtol=1e-4, atol=1e-6
    )


def test_replicas_draw_apart(data):
    """The same step seeds another replica's dropout and order otherwise."""
    trainer = make_trainer(make_config(scan="shuffled_rows"), data)
    (generator,) = seed_generators(trainer.model)
    states = []
    for step, replica in ((3, 0), (3, 1), (4, 0), (3, 0)):
        trainer._seed_generators(tf.constant(step, tf.int64), replica)
        states.append(np.array(generator.state).tolist())
    assert states[0] == states[3]
    assert len({tuple(state) for state in states}) == 3
    draws = []  # however often a replica draws, no other one draws the same
    for replica in range(3):
        trainer._seed_generators(tf.constant(3, tf.int64), replica)
        draws += [tuple(np.array(generator.next()).tolist()) for _ in range(100)]
    assert len(set(draws)) == 300


@pytest.mark.parametrize("grayscale", ["article", "none"])
def test_gray_images_have_no_colour(data, grayscale):
    """How colour becomes gray is refused where there is none: it would change nothing."""
    with pytest.raises(InputError, match=f"grayscale='{grayscale}' and images that are gray"):
        make_trainer(make_config(grayscale=grayscale), data)


def test_statistics_are_those_of_a_whole_batch(data):
    """A batch of such a model is not split, even if it is asked for."""
    config = make_config(model="cnn", filters="2,3", tap=2, num_units=30)
    with pytest.raises(ValueError, match=r"parts=2.*expected 1"):
        make_trainer(config, data, parts=2)


def test_an_average_has_no_part_in_training(data):
    """The raw weights and the loss are those of a run without; validation is the average's."""
    averaging, plain = (make_trainer(make_config(ema_momentum=m), data) for m in (0.9, 0.0))
    for trainer in (averaging, plain):
        trainer.fit(data)
    averages = weights(averaging)
    for ours, theirs in zip(averaging.history, plain.history, strict=True):
        assert (ours["loss"], ours["accuracy"]) == (theirs["loss"], theirs["accuracy"])
        assert ours["val_loss"] != theirs["val_loss"]
    averaging.fit()  # complete: nothing is done, and the averages are there again
    for ours, before in zip(weights(averaging), averages, strict=True):
        np.testing.assert_array_equal(ours, before)


def test_a_run_that_a_callback_ended_goes_on_from_its_raw_weights(data):
    """Ended after an epoch the model has the averages; going on takes nothing from them."""
    config = make_config(ema_momentum=0.9, epochs=3)
    uninterrupted, trainer = (make_trainer(config, data) for _ in range(2))
    uninterrupted.fit(data)
    for epoch in (1, 2, 3):
        stop = AtCall({1}, lambda: setattr(trainer.model, "stop_training", True))
        assert trainer.fit(data, [stop])
        assert trainer.epoch == epoch
        loss = cross_entropy(trainer, *data)
        assert trainer.history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert_identical(trainer, uninterrupted)


def test_no_step_has_no_average(data):
    """A run that a callback ends before its first step keeps its initial weights."""

    class Stop(keras.callbacks.Callback):
        """Ends the training when it begins."""

        def on_train_begin(self, logs=None):
            self.model.stop_training = True

    trainer = make_trainer(make_config(ema_momentum=0.9), data)
    initial = weights(trainer)
    assert trainer.fit(callbacks=[Stop()])
    for ours, before in zip(weights(trainer), initial, strict=True):
        np.testing.assert_array_equal(ours, before)


@pytest.mark.parametrize("batch_size", [1, 100, 128])
def test_extreme_batches(data, batch_size):
    """Batches of one image, of all of them, and of more than there are."""
    config = make_config(batch_size=batch_size, optimizer="sgd")
    trainer = make_trainer(config, data, parts=1)
    initial = weights(trainer)
    trainer.fit()
    expected, _ = train_plainly(config, *data, initial, OPTIMIZERS["sgd"]())
    for ours, theirs in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("steps_per_call", [1, 3, 1000])
@pytest.mark.parametrize("scan", mostly_slow(["rows", "shuffled_rows"], ["shuffled_rows"]))
def test_steps_per_call_has_no_part_in_the_numbers(data, scan, steps_per_call):
    """How often the loop looks up changes no bit."""
    trainers = [
        make_trainer(make_config(scan=scan), data, steps_per_call=steps)
        for steps in (2, steps_per_call)
    ]
    for trainer in trainers:
        trainer.fit(data)
    assert_identical(*trainers)


@pytest.mark.parametrize("scan", ["rows", "shuffled_rows"])
def test_the_seed_is_all_there_is_to_chance(data, scan):
    """One seed, one run in every bit; another seed, other weights."""
    first, again, other = (
        make_trainer(make_config(seed=seed, scan=scan), data) for seed in (1, 1, 2)
    )
    for trainer in (first, again, other):
        tf.random.uniform([3])  # other draws in the same program have no part
        trainer.fit(data)
    assert_identical(first, again)
    assert any((a != b).any() for a, b in zip(weights(first), weights(other)))


@pytest.mark.parametrize("scan", ["rows", "shuffled_rows"])
def test_looking_at_validation_has_no_part_in_the_numbers(data, scan):
    """What validation draws at random is not missing in training: draws are each step's own."""
    looking, blind = (make_trainer(make_config(scan=scan), data) for _ in range(2))
    looking.fit(data)
    blind.fit()
    for one, other in zip(weights(looking), weights(blind), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", [{}, {"ema_momentum": 0.9}])
def test_validation_is_a_recount(data, options):
    """Loss and accuracy of the validation part are those of the logits after the epoch."""
    images, labels = data
    trainer = make_trainer(make_config(epochs=1, **options), (images, labels), 60)
    trainer.fit((images[60:], labels[60:]))
    logits = np.asarray(trainer.model(images[60:]), np.float64)
    loss = cross_entropy(trainer, images[60:], labels[60:])
    accuracy = np.mean(np.argmax(logits, axis=1) == labels[60:])
    assert trainer.history[0]["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert trainer.history[0]["val_accuracy"] == accuracy


@pytest.mark.parametrize("validation", [None, (np.zeros((0, 28, 28), np.uint8), np.zeros(0, int))])
def test_no_validation(data, validation):
    """Without a validation part nothing is said of it."""
    trainer = make_trainer(make_config(epochs=1), data)
    trainer.fit(validation)
    assert sorted(history(trainer)[0]) == ["accuracy", "epoch", "learning_rate", "loss"]


def test_training_learns(mnist5k):
    """On 600 real digits half of the errors of guessing are gone after six epochs."""
    config = make_config(
        cell="basic_lstm", num_units=32, epochs=6, learning_rate=0.01, schedule="one_cycle"
    )
    trainer = Trainer(config, mnist5k.train_images[:600], mnist5k.train_labels[:600], 10)
    trainer.fit()
    predicted = np.argmax(trainer.predict_logits(mnist5k.test_images), axis=1)
    assert np.mean(predicted == mnist5k.test_labels) > 0.55
