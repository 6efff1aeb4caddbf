"""Runs that are stopped, killed or crash: going on costs nothing, and callbacks are told."""

import keras
import numpy as np
import pytest

from tests.modes import mostly_slow
from tests.training.trainers import (
    AtCall,
    assert_identical,
    make_config,
    make_trainer,
)


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


@pytest.mark.parametrize(
    "name", mostly_slow(OPTIONS, ["adam", "average of adamw", *list(OPTIONS)[-1:]])
)
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
