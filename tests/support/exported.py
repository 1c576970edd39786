"""Fixtures of one exported version, made once for all processes: a conftest imports those that it offers."""

from __future__ import annotations

import pytest

from support import serving
from support.shared import made_once, shared_folder
from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.saved_model.export import export_saved_model

SIZES = (3, 1)


def _make(folder):
    bundle = load_bundle(serving.write_deciding_bundle(folder))
    export_saved_model(bundle, folder / "models", steps=serving.STEPS, sizes=SIZES)


@pytest.fixture(scope="session")
def exported_folder(tmp_path_factory):
    """The bundle "deciding" and its export in models/tiny/1."""
    name = f"deciding_{serving.STEPS}_steps_{'_'.join(map(str, SIZES))}"
    return made_once(shared_folder(tmp_path_factory) / name, _make)


@pytest.fixture(scope="session")
def bundle(exported_folder):
    return load_bundle(exported_folder / "deciding")


@pytest.fixture(scope="session")
def exported(exported_folder):
    """The version: no test may change it."""
    return exported_folder / "models" / "tiny" / "1"


@pytest.fixture(scope="session")
def library(bundle):
    """What the library itself says of the images."""
    return explainers.get("syce", bundle, steps=serving.STEPS).explain(serving.images())
