import json
import shutil

import keras
import numpy as np
import pytest
from support import tiny
from support.evaluations import write_whole_bundle

from tfadvpath.bundle.bundle import load_bundle, save_bundle
from tfadvpath.bundle.record import record_pairs
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError
from tfadvpath.files import sha256
from tfadvpath.generators.syce import SyCE
from tfadvpath.recipes.recipe import Recipe


@pytest.fixture
def folder(tmp_path):
    return tiny.write_tiny_bundle(tmp_path / "bundle")


@pytest.mark.slow
def test_networks_come_back_as_they_were_saved(folder, tmp_path):
    bundle = load_bundle(folder)
    images = np.random.default_rng(0).random((2, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)
    unets = {f"generator_{k}": unet for k, unet in enumerate(bundle.generators["syce"].generators)}
    save_bundle(tmp_path / "copy", bundle.classifier, {"syce": unets}, bundle.recipe, {})
    copy = load_bundle(tmp_path / "copy")
    for one, other in zip(
        bundle.generators["syce"].generate(images), copy.generators["syce"].generate(images), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert copy.recipe == bundle.recipe == tiny.RECIPE
    assert bundle.image_size == (tiny.SIZE, tiny.SIZE)


@pytest.mark.slow
def test_generators_come_back_with_the_recipes_options(tmp_path):
    given = tiny.EVERY_STAGE.model_dump()
    given |= {"seed": 5}
    given["syce"]["loss_weights"] = {"keep": 0.25}
    of_mask = {"destroy_exponent": 0.7, "blur_sigma": 2.5, "noise_share": 0.1, "noise_sigma": 0.2}
    given["mask_generator"] |= of_mask
    given["fixed_point_gan"] |= {"n_critic": 2, "loss_weights": {"flip": 0.5}}
    recipe = Recipe.model_validate(given)
    whole = load_bundle(write_whole_bundle(tmp_path / "whole"))
    networks = {
        "syce": {f"generator_{k}": unet for k, unet in enumerate(whole.generators["syce"].generators)},
        "mask_generator": {"decoder": whole.generators["mask_generator"].decoder},
        "fixed_point_gan": {"translator": whole.generators["fixed_point_gan"].translator},
    }
    save_bundle(tmp_path / "other", whole.classifier, networks, recipe, {})
    found = load_bundle(tmp_path / "other").generators
    assert found["syce"].loss_weights == {**SyCE.LOSS_WEIGHTS, "keep": 0.25}
    assert {name: getattr(found["mask_generator"], name) for name in of_mask} == of_mask
    assert found["fixed_point_gan"].n_critic == 2
    assert found["fixed_point_gan"].loss_weights["flip"] == 0.5
    assert {generator.seed for generator in found.values()} == {5}


@pytest.mark.slow
def test_saving_again_replaces_the_bundle_and_leaves_nothing_else(folder):
    before = sorted(path.name for path in folder.parent.iterdir())
    tiny.write_tiny_bundle(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == before


def test_a_folder_with_other_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        tiny.write_tiny_bundle(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.slow
def test_a_failed_save_leaves_the_earlier_bundle(folder):
    class Broken(keras.Sequential):
        def save(self, path):
            raise OSError("disk full")

    layers = [keras.Input((tiny.SIZE, tiny.SIZE, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    with pytest.raises(OSError, match="disk full"):
        save_bundle(folder, Broken(layers), {}, tiny.RECIPE, {})
    load_bundle(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["classifier.keras", "syce/generator_1.keras", "recipe.yaml", "figures.json"]
)
def test_a_changed_or_missing_file_is_named(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + b"?")
    with pytest.raises(InputError, match=f"{name}: the file is changed"):
        load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: the file is missing"):
        load_bundle(folder)


def test_what_is_no_bundle_is_said(tmp_path):
    with pytest.raises(InputError, match="no bundle"):
        load_bundle(tmp_path)
    with pytest.raises(InputError, match="no bundle"):
        load_bundle(tmp_path / "missing")


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 4])
def test_another_format_is_refused(folder, version):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": version}))
    with pytest.raises(InputError, match=rf"format {version}, this version reads 2 and 3"):
        load_bundle(folder)


def test_a_network_with_code_of_its_own_is_not_loaded(folder):
    model = keras.Sequential([keras.Input((tiny.SIZE, tiny.SIZE, 1)), keras.layers.Lambda(lambda x: x)])
    model.save(folder / "classifier.keras")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["classifier.keras"] = sha256(folder / "classifier.keras")
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_bundle(folder)


def test_an_unfinished_run_asks_to_go_on(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"no bundle: .*Finish the training of its recipe with `resume`"):
        load_bundle(folder)


@pytest.mark.slow
def test_the_digest_is_that_of_the_content_wherever_the_folder_is(folder, tmp_path):
    first = load_bundle(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert load_bundle(tmp_path / "elsewhere").digest == first.digest
    record_pairs(folder, {"syce": {"flip_rate": 0.5}})
    assert load_bundle(folder).digest == first.digest
    unets = {f"generator_{k}": unet for k, unet in enumerate(first.generators["syce"].generators)}
    another = first.recipe.model_copy(update={"seed": 1})
    save_bundle(folder, first.classifier, {"syce": unets}, another, {"test": {}})
    assert load_bundle(folder).digest != first.digest


def test_a_file_in_the_bundles_place_is_refused(tmp_path):
    (tmp_path / "bundle").write_text("years of work")
    with pytest.raises(InputError, match="is a file"):
        tiny.write_tiny_bundle(tmp_path / "bundle")
    assert (tmp_path / "bundle").read_text() == "years of work"


@pytest.mark.slow
def test_a_bundle_without_generators_is_one(folder, tmp_path):
    bundle = load_bundle(folder)
    save_bundle(tmp_path / "alone", bundle.classifier, {}, bundle.recipe, {})
    assert load_bundle(tmp_path / "alone").generators == {}
