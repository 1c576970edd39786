"""The networks that the package ships, on phantoms that their training never saw."""

from pathlib import Path

import numpy as np
import pytest

from tfadvpath import explainers, metrics
from tfadvpath.bundle.bundle import DEMONSTRATION, load_bundle
from tfadvpath.recipes.recipe import load_recipe

RECIPE = Path(__file__).parents[2] / "training" / "phantom_brain_128.yaml"


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(DEMONSTRATION)


@pytest.fixture(scope="module")
def test_slices(bundle):
    patients = bundle.recipe.data.patients.model_copy(update={"test": 3})
    data = bundle.recipe.data.model_copy(update={"patients": patients})
    return data.load("test", bundle.recipe.seed)


@pytest.fixture(scope="module")
def explanation(bundle, test_slices):
    return explainers.get("syce", bundle).explain(test_slices.images)


@pytest.mark.slow
def test_its_images_are_those_of_the_recipe_beside_it(bundle):
    assert bundle.recipe.data == load_recipe(RECIPE).data


def test_it_is_under_8_mb():
    assert sum(path.stat().st_size for path in DEMONSTRATION.rglob("*") if path.is_file()) < 8e6


@pytest.mark.slow
def test_the_integral_is_complete_to_2_percent(explanation):
    assert np.median(explanation.completeness_residual) < 0.02


@pytest.mark.slow
def test_the_classifier_tells_tumour_from_twin(explanation, test_slices):
    assert metrics.auc(test_slices.labels == 1, explanation.score) > 0.95


@pytest.mark.slow
def test_adversaries_cross_and_stable_images_keep_the_decision(explanation):
    assert explanation.crossed.mean() > 0.9
    assert explanation.kept.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fi_v1", "fi_v2", "fi_v2_smooth"])
def test_the_tumour_is_lit(explanation, test_slices, name):
    found = (test_slices.labels == 1) & explanation.decision & explanation.crossed
    masks = test_slices.masks[found]
    in_tumour = 1 - metrics.false_negative_rate(explanation.maps[name][found], masks, 98)
    # A map that knows nothing has the tumour's share of the image there.
    assert in_tumour.mean() > 10 * masks.mean()
