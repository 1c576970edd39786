"""The AUC that a classifier of slices has to beat: that of their position alone.

    python benchmarks/slice_position.py RECIPE [--set KEY=VALUE]

For recipes whose data are whole stacks in order, such as training/lgg.yaml. The position runs from 0 at a
patient's first image to 1 at the last; a twentieth of the way is scored by its share of class 1 among the
training patients.
"""

from __future__ import annotations

import argparse

import numpy as np
import results

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.recipes.data import PARTS
from tfadvpath.recipes.recipe import load_recipe

BINS = 20


def positions(part: LabelledImages) -> np.ndarray:
    """Returns int64 [N]: in which twentieth of its patient's images each one lies."""
    patients = np.asarray(part.patients)
    found = np.zeros(len(patients), np.int64)
    for patient in set(patients.tolist()):
        rows = np.flatnonzero(patients == patient)
        found[rows] = np.arange(len(rows)) * BINS // len(rows)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, arguments.set)
    parts = {part: recipe.data.load(part, recipe.seed) for part in PARTS}
    train = positions(parts["train"])
    share = np.bincount(train, parts["train"].labels, BINS) / np.maximum(
        np.bincount(train, minlength=BINS), 1
    )
    figures = {}
    for part in ("validation", "test"):
        probability = share[positions(parts[part])]
        measured = classifier_figures(probability, parts[part].labels, parts[part].patients)
        figures[part] = {name: measured[name] for name in ("images", "patients", "auc", "auc_interval")}
    results.write("slice_position", {"recipe": recipe.name, "figures": figures})


if __name__ == "__main__":
    main()
