"""The training loop: its numbers against a plain loop, and that stopping costs nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_mnist_tf.models import build_model
from rnn_mnist_tf.training import TrainConfig, Trainer
from rnn_mnist_tf.training.trainer import seed_generators

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "adadelta": lambda: keras.optimizers.Adadelta(0.01, rho=0.9, epsilon=1e-6),
}


def make_config(**options):
    """A configuration of a run that takes no time."""
    small = {"cell": "basic_rnn", "num_units": 6, "num_layers": 1, "epochs": 2, "batch_size": 32}
    return TrainConfig(**{**small, "learning_rate": 0.01, **options})


@pytest.fixture(scope="module")
def data(mnist5k):
    """A hundred real digits: at 32 a batch, three whole batches and one of four."""
    return mnist5k.train_images[:100], mnist5k.train_labels[:100]


def make_trainer(config, data, count=100, **options):
    """A trainer on the first `count` digits."""
    return Trainer(config, data[0][:count], data[1][:count], 10, **options)


def weights(trainer):
    """The weights of a trainer's model, as arrays."""
    return [np.asarray(weight) for weight in trainer.model.weights]


def history(trainer):
    """What a trainer wrote down of each epoch, but for the time it took."""
    return [
        {name: value for name, value in line.items() if name != "train_seconds"}
        for line in trainer.history
    ]


def assert_identical(first, second):
    """Two trainers agree in every bit: weights, optimizer, history."""
    assert history(first) == history(second)
    assert first.step == second.step
    for kind in ("model", "optimizer"):
        variables = [getattr(trainer, kind).variables for trainer in (first, second)]
        for one, other in zip(*variables, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)


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


@pytest.mark.parametrize("parts", [1, 2, 3])
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
@pytest.mark.parametrize("scan", ["rows", "shuffled_rows"])
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


