"""Which normalization of the U-Net trains the generators best: affine, group or batch.

    python benchmarks/normalization.py [--stage cyce] [--patients 150] [--epochs 3] [--seeds 2]

Each trains a stage of training/phantom_brain.yaml against the shipped classifier on fewer patients and
steps, and is measured on the recipe's validation patients; test patients are not touched.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import results
import tensorflow as tf

from tfadvpath.bundle import DEMONSTRATION, load_bundle
from tfadvpath.training.data import load_part
from tfadvpath.training.figures import pair_figures
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import train_stage
from tfadvpath.training.material import Material, with_classifier
from tfadvpath.training.recipe import load_recipe
from tfadvpath.training.run import STAGE_CLASSES, make_deterministic

NORMALIZATIONS = ("affine", "group", "batch")
FIGURES = ("flip_rate", "flip_rate_interval", "keep_rate", "adversary_distance", "stable_distance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=["cyce", "syce", "sagen"], default="cyce")
    parser.add_argument("--patients", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    changes = [f"data.patients.train={arguments.patients}", f"{arguments.stage}.epochs={arguments.epochs}"]
    recipe = load_recipe("training/phantom_brain.yaml", changes)
    parts = {part: load_part(recipe.data, recipe.seed, part) for part in ("train", "validation")}
    figures = {}
    for normalization in NORMALIZATIONS:
        for seed in range(arguments.seeds):
            figures[f"{normalization}, seed {seed}"] = trained(
                recipe, parts, arguments.stage, normalization, seed
            )
            print(normalization, seed, figures[f"{normalization}, seed {seed}"], flush=True)
    results.write("normalization", {"stage": arguments.stage, "changes": changes, "figures": figures})


def trained(recipe, parts, name: str, normalization: str, seed: int) -> dict:
    """Trains one stage and returns what it is worth on the validation images."""
    make_deterministic(seed)
    material = with_classifier(Material(recipe.name, parts), load_bundle(DEMONSTRATION).classifier)
    options = recipe.stages[name].model_copy(update={"normalization": normalization})
    stage = STAGE_CLASSES[name](options, material, seed)
    with tempfile.TemporaryDirectory() as folder:
        model, progress = train_stage(
            stage, Path(folder), Logbook(Path(folder)), lambda event: None, tf.distribute.get_strategy()
        )
    measured = pair_figures(model, parts["validation"].images, parts["validation"].patients)
    return {"lowest_loss": progress.lowest} | {figure: measured[figure] for figure in FIGURES}


if __name__ == "__main__":
    main()
