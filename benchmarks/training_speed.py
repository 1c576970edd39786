"""Images per second of every stage: its step compiled and not, float32 against bfloat16.

    python benchmarks/training_speed.py [--recipe training/phantom_brain.yaml] [--repeats 3] [--seconds 3]

Random images of the recipe's size stand for the data, half of them predicted 1. Everything is compiled and
run once before it is timed; the variants of a stage alternate.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import results
import tensorflow as tf

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.models.precision import policy, with_policy
from tfadvpath.recipes.data import PARTS
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.training.loop import compiled_step
from tfadvpath.training.run import POLICIES
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.registry import stage_class

VARIANTS = {
    "compiled, float32": ("float32", True),
    "uncompiled, float32": ("float32", False),
    "compiled, bfloat16": ("bfloat16", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="training/phantom_brain.yaml")
    parser.add_argument("--stage", action="append", help="may be repeated; all by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement, at least")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, arguments.set)
    figures = {}
    for name in arguments.stage or recipe.stages:
        figures[name] = measure(recipe, name, arguments.repeats, arguments.seconds)
        print(name, figures[name], flush=True)
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    results.write(
        "training_speed",
        {"recipe": recipe.name, "image_size": recipe.data.image_size, "device": device, "stages": figures},
    )


def measure(recipe: Recipe, name: str, repeats: int, seconds: float) -> dict[str, float]:
    """Returns the images per second of every variant of a stage, and two ratios."""
    steps = {variant: a_step(recipe, name, *how) for variant, how in VARIANTS.items()}
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for step, _ in steps.values():
        step()
    for _ in range(repeats):
        for variant, (step, images) in steps.items():
            begin, done = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds or not done:
                step()
                done += 1
            rates[variant].append(done * images / (time.perf_counter() - begin))
    medians = {variant: statistics.median(values) for variant, values in rates.items()}
    compiled, uncompiled, half = medians.values()
    return {variant: round(rate, 1) for variant, rate in medians.items()} | {
        "compiled to uncompiled": round(compiled / uncompiled, 2),
        "bfloat16 to float32": round(half / compiled, 2),
    }


def a_step(recipe: Recipe, name: str, precision: str, is_compiled: bool) -> tuple[Callable[[], object], int]:
    """Returns a function that takes one training step, and the images in it."""
    keras.utils.set_random_seed(0)
    data = random_data(recipe, precision)
    options = recipe.stages[name].model_copy(update={"steps_per_epoch": 1})
    with policy(POLICIES[precision]):
        stage = stage_class(name, options)(options, data, 0)
        model = stage.build()
    batch = next(iter(stage.batches(0)))
    images = options.batch_size * (2 if getattr(stage, "paired", False) else 1)
    strategy = tf.distribute.get_strategy()
    step = stage.step(model)
    if is_compiled:
        step = compiled_step(model, step, strategy)

    def run() -> object:
        step(batch)
        return model.get_metrics_result()["loss"].numpy()  # waits for the device

    return run, images


def random_data(recipe: Recipe, precision: str) -> StageData:
    """Returns images by chance that a random classifier is said to assign to both classes in turn."""
    size, count = recipe.data.image_size, 2 * max(options.batch_size for options in recipe.stages.values())
    images = np.random.default_rng(0).random((count, size, size, 1), np.float32)
    half = (np.arange(count) % 2).astype(np.float32)
    # All of it is a finding, which a recipe may have its classifier learn.
    part = LabelledImages(images, half, np.ones(images.shape[:3], bool), half.astype(str))
    parts = dict.fromkeys(PARTS, part)
    stage = stage_class(CLASSIFIER, recipe.classifier)(recipe.classifier, StageData(recipe.name, parts), 0)
    classifier = stage.networks(stage.build())[CLASSIFIER]
    if precision != "float32":
        classifier = with_policy(classifier, POLICIES[precision])
    return StageData(recipe.name, parts, classifier, dict.fromkeys(PARTS, half))


if __name__ == "__main__":
    main()
