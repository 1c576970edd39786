"""The method of a bundle is that of its generators: SyCE's, else CyCE's, else SAGen's."""

import json
import shutil

import pytest
from support import tiny
from support.evaluations import write_whole_bundle

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.method import chosen_method
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_whole_bundle(tmp_path_factory.mktemp("method") / "bundle")


CASES = [
    (("syce", "cyce", "sagen", "mask_generator"), "syce"),
    (("cyce", "sagen"), "cyce"),
    (("sagen", "fixed_point_gan"), "sagen"),
    (("mask_generator",), "integrated_gradients"),
    ((), "integrated_gradients"),
]


@pytest.mark.parametrize(("generators", "method"), CASES)
def test_in_memory(generators, method):
    bundle = Bundle(None, dict.fromkeys(generators), tiny.RECIPE, {}, {})
    assert chosen_method(bundle, "auto") == method
    assert chosen_method(bundle, "gradient") == "gradient"


@pytest.mark.parametrize(("generators", "method"), CASES)
def test_in_a_folder(whole, generators, method, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "bundle")
    for name in {path.parent.name for path in whole.glob("*/*.keras")} - set(generators):
        shutil.rmtree(folder / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = {file: one for file, one in manifest["sha256"].items() if (folder / file).exists()}
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))
    assert chosen_method(folder, "auto") == method
    assert chosen_method(str(folder), "gradient") == "gradient"


def test_a_folder_that_is_no_bundle_is_said(tmp_path):
    with pytest.raises(InputError, match="no bundle"):
        chosen_method(tmp_path, "auto")
