"""Agreement of the maps that bundles make of the same images."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from support import image_folders, tiny

from tfadvpath import explainers, metrics
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.datasets.image_folder import ImageFolder, ImageFolderConfig
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError
from tfadvpath.evaluation.agreement import measure_agreement
from tfadvpath.evaluation.images import balanced
from tfadvpath.recipes.recipe import Recipe


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


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Images of twelve patients, prepared by two splits: each has test patients that the other trains on."""
    source = tmp_path_factory.mktemp("source")
    table = [{"file": f"{k}.png", "patient": f"p{k}", "label": k % 2} for k in range(12)]
    image_folders.write(source, table)
    folders = [tmp_path_factory.mktemp("prepared") for _ in range(2)]
    for seed, folder in enumerate(folders):
        config = ImageFolderConfig(size=tiny.SIZE, shares=Shares(1, 1, 4), seed=seed)
        prepare(ImageFolder, source, folder, config)
    return folders


def trained_on(bundle, path, seed=0, classifier=None, **options):
    """The bundle as if trained on prepared images; its manifest records them as a training does."""
    values = tiny.RECIPE.model_dump() | {"seed": seed}
    values["data"] = {"task": "image-folder", "image_size": tiny.SIZE, "path": path, **options}
    values["classifier"] |= classifier or {}
    recipe = Recipe.model_validate(values)
    return dataclasses.replace(bundle, recipe=recipe, manifest={"data": recipe.data.fingerprint(seed)})


@pytest.mark.parametrize("options", [{}, {"max_images": 6}], ids=["all", "some"])
def test_bundles_of_prepared_images_may_be_of_other_seeds(bundles, splits, tmp_path, options):
    first, control = (
        trained_on(bundles[0], splits[0], **options),
        trained_on(bundles[2], splits[0], 1, {"shuffle_labels": True}, **options),
    )
    assert first.manifest["data"] != control.manifest["data"]
    found = measure_agreement([first, control], tmp_path, methods=["gradient"], images=4)
    expected = [
        f"tiny, seed 0, {first.digest[:8]}",
        f"tiny, seed 1, shuffled labels, {control.digest[:8]}",
    ]
    assert found.bundles == expected
    assert json.loads((tmp_path / "agreement.json").read_text())["bundles"] == expected
    assert f"Bundles: 1: {expected[0]}; 2: {expected[1]}." in (tmp_path / "agreement.md").read_text()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bundle_that_may_know_the_test_patients_is_refused(bundles, splits, tmp_path, seed):
    first, other = trained_on(bundles[0], splits[0]), trained_on(bundles[2], splits[1], seed)
    parts = [one.recipe.data.load(part, 0) for one, part in ((first, "test"), (other, "train"))]
    assert set(parts[0].patients) & set(parts[1].patients)
    with pytest.raises(InputError, match="was trained on other images than the first bundle"):
        measure_agreement([first, other], tmp_path, methods=["gradient"])


def test_images_that_were_prepared_anew_are_refused(bundles, splits, tmp_path):
    """Both were trained on the same images, whose folder now holds others."""
    trained = [trained_on(bundle, splits[0], seed) for seed, bundle in enumerate(bundles[::2])]
    moved = [
        dataclasses.replace(one, recipe=trained_on(one, splits[1], one.recipe.seed).recipe) for one in trained
    ]
    with pytest.raises(InputError, match="holds other images than the bundle was trained on"):
        measure_agreement(moved, tmp_path, methods=["gradient"])


def phantoms(bundle, seed, train=3):
    """The bundle as if trained on phantoms."""
    values = tiny.RECIPE.model_dump() | {"seed": seed}
    values["data"]["patients"]["train"] = train
    recipe = Recipe.model_validate(values)
    return dataclasses.replace(bundle, recipe=recipe, manifest={"data": recipe.data.fingerprint(seed)})


def test_phantoms_of_another_seed_are_other_patients_and_of_another_split_are_not(bundles, tmp_path):
    first, other = phantoms(bundles[0], 0), phantoms(bundles[2], 1)
    assert len(measure_agreement([first, other], tmp_path, methods=["gradient"], images=2).maps) == 1
    with pytest.raises(InputError, match="perhaps on its test patients"):
        measure_agreement([first, phantoms(bundles[2], 0, train=8)], tmp_path, methods=["gradient"])
