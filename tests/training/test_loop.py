"""The loop on a model of one weight, whose every step is known."""

import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import ClassifierOptions, Training
from tfadvpath.training import loop
from tfadvpath.training.checkpoint import load_checkpoint, state_of
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import on_every_device, train_stage
from tfadvpath.training.stage import Stage, unheard
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.classifier import ClassifierStage

ONE_DEVICE = tf.distribute.get_strategy()


class Line(Stage):
    """Fits y = w x to y = 3 x; validation asks for another slope, so that it is best on the way."""

    name = "line"
    held_out_slope = 3.0

    def __init__(self, stopped_after=None, **options):
        super().__init__(Training(**{"learning_rate": 0.1, "epochs": 6, "batch_size": 2, **options}), None, 0)
        self.stopped_after = stopped_after
        self.seen = []

    def build(self):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.GaussianNoise(0.1, seed=1),
                keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
            ]
        )
        optimizer = keras.optimizers.Adam(self.options.learning_rate)
        model.compile(optimizer, "mse", jit_compile=False)
        optimizer.build(model.trainable_variables)
        return model

    steps = 3

    def batches(self, epoch):
        if epoch == self.stopped_after:
            raise KeyboardInterrupt
        self.seen.append(epoch)
        x = np.random.default_rng(epoch).random((6, 1)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((x, 3 * x)).batch(2)

    def validation(self):
        x = np.linspace(0, 1, 4, dtype=np.float32)[:, np.newaxis]
        return tf.data.Dataset.from_tensor_slices((x, self.held_out_slope * x)).batch(4)

    def networks(self, model):
        return {"line": model}

    def figures(self, model, part):
        return {}


def train(stage, folder, events=None):
    listener = events.append if events is not None else lambda event: None
    return train_stage(stage, folder, Logbook(folder / "logs"), listener, ONE_DEVICE)


def slope(model):
    return float(model.layers[-1].kernel[0, 0])


def without_times(history):
    return [{name: value for name, value in logs.items() if name != "seconds"} for logs in history]


@pytest.mark.slow
def test_a_stage_stopped_three_times_ends_as_one_that_was_not(tmp_path):
    model, progress = train(Line(), tmp_path)
    (tmp_path / "stopped").mkdir()
    for epoch in (1, 2, 5):
        with pytest.raises(KeyboardInterrupt):
            train(Line(stopped_after=epoch), tmp_path / "stopped")
    resumed = Line()
    other, other_progress = train(resumed, tmp_path / "stopped")
    assert resumed.seen == [5]
    assert slope(other) == slope(model)
    assert without_times(other_progress.history) == without_times(progress.history)
    for one, two in zip(state_of(model), state_of(other), strict=True):
        np.testing.assert_array_equal(one, two)


class WarmedUp(Line):
    """A line whose slope is 1 after a warm-up of 50 steps."""

    def warm_up(self, model, look=unheard):
        self.warmed_up = True
        time.sleep(0.5)
        for step in (25, 50):
            look(step, 80)
        look(50, 80, "the slope is 0")
        model.layers[-1].kernel.assign([[1.0]])
        return 50


def test_a_stage_stopped_after_its_warm_up_does_not_warm_up_again(tmp_path):
    events = []
    model, _ = train(WarmedUp(epochs=2), tmp_path, events)
    assert [(event.title, event.step, event.steps, event.line) for event in events[:4]] == [
        ("line", 0, 6, None),
        ("line, warm-up", 25, 80, None),
        ("line, warm-up", 50, 80, None),
        ("line, warm-up", 50, 80, "the slope is 0"),
    ]
    assert {event.title for event in events[4:]} == {"line"}
    (tmp_path / "stopped").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(WarmedUp(stopped_after=0, epochs=2), tmp_path / "stopped")
    resumed = WarmedUp(epochs=2)
    other, progress = train(resumed, tmp_path / "stopped")
    assert not hasattr(resumed, "warmed_up")
    assert slope(other) == slope(model)
    # The first epoch took the time of the warm-up as well, though another process did that.
    assert 0.5 <= progress.warm_up_seconds <= progress.history[0]["seconds"]


def test_a_stage_without_warm_up_has_no_result_before_its_first_epoch(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(Line(stopped_after=0), tmp_path)
    assert not (tmp_path / "checkpoint.npz").exists()


def test_the_best_epoch_on_validation_is_kept(tmp_path):
    stage = Line(epochs=8)
    stage.held_out_slope = 1.0
    model, progress = train(stage, tmp_path)
    losses = [logs["val_loss"] for logs in progress.history]
    assert 0 < progress.best_epoch < 7
    assert progress.lowest == min(losses) == losses[progress.best_epoch]
    x = np.linspace(0, 1, 4)
    assert np.mean((slope(model) * x - x) ** 2) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize(
    ("until", "epochs"), [(35.0, 3), (30.0, 3), (29.0, 2), (0.0, 1), (1000.0, 6), (None, 6)]
)
def test_no_epoch_begins_that_would_end_after_the_time(until, epochs, tmp_path, monkeypatch):
    """By a clock in which every epoch takes ten seconds."""
    now = [0.0]

    class Clocked(Line):
        def batches(self, epoch):
            now[0] += 10.0
            return super().batches(epoch)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    logbook = Logbook(tmp_path / "logs")
    _, progress = train_stage(Clocked(), tmp_path, logbook, lambda event: None, ONE_DEVICE, until)
    assert progress.epochs == epochs


@pytest.mark.slow
def test_a_stage_ranks_its_epochs_itself(tmp_path):
    class FarFrom(Line):
        def rank(self, logs):
            return -logs["val_loss"]

    class Last(Line):
        held_out_slope = -1.0

        def rank(self, logs):
            return None

    _, progress = train(FarFrom(), tmp_path)
    assert progress.best_epoch == np.argmax([logs["val_loss"] for logs in progress.history])
    (tmp_path / "last").mkdir()
    assert train(Last(), tmp_path / "last")[1].best_epoch == 5


@pytest.mark.parametrize(("monitor", "best"), [("loss", 0), ("auc", 1)])
def test_the_classifier_is_best_where_its_recipe_looks(monitor, best):
    labels = np.array([0, 1], np.float32)
    part = LabelledImages(
        np.zeros((2, 8, 8, 1), np.float32), labels, np.zeros((2, 8, 8), bool), np.array(["a", "b"])
    )
    options = ClassifierOptions(batch_size=2, monitor=monitor)
    stage = ClassifierStage(options, StageData("two images", {"train": part}), 0)
    epochs = [{"val_loss": 0.2, "val_auc": 0.9}, {"val_loss": 0.3, "val_auc": 0.95}]
    assert np.argmin([stage.rank(logs) for logs in epochs]) == best


@pytest.mark.slow
def test_the_rate_falls_on_a_plateau_down_to_its_least_and_comes_back_from_the_checkpoint(tmp_path):
    options = {"epochs": 5, "plateau_patience": 1, "plateau_factor": 0.1, "min_learning_rate": 0.002}

    class Flat(Line):
        held_out_slope = -1.0  # every step leads away from it: the first epoch stays the best

    _, progress = train(Flat(**options), tmp_path)
    rates = [logs["learning_rate"] for logs in progress.history]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.002, 0.002], rtol=1e-5)
    (tmp_path / "stopped").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(Flat(stopped_after=3, **options), tmp_path / "stopped")
    _, resumed = train(Flat(**options), tmp_path / "stopped")
    assert without_times(resumed.history) == without_times(progress.history)