def cross_entropy(trainer, images, labels):
    """The mean cross-entropy of a trainer's model, from its logits."""
    logits = np.asarray(trainer.model(images), np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


class AtCall(keras.callbacks.Callback):
    """Does something after some calls of the graph.

    Args:
        calls: after which, counted from 1.
        action: called without arguments.
    """

    def __init__(self, calls, action):
        super().__init__()
        self.calls, self.action, self.count = calls, action, 0

    def on_train_batch_end(self, batch, logs=None):
        """Counts the calls."""
        self.count += 1
        if self.count in self.calls:
            self.action()


def newest_step(directory):
    """The step of the newest checkpoint in a directory."""
    return max((int(path.stem.removeprefix("step-")) for path in directory.iterdir()), default=0)


OPTIONS = {
    "adam": {"schedule": "one_cycle"},
    "adadelta": {"optimizer": "adadelta", "cell": "gru"},
    "lstm": {"cell": "basic_lstm", "optimizer": "sgd"},
    "shuffled": {"scan": "shuffled_rows"},
    "average": {"ema_momentum": 0.9, "cell": "gru"},
    "average of adamw": {
        "optimizer": "adamw",
        "weight_decay": 0.5,
        "global_clipnorm": 0.5,
        "label_smoothing": 0.1,
        "ema_momentum": 0.99,
        "schedule": "cosine",
    },
    "average with batch statistics, all that is random": {
        "model": "cnn_rnn",
        "filters": "2,3",
        "tap": 2,
        "cell": "gru",
        "shuffle_steps": "fresh",
        "input_keep_prob": 0.8,
        "dense_keep_prob": 0.5,
        "augment_shift": 0.2,
        "augment_elastic": 0.1,
        "ema_momentum": 0.9,
    },
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_that_is_stopped_goes_on_as_if_it_was_not(data, tmp_path, name):
    """Stopped after steps 1, 4 (an epoch's last) and 6, a run ends in the same bits."""
    config = make_config(epochs=3, **OPTIONS[name])
    uninterrupted = make_trainer(config, data)
    assert uninterrupted.fit(data)
    for step in (1, 4, 6):
        trainer = make_trainer(config, data, steps_per_call=1)
        calls = {step - newest_step(tmp_path)}
        assert not trainer.fit(data, [AtCall(calls, trainer.request_stop)], tmp_path)
        assert trainer.step == step
    trainer = make_trainer(config, data)
    assert trainer.fit(data, (), tmp_path)
    assert_identical(trainer, uninterrupted)
    np.testing.assert_array_equal(
        trainer.predict_logits(data[0]), uninterrupted.predict_logits(data[0])
    )


def crash():
    """Ends training without any chance to save."""
    raise RuntimeError("power cut")


@pytest.mark.parametrize("damage", [False, True], ids=["whole", "damaged"])
def test_a_run_that_crashed_goes_on_from_its_last_whole_checkpoint(data, tmp_path, capsys, damage):
    """What was done since the checkpoint is done again, to the same bits."""
    config = make_config(epochs=3)
    uninterrupted = make_trainer(config, data)
    uninterrupted.fit(data)
    trainer = make_trainer(config, data, steps_per_call=1)
    with pytest.raises(RuntimeError, match="power cut"):
        trainer.fit(data, [AtCall({10}, crash)], tmp_path)
    if damage:
        newest = tmp_path / "step-0000000008.npz"
        newest.write_bytes(newest.read_bytes()[:-100])
    trainer = make_trainer(config, data, steps_per_call=1)
    counter = AtCall(set(), crash)
    assert trainer.fit(data, [counter], tmp_path)
    assert counter.count == (8 if damage else 4)
    assert ("warning" in capsys.readouterr().err) == damage
    assert_identical(trainer, uninterrupted)


@pytest.mark.parametrize("error", [RuntimeError("power cut"), KeyboardInterrupt()])
def test_callbacks_are_told_of_the_end_of_a_run_that_failed(data, error):
    """A progress bar is closed and a writer flushed, whatever ended the training."""
    ends = []

    class Recorder(keras.callbacks.Callback):
        """Writes down the ends."""

        def on_train_end(self, logs=None):
            ends.append("end")

    def fail():
        raise error

    trainer = make_trainer(make_config(), data, steps_per_call=1)
    with pytest.raises(type(error)):
        trainer.fit(callbacks=[Recorder(), AtCall({2}, fail)])
    assert ends == ["end"]


def test_a_stop_is_obeyed_once(data):
    """The next `fit` of the same trainer goes on, and ends as if it had never been stopped."""
    uninterrupted = make_trainer(make_config(), data)
    uninterrupted.fit()
    trainer = make_trainer(make_config(), data, steps_per_call=1)
    assert not trainer.fit(callbacks=[AtCall({3}, trainer.request_stop)])
    assert trainer.step == 3
    assert trainer.fit()
    assert_identical(trainer, uninterrupted)


def test_a_stop_in_a_run_that_failed_is_not_kept(data):
    """A stop that an error came before is not taken for one of the next `fit`."""

    def stop_and_fail():
        trainer.request_stop()
        crash()

    trainer = make_trainer(make_config(), data, steps_per_call=1)
    with pytest.raises(RuntimeError, match="power cut"):
        trainer.fit(callbacks=[AtCall({1}, stop_and_fail)])
    assert trainer.fit()


def test_a_stop_before_the_first_step_is_obeyed(data):
    """A signal that comes just before the training is not lost."""
    trainer = make_trainer(make_config(), data)
    trainer.request_stop()
    assert not trainer.fit()
    assert trainer.step == 0


def test_a_complete_run_has_nothing_left_to_do(data, tmp_path):
    """Going on after the last epoch restores it and trains no step."""
    config = make_config()
    trainer = make_trainer(config, data)
    trainer.fit(data, (), tmp_path)
    again = make_trainer(config, data)
    assert again.fit(data, [AtCall({1}, crash)], tmp_path)
    assert_identical(again, trainer)


def test_on_epoch_finds_the_epoch_on_disk(data, tmp_path):
    """When an epoch is reported, its checkpoint is there."""
    seen = []
    trainer = make_trainer(make_config(), data)
    trainer.fit(data, (), tmp_path, lambda lines: seen.append((len(lines), newest_step(tmp_path))))
    assert seen == [(1, 4), (2, 8)]


def test_keras_callbacks(data):
    """Callbacks see epochs and batches as Keras numbers them, and may end the training."""
    events = []

    class Recorder(keras.callbacks.Callback):
        """Writes down what it is told, and stops after the first epoch."""

        def on_train_begin(self, logs=None):
            events.append("train")

        def on_epoch_begin(self, epoch, logs=None):
            events.append(("epoch", epoch))

        def on_train_batch_begin(self, batch, logs=None):
            events.append(("begin", batch))

        def on_train_batch_end(self, batch, logs=None):
            events.append(("end", batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            events.append(("epoch end", epoch, logs["epoch"]))
            self.model.stop_training = True

        def on_train_end(self, logs=None):
            events.append("train end")

    trainer = make_trainer(make_config(), data, steps_per_call=3)
    assert trainer.fit(callbacks=[Recorder()])
    assert events == [
        "train",
        ("epoch", 0),
        ("begin", 0),
        ("end", 2, ["accuracy", "loss"]),
        ("begin", 3),
        ("end", 3, ["accuracy", "loss"]),
        ("epoch end", 0, 1),
        "train end",
    ]
    assert trainer.epoch == 1


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
