"""The bundle of brain phantoms of 128 pixels beside the package: its recipe, and maps that lie on tumours."""

from pathlib import Path

import numpy as np
import pytest

import tfadvpath as tap
from tfadvpath import metrics

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "phantom_brain_128"


def test_it_is_of_the_recipe_of_its_name():
    assert tap.load_recipe(BUNDLE / "recipe.yaml") == tap.load_recipe(
        ROOT / "training/phantom_brain_128.yaml"
    )


@pytest.mark.slow
def test_its_adversaries_cross_and_the_tumour_is_lit():
    bundle = tap.load_bundle(BUNDLE)
    patients = bundle.recipe.data.patients.model_copy(update={"test": 1})
    slices = bundle.recipe.data.model_copy(update={"patients": patients}).load("test", bundle.recipe.seed)
    chosen = np.flatnonzero(slices.labels == 1)[::4]
    explanation = tap.explainers.get("cyce", bundle, steps="auto").explain(slices.images[chosen])
    assert metrics.auc(slices.labels == 1, bundle.classifier.predict(slices.images, verbose=0)[:, 0]) > 0.9
    assert explanation.crossed.mean() > 0.9
    masks = slices.masks[chosen]
    for name in ("fi_v1", "fi_v2", "fi_v2_smooth"):
        in_tumour = 1 - metrics.false_negative_rate(explanation.maps[name], masks, 98)
        assert in_tumour.mean() > 10 * masks.mean()
