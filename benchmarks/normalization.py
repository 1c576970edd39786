"""Which normalization of the U-Net trains the generators best: affine, group or batch.

    python benchmarks/normalization.py [--patients 150] [--epochs 3] [--seeds 2]

Trains CyCE, and SyCE from it, as training/phantom_brain.yaml does, against the classifier of
bundles/phantom_brain, with fewer patients and epochs. They are measured on the recipe's validation patients;
test patients are not touched.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

import keras
import results
import tensorflow as tf

from bundles import PHANTOM_BRAIN
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.figures import pair_figures
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import train_stage
from tfadvpath.training.run import make_deterministic
from tfadvpath.training.stage_data import StageData, with_classifier
from tfadvpath.training.stages.registry import stage_class

NORMALIZATIONS = ("affine", "group", "batch")
STAGES = ("cyce", "syce")
FIGURES = ("flip_rate", "flip_rate_interval", "keep_rate", "adversary_distance", "stable_distance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    changes = [f"data.patients.train={arguments.patients}"]
    changes += [f"{stage}.epochs={arguments.epochs}" for stage in STAGES]
    recipe = load_recipe("training/phantom_brain.yaml", changes)
    parts = {part: recipe.data.load(part, recipe.seed) for part in ("train", "validation")}
    figures = {}
    for seed in range(arguments.seeds):
        for normalization in NORMALIZATIONS:
            begin: dict[str, keras.Model] = {}
            for stage in STAGES:
                begin, measured = trained(recipe, parts, stage, begin, normalization, seed)
                figures[f"{stage}, {normalization}, seed {seed}"] = measured
                results.write("normalization", {"changes": changes, "figures": figures})


def trained(recipe: Recipe, parts, name: str, begin, normalization: str, seed: int) -> tuple[dict, dict]:
    """Trains one stage, and returns its networks and what they are worth on the validation images."""
    make_deterministic(seed)
    data = with_classifier(StageData(recipe.name, parts), load_bundle(PHANTOM_BRAIN).classifier)
    data = dataclasses.replace(data, start_from=begin)
    options = recipe.stages[name].model_copy(update={"normalization": normalization})
    stage = stage_class(name, options)(options, data, seed)
    with tempfile.TemporaryDirectory() as folder:
        model, progress = train_stage(
            stage, Path(folder), Logbook(Path(folder)), lambda event: None, tf.distribute.get_strategy()
        )
    measured = pair_figures(model, parts["validation"].images, parts["validation"].patients)
    figures = {figure: measured[figure] for figure in FIGURES if measured[figure] is not None}
    return dict(stage.networks(model)), {"lowest_loss": progress.lowest} | figures


if __name__ == "__main__":
    main()
