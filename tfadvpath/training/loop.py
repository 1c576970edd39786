"""The loop over epochs: one stage from its last checkpoint to its best weights."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import Training
from tfadvpath.training.checkpoint import Progress, load_checkpoint, save_checkpoint, state_of
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.stage import Stage

# A look at the loss waits for the device: not after every step.
STEPS_BETWEEN_LOOKS = 25


@dataclass(frozen=True)
class Event:
    """One report to a listener: when a stage begins, now and then, and at the end of every epoch.

    Attributes:
        stage: Name of the stage.
        step: Number of steps that are done, of all epochs or of the warm-up.
        steps: Number of steps of all epochs, or the largest one of the warm-up.
        logs: Numbers that the epoch logged, at its end, else None.
        warm_up: Whether the steps are those of the warm-up.
        line: Sentence on what the warm-up measured on validation images after that step, or a warning; else
            None.
    """

    stage: str
    step: int
    steps: int
    logs: dict[str, float] | None = None
    warm_up: bool = False
    line: str | None = None

    @property
    def title(self) -> str:
        """Name of the stage, and that it is warming up."""
        return f"{self.stage}, warm-up" if self.warm_up else self.stage


Listener = Callable[[Event], None]


def train_stage(
    stage: Stage,
    folder: Path,
    logbook: Logbook,
    listener: Listener,
    strategy: tf.distribute.Strategy,
    until: float | None = None,
) -> tuple[keras.Model, Progress]:
    """Trains a stage, from its checkpoint if there is one, and returns the model with its best weights.

    After the warm-up and every epoch the whole state is written: a training that was killed goes on to the
    same result as one that was not, on the same machine.

    Args:
        stage: Stage to train.
        folder: Folder that gets ``checkpoint.npz``.
        logbook: Logbook that gets the numbers and pictures of every epoch.
        listener: Function that is told how far it is.
        strategy: Strategy of the devices to train on: ``tf.distribute.get_strategy()`` is one device.
        until: Time of ``time.monotonic`` by which it shall end, after whole epochs and at least one; None
            trains all of them.

    Raises:
        InputError: A loss was not a number, or the checkpoint is damaged or of another recipe.
    """
    options = stage.options
    _check_shares(stage, strategy)
    listener(Event(stage.name, 0, options.epochs * stage.steps))  # building takes a while
    with strategy.scope():
        model = stage.build()
    state = state_of(model)
    path = folder / "checkpoint.npz"
    if path.exists():
        progress, now, best = load_checkpoint(path)
        _restore(state, now, path)
    else:
        progress, best, began = Progress(), [], time.monotonic()
        with strategy.scope():
            warmed_up = stage.warm_up(
                model,
                lambda step, steps, line=None: listener(
                    Event(stage.name, step, steps, warm_up=True, line=line)
                ),
            )
        progress.warm_up_seconds = time.monotonic() - began
        if warmed_up:
            save_checkpoint(path, progress, _values(state), best)
    train = compiled_step(model, stage.step(model), strategy)
    test = compiled_step(model, model.test_step, strategy)
    measure = stage.measurement(model)
    while progress.epochs < options.epochs and not _ended(progress, options, until):
        epoch, began = progress.epochs, time.monotonic()
        look = functools.partial(_look, stage, model, epoch, folder, listener)
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        logs = run_epoch(model, train, strategy, stage.batches(epoch), look)
        held_out = stage.validation()
        if strategy.num_replicas_in_sync > 1:  # a last, smaller batch cannot be shared out evenly
            held_out = held_out.unbatch().batch(stage.batch, drop_remainder=True)
        of_validation = {**run_epoch(model, test, strategy, held_out), **measure()}
        logs |= {f"val_{name}": value for name, value in of_validation.items()}
        _check(stage.name, epoch, folder, logs)
        seconds = time.monotonic() - began + (0.0 if progress.history else progress.warm_up_seconds)
        logs |= {"epoch": epoch, "learning_rate": rate, "seconds": seconds}
        _note(progress, logs, stage.rank(logs))
        if progress.best_epoch == epoch:
            best = _values(state)
        _lower_rate(model, progress, options)
        # After the rate was lowered: it is part of the state.
        save_checkpoint(path, progress, _values(state), best)
        logbook.write(stage.name, epoch, logs, stage.panel(model))
        listener(Event(stage.name, progress.epochs * stage.steps, options.epochs * stage.steps, logs))
    _restore(state, best, path)
    return model, progress


def compiled_step(
    model: keras.Model, step: Callable[[Any], Any], strategy: tf.distribute.Strategy
) -> Callable[[Any], None]:
    """Returns a compiled function of a batch that runs a model's step on every device of a strategy."""
    return on_every_device(step, strategy, model.jit_compile)


