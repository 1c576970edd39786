"""The recipe of a training that has so many minutes: networks by the images, steps by the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import Recipe
from tfadvpath.training.loop import compiled_step
from tfadvpath.training.run import choose_strategy, make_deterministic
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.registry import stage_class

# Stages of each method, in their order, with their shares of the time.
STAGES: dict[str, dict[str, float]] = {
    "syce": {"cyce": 0.5, "syce": 0.5},
    "cyce": {"cyce": 1.0},
    "sagen": {"sagen": 1.0},
}
# Time of a step in steps of CyCE: SyCE's, and that of the warm-up in which it learns to undo CyCE.
COST = {"cyce": 1.0, "syce": 1.4, "sagen": 1.0}
_UNDO = 0.7
_COMPILED = 1.5  # a stage's step and that of the validation, in times that the step alone takes
_VALIDATION = 0.45
# Steps that no training needs more of, and steps of an epoch, after which the networks are measured.
_MOST_STEPS, _EPOCH_STEPS = 4000, 75
_MOST_EPOCHS = 20
_UNDO_SHARE, _MOST_UNDO = 0.5, 1500  # of a stage's time, and in steps
_WIDTHS = {"GPU": (16, 32, 64, 128, 128), "CPU": (8, 16, 32, 64, 64)}
_FEW_STEPS = 500  # of a stage: then narrower networks are taken, whose step costs this share
_NARROWER = 0.6
_BATCH = 8
_PROBED = 4  # steps whose time is taken
_LEAST_LEVELS = 3
_SMALLEST = 8  # pixels of a side at the lowest level
_PATIENCE = 5  # epochs


@dataclass(frozen=True)
class Speed:
    """The speed of a machine.

    Attributes:
        step: Seconds of a training step of a method's first stage.
        tracing: Seconds until that step is compiled.
    """

    step: float
    tracing: float


def networks_for(image_size: int, wide: bool) -> dict[str, Any]:
    """Returns the options of U-Nets for images of a size, as a recipe names them.

    Args:
        image_size: Height and width in pixels, a multiple of 4 from 32 on.
        wide: Whether a GPU trains them.
    """
    widths = _WIDTHS["GPU" if wide else "CPU"]
    levels = min(_LEAST_LEVELS, len(widths))
    while levels < len(widths) and image_size % 2**levels == 0 and image_size >= _SMALLEST * 2**levels:
        levels += 1
    return {
        "filters": list(widths[:levels]),
        "normalization": "group",
        "dropout": 0.0,
        # A change at a lower resolution holds no chequers and no noise of single pixels.
        "residual": 4 if image_size >= 96 else 2,
        "padding": "mirrored",
    }


def narrower(networks: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of U-Nets of half the width."""
    return {**networks, "filters": [max(4, width // 2) for width in networks["filters"]]}


def recipe_for(
    name: str,
    method: str,
    classifier: Path,
    images: Path,
    image_size: int,
    networks: Mapping[str, Any],
    batch_size: int,
    lengths: Mapping[str, Mapping[str, int]],
    seed: int,
    channel: int | None = None,
) -> Recipe:
    """Returns the recipe of a method's stages for a classifier that is taken as it is.

    Args:
        name: Name of the bundle.
        method: Name of the method among ``STAGES``.
        classifier: File of the decision.
        images: Folder that ``datasets.own_images`` wrote.
        image_size: Height and width of the images in pixels.
        networks: Options of the U-Nets.
        batch_size: Images of each decision in a step.
        lengths: For each stage its "epochs", "steps_per_epoch" and perhaps "warm_up_steps".
        seed: Seed of every random number.
        channel: Channel of 4-D volumes that the classifier sees.
    """
    common = {
        **networks,
        "flip_target": 0.95,
        "learning_rate": 5e-4,
        "schedule": "cosine",
        "clip_norm": 1.0,
        "batch_size": batch_size,
        "early_stopping": _PATIENCE,
    }
    options: dict[str, dict[str, Any]] = {
        "cyce": {
            **common,
            "discriminator_learning_rate": 1e-3,
            "loss_weights": {"near": 5.0, "flip": 0.5},
        },
        "syce": {
            **common,
            "start_from": "cyce",
            "warm_up_learning_rate": 5e-4,
            "learning_rate": 2e-4,
            "discriminator_learning_rate": 1e-3,
            # No target of `keep`: its weight would rise until x_s keeps the decision by anything at all.
            "loss_weights": {"flip": 0.5, "keep": 0.05, "cycle": 10.0},
        },
        "sagen": {
            **common,
            "keep_target": 0.97,
            "batch_size": 2 * batch_size,
            "loss_weights": {"flip": 0.5},
        },
    }
    return Recipe.model_validate(
        {
            "name": name,
            "seed": seed,
            "data": {
                "task": "own-images",
                "path": str(images.absolute()),
                "image_size": image_size,
                "channel": channel,
            },
            "classifier": {"model": str(classifier.absolute())},
            **{stage: {**options[stage], **lengths[stage]} for stage in STAGES[method]},
        }
    )


def check_method(method: str) -> None:
    """Checks that a method can be fitted.

    Raises:
        InputError: It cannot.
    """
    if method not in STAGES:
        raise InputError("`method`", f"{method!r} is not fitted", f"Choose one of {', '.join(STAGES)}")


def batch_for(counts: Mapping[str, list[int]]) -> int:
    """Returns how many images of each decision a step takes: no part may have fewer.

    Args:
        counts: For each part its images predicted 0 and 1.
    """
    return min(_BATCH, *counts["train"], *counts["validation"])


def has_gpu() -> bool:
    """Returns whether a GPU trains here."""
    return bool(tf.config.list_logical_devices("GPU"))


def measured_speed(recipe: Recipe, stage: str, data: StageData) -> Speed:
    """Returns how fast a stage trains here, by a few steps that are thrown away.

    Args:
        recipe: Recipe that has the stage.
        stage: Name of the stage.
        data: Images, the classifier and its answers.
    """
    make_deterministic(recipe.seed)
    options = recipe.stages[stage]
    one = stage_class(stage, options)(options, data, recipe.seed)
    strategy = choose_strategy()
    with strategy.scope():
        model = one.build()
    step = compiled_step(model, one.step(model), strategy)
    times = []
    began = time.monotonic()
    for batch in one.batches(0).take(_PROBED + 1):
        step(batch)
        model.get_metrics_result()["loss"].numpy()  # waits for the device
        times.append(time.monotonic() - began)
        began = time.monotonic()
    return Speed(min(times[1:]), times[0])


def lengths_for(
    stage: str, seconds: float, step: float, tracing: float, validation_steps: int, starts_from: bool
) -> dict[str, int]:
    """Returns the epochs, steps of an epoch and warm-up steps of a stage that has so many seconds.

    Args:
        stage: Name of the stage.
        seconds: Seconds for all of it but the measurements at its end.
        step: Seconds of a step of CyCE, or of SAGen for its own.
        tracing: Seconds until a step is compiled.
        validation_steps: Number of validation batches after each epoch.
        starts_from: Whether it first learns what another stage made.
    """
    own = step * COST[stage]
    left = seconds - _COMPILED * tracing
    found: dict[str, int] = {}
    if starts_from:
        left -= tracing
        undo = min(_MOST_UNDO, int(_UNDO_SHARE * left / (_UNDO * step)))
        found["warm_up_steps"] = max(1, undo)
        left -= found["warm_up_steps"] * _UNDO * step
    steps = min(_MOST_STEPS, max(0.0, left) / own)
    epochs = int(min(_MOST_EPOCHS, max(2, steps // _EPOCH_STEPS)))
    each = steps / epochs - _VALIDATION * validation_steps
    return {"epochs": epochs, "steps_per_epoch": max(5, int(each)), **found}


def seconds_of_compiling(method: str, speed: Speed) -> float:
    """Returns the seconds in which the steps of a method's stages are compiled.

    Args:
        method: Name of the method.
        speed: Speed of this machine.
    """
    return sum(_COMPILED + (stage == "syce") for stage in STAGES[method]) * speed.tracing


def too_slow(lengths: Mapping[str, int]) -> bool:
    """Returns whether so few steps fit into the time that narrower networks are the better choice."""
    return lengths["epochs"] * lengths["steps_per_epoch"] < _FEW_STEPS


def speed_of_narrower(speed: Speed) -> Speed:
    """Returns the speed that networks of half the width are expected to have."""
    return Speed(speed.step * _NARROWER, speed.tracing)


def step_in_history(history: list[Mapping[str, float]], steps: int, validation_steps: int) -> float | None:
    """Returns the seconds of a training step by the epochs of a stage; None where there is none.

    Args:
        history: Numbers that every epoch logged.
        steps: Training steps of an epoch.
        validation_steps: Number of validation batches after each epoch.
    """
    if not history:
        return None
    return min(epoch["seconds"] for epoch in history) / (steps + _VALIDATION * validation_steps)
