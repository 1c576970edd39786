"""Agreement of the maps that bundles make of the same images."""

import json

import keras
import numpy as np
import pytest
from support import tiny

from tfadvpath import explainers, metrics
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.errors import InputError
from tfadvpath.evaluation.agreement import measure_agreement
from tfadvpath.evaluation.images import balanced


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A bundle, itself again, and one of another classifier."""
    folder = tmp_path_factory.mktemp("bundles")
    tiny.write_tiny_bundle(folder / "first")
    first, same, other = (load_bundle(folder / "first") for _ in range(3))
    keras.utils.set_random_seed(5)
    weights = [np.random.default_rng(5).normal(size=w.shape) for w in other.classifier.get_weights()]
    other.classifier.set_weights(weights)
    return first, same, other


@pytest.fixture(scope="module")
def agreement(bundles, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    found = measure_agreement(bundles, out, methods=["gradient", "syce"], images=40, batch_size=8)
    return found, out


def of(agreement, key, first, second):
    (one,) = (
        one for one in agreement.maps if (one.compared.key, one.first, one.second) == (key, first, second)
    )
    return one


def test_a_bundle_agrees_with_itself(agreement):
    for one in agreement[0].maps:
        if (one.first, one.second) == (0, 1):
            assert one.images == agreement[0].images
            assert one.numbers["rank_correlation"].value == pytest.approx(1)
            assert one.numbers["same_pixels"].value == pytest.approx(1)
            assert one.numbers["rank_correlation_other_image"].value < 1


def test_another_bundle_is_compared_where_both_decide_alike(agreement, bundles):
    first, _, other = bundles
    part = first.recipe.data.load("test", first.recipe.seed)
    rows = balanced(np.asarray(part.labels) == 1, 40, 0)
    x = np.asarray(part.images[rows])
    decided = [scores_of(bundle.classifier, x) >= 0.5 for bundle in (first, other)]
    alike = decided[0] == decided[1]
    one = of(agreement[0], "gradient", 0, 2)
    assert one.images == alike.sum()
    if alike.any():
        maps = [
            explainers.get("gradient", bundle).explain(x[alike]).maps["gradient"] for bundle in (first, other)
        ]
        expected = np.nanmean(metrics.rank_correlation(*maps))
        assert one.numbers["rank_correlation"].value == pytest.approx(expected, abs=1e-3)


def test_the_same_generators_make_the_same_difference(agreement):
    assert of(agreement[0], "syce_difference", 0, 1).numbers["same_pixels"].value == pytest.approx(1)


def test_files_hold_every_map_of_every_two_bundles(agreement):
    found, out = agreement
    content = json.loads((out / "agreement.json").read_text())
    assert len(content["maps"]) == len(found.maps) == 3 * 5
    assert [one["bundles"] for one in content["maps"][:3]] == [[0, 1], [0, 2], [1, 2]]
    table = (out / "agreement.md").read_text()
    assert "| SyCE v2 smooth | 1, 2 |" in table
    assert {path.suffix for path in out.iterdir()} == {".json", ".md", ".tex", ".csv"}


def test_one_bundle_is_refused(bundles, tmp_path):
    with pytest.raises(InputError, match="one bundle agrees with itself"):
        measure_agreement(bundles[:1], tmp_path)


def test_a_method_that_a_bundle_lacks_is_refused(bundles, tmp_path):
    with pytest.raises(InputError, match="'cyce' is not known, or a bundle has no network"):
        measure_agreement(bundles, tmp_path, methods=["cyce"])


def test_bundles_of_other_images_are_refused(bundles, tmp_path):
    first, _, other = bundles
    layers = [keras.Input((16, 16, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    smaller = type(other)(keras.Sequential(layers), {}, other.recipe, {}, {})
    with pytest.raises(InputError, match=r"takes images of shape \(16, 16, 1\)"):
        measure_agreement([first, smaller], tmp_path)