def test_a_plateau_does_not_raise_a_rate_below_the_least(tmp_path):
    class Flat(Line):
        held_out_slope = -1.0

    _, progress = train(
        Flat(epochs=4, plateau_patience=1, learning_rate=1e-3, min_learning_rate=0.01), tmp_path
    )
    np.testing.assert_allclose([logs["learning_rate"] for logs in progress.history], 1e-3, rtol=1e-6)


def test_a_stage_ends_early_when_nothing_gets_better(tmp_path):
    stage = Line(epochs=20, early_stopping=2)
    stage.held_out_slope = -1.0
    _, progress = train(stage, tmp_path)
    assert progress.best_epoch == 0
    assert progress.epochs == 3


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(tmp_path):
    class Breaks(Line):
        def batches(self, epoch):
            data = super().batches(epoch)
            return data.map(lambda x, y: (x, y * np.nan)) if epoch == 2 else data

    with pytest.raises(
        InputError, match=r"line, epoch 3: loss is not a number.*Delete .*, lower line\.learning_rate"
    ):
        train(Breaks(), tmp_path)
    progress, now, _ = load_checkpoint(tmp_path / "checkpoint.npz")
    assert progress.epochs == 2
    assert all(np.isfinite(value).all() for value in now)


class TwoDevices:
    """As much of a strategy as the checks before a training ask for, and as compiling a step does."""

    num_replicas_in_sync = 2

    def run(self, step, args):
        step(*args)


