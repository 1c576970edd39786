"""Figures of an evaluation, recorded in its bundle: the model card and ``explain`` repeat the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfadvpath.bundle.manifest import (
    FIGURES_FILE,
    HISTORY_FILE,
    MODEL_CARD,
    RECIPE,
    add_to_bundle,
    checked_manifest,
    read_object,
)
from tfadvpath.bundle.model_card import model_card
from tfadvpath.recipes.recipe import load_recipe
from tfadvpath.recipes.stages import CLASSIFIER


def record_pairs(folder: Path, pairs: Mapping[str, Mapping[str, Any]]) -> None:
    """Adds figures of generators' pairs to those of a bundle's test images, and writes its card anew.

    A training measures what the networks alone can tell. An evaluation measures more: whether adversaries
    cross a second classifier, or change what is outside the findings. The verdict needs all of it.

    Args:
        folder: Folder of the bundle.
        pairs: Figures by the generator's name and their own, as
            ``tfadvpath.evaluation.pair_quality.pair_quality`` measures them on the test images.

    Raises:
        InputError: The folder is no bundle, or a file of it is missing, changed or damaged.
    """
    manifest = checked_manifest(folder)
    figures = read_object(folder / FIGURES_FILE)
    of_test = figures.setdefault("test", {})
    for name, own in pairs.items():
        of_test[name] = {**of_test.get(name, {}), **own}
    texts = {FIGURES_FILE: json.dumps(figures, indent=2) + "\n"}
    if {MODEL_CARD, HISTORY_FILE} <= manifest["sha256"].keys():  # not in a bundle of networks alone
        about = {**manifest, "train": manifest.get("train", {}).get(CLASSIFIER)}
        histories = read_object(folder / HISTORY_FILE)
        texts[MODEL_CARD] = model_card(load_recipe(folder / RECIPE), figures, histories, about, folder)
    add_to_bundle(folder, texts)
