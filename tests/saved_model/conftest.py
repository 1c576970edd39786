"""One exported version, for every test that only reads it."""

from __future__ import annotations

import shutil

import pytest
from support import serving

from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.saved_model.export import export_saved_model


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return load_bundle(serving.write_deciding_bundle(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="session")
def exported(bundle, tmp_path_factory):
    return export_saved_model(bundle, tmp_path_factory.mktemp("models"), steps=serving.STEPS, sizes=(3, 1))


@pytest.fixture
def copy(exported, tmp_path):
    """A version that a test may damage."""
    return shutil.copytree(exported, tmp_path / "tiny" / "1")


@pytest.fixture(scope="session")
def library(bundle):
    """What the library itself says of the images."""
    return explainers.get("syce", bundle, steps=serving.STEPS).explain(serving.images())