def on_every_device(
    step: Callable[[Any], Any], strategy: tf.distribute.Strategy, xla: bool
) -> Callable[[Any], None]:
    """Returns a compiled function of a batch that runs a step on every device of a strategy.

    Args:
        step: Function of one device's share of the batch.
        strategy: Strategy of one device or several.
        xla: Whether XLA compiles the step; on several devices it never does. There a step takes means over
            the devices and gathers from them, for which its devices have to meet: TensorFlow forbids that
            inside a function that XLA must compile.
    """

    def on_device(batch: Any) -> None:
        step(batch)

    if xla and strategy.num_replicas_in_sync == 1:
        on_device = tf.function(on_device, jit_compile=True, autograph=False)

    def everywhere(batch: Any) -> None:
        strategy.run(on_device, args=(batch,))

    return tf.function(everywhere, reduce_retracing=True, autograph=False)


def shared_out(batches: tf.data.Dataset, strategy: tf.distribute.Strategy) -> Iterable[Any]:
    """Returns the batches, each of them in equal shares for the devices of a strategy."""
    if strategy.num_replicas_in_sync == 1:
        return batches
    return strategy.experimental_distribute_dataset(batches)


def run_epoch(
    model: keras.Model,
    step: Callable[[Any], None],
    strategy: tf.distribute.Strategy,
    batches: tf.data.Dataset,
    look: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Runs a step on every batch and returns the means of the numbers that it logs."""
    model.reset_metrics()
    for number, batch in enumerate(shared_out(batches, strategy), start=1):
        step(batch)
        if look and number % STEPS_BETWEEN_LOOKS == 0:
            look(number)
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def _check_shares(stage: Stage, strategy: tf.distribute.Strategy) -> None:
    """Checks that several devices can share every batch evenly, and that a validation batch is whole."""
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return
    if stage.batch % (devices * stage.sub_batches):
        raise InputError(
            f"{stage.name}.batch_size",
            f"{stage.batch} images a step cannot be shared by {devices} devices",
            f"Make it a multiple of {devices * stage.sub_batches}, or choose devices by CUDA_VISIBLE_DEVICES",
        )
    first = next(iter(stage.validation()), ())
    count = len(tf.nest.flatten(first)[0]) if tf.nest.flatten(first) else 0
    if count < stage.batch:
        raise InputError(
            stage.name,
            f"{count} validation images, where {devices} devices need a batch of {stage.batch}",
            f"Add validation images or lower {stage.name}.batch_size",
        )


def _look(stage: Stage, model: keras.Model, epoch: int, folder: Path, listener: Listener, step: int) -> None:
    _check(stage.name, epoch, folder, model.get_metrics_result())
    listener(Event(stage.name, epoch * stage.steps + step, stage.options.epochs * stage.steps))


def _values(state: list[keras.Variable]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in state]


def _check(stage: str, epoch: int, folder: Path, logs: dict[str, Any]) -> None:
    for name, value in logs.items():
        if not math.isfinite(float(value)):
            raise InputError(
                f"{stage}, epoch {epoch + 1}",
                f"{name} is not a number any more",
                f"Delete {folder}, lower {stage}.learning_rate in the recipe and go on with `resume`",
            )


def _note(progress: Progress, logs: dict[str, float], rank: float | None) -> None:
    """Adds an epoch to the progress. Without a number to rank it by, the last epoch is the best."""
    progress.history.append(logs)
    if rank is None or rank < progress.lowest:
        progress.lowest = progress.lowest if rank is None else rank
        progress.best_epoch, progress.since_change = progress.epochs, 0
    else:
        progress.since_change += 1
    progress.epochs += 1


def _lower_rate(model: keras.Model, progress: Progress, options: Training) -> None:
    if options.schedule != "plateau" or progress.since_change < options.plateau_patience:
        return
    for optimizer in (model.optimizer, getattr(model, "discriminator_optimizer", None)):
        if optimizer is not None:
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            # A rate that began below the least one stays where it is.
            lowered = max(rate * options.plateau_factor, options.min_learning_rate)
            optimizer.learning_rate = min(rate, lowered)
    progress.since_change = 0


def _ended(progress: Progress, options: Training, until: float | None) -> bool:
    if until is not None and progress.history:
        # The first epoch says little of the next: the step is traced in it.
        next_epoch = min((logs["seconds"] for logs in progress.history[1:]), default=0.0)
        if time.monotonic() + next_epoch > until:
            return True
    if options.early_stopping is None:
        return False
    return progress.epochs - 1 - progress.best_epoch >= options.early_stopping


def _restore(state: list[keras.Variable], values: list[np.ndarray], path: Path) -> None:
    if [tuple(variable.shape) for variable in state] != [value.shape for value in values]:
        raise InputError(path, "the checkpoint is of another recipe", "Name a new folder for this recipe")
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
