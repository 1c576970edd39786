import json

import keras
import numpy as np
import pytest
import tiny

from tfadvpath.bundle import load_bundle, save_bundle, sha256
from tfadvpath.errors import InputError


@pytest.fixture
def folder(tmp_path):
    return tiny.write_tiny_bundle(tmp_path / "bundle")


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


def test_saving_again_replaces_the_bundle_and_leaves_nothing_else(folder):
    before = sorted(path.name for path in folder.parent.iterdir())
    tiny.write_tiny_bundle(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == before


def test_a_folder_with_other_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        tiny.write_tiny_bundle(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_save_leaves_the_earlier_bundle(folder):
    class Broken(keras.Model):
        def save(self, path):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_bundle(folder, Broken(), {}, tiny.RECIPE, {})
    load_bundle(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


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


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_is_refused(folder, version):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": version}))
    with pytest.raises(InputError, match=rf"format {version}, this version reads 2"):
        load_bundle(folder)


def test_a_network_with_code_of_its_own_is_not_loaded(folder):
    model = keras.Sequential([keras.Input((tiny.SIZE, tiny.SIZE, 1)), keras.layers.Lambda(lambda x: x)])
    model.save(folder / "classifier.keras")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["classifier.keras"] = sha256(folder / "classifier.keras")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_bundle(folder)


def test_an_unfinished_run_asks_to_go_on(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="--resume"):
        load_bundle(folder)