@pytest.mark.parametrize(
    ("batch_size", "sub_batches", "message"),
    [
        (3, 1, r"line\.batch_size: 3 images a step cannot be shared by 2 devices.*a multiple of 2"),
        (4, 3, r"line\.batch_size: 4 images a step cannot be shared by 2 devices.*a multiple of 6"),
        (8, 1, r"line: 4 validation images, where 2 devices need a batch of 8"),
        (6, 3, r"line: 4 validation images, where 2 devices need a batch of 6"),  # shared out as it should be
    ],
)
def test_what_several_devices_cannot_share_is_said_before_the_training(
    tmp_path, batch_size, sub_batches, message
):
    stage = Line(batch_size=batch_size)
    stage.sub_batches = sub_batches
    stage.build = lambda: pytest.fail("built")
    with pytest.raises(InputError, match=message):
        train_stage(stage, tmp_path, Logbook(tmp_path / "logs"), lambda event: None, TwoDevices())


def test_xla_compiles_on_one_device_only():
    seen = []

    def step(batch):
        # XLA has no kernel for Python's functions.
        tf.numpy_function(lambda values: seen.append(values) or values, [batch], tf.float32)

    batch = tf.ones(3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="compil"):
        on_every_device(step, ONE_DEVICE, xla=True)(batch)
    assert not seen
    on_every_device(step, ONE_DEVICE, xla=False)(batch)
    on_every_device(step, TwoDevices(), xla=True)(batch)
    assert len(seen) == 2


def test_a_damaged_checkpoint_is_named(tmp_path):
    train(Line(epochs=1), tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"checkpoint.npz: the checkpoint is damaged"):
        train(Line(), tmp_path)


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    class Wider(Line):
        def build(self):
            wider = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4), keras.layers.Dense(1)])
            wider.compile("adam", "mse", jit_compile=False)
            wider.optimizer.build(wider.trainable_variables)
            return wider

    train(Line(epochs=1), tmp_path)
    with pytest.raises(InputError, match="of another recipe"):
        train(Wider(), tmp_path)


def test_the_listener_hears_every_epoch_and_tensorboard_gets_its_numbers(tmp_path):
    events = []
    train(Line(epochs=2), tmp_path, events)
    assert (events[0].step, events[0].steps) == (0, 6)  # building has begun
    ends = [event for event in events if event.logs]
    assert [(event.step, event.steps) for event in ends] == [(3, 6), (6, 6)]
    assert {"loss", "val_loss", "epoch", "learning_rate", "seconds"} <= set(ends[0].logs)
    files = list((tmp_path / "logs/line").iterdir())
    tags = {
        value.tag
        for record in tf.compat.v1.train.summary_iterator(str(files[0]))
        for value in record.summary.value
    }
    assert {"loss/training", "loss/validation", "learning_rate/training"} <= tags
