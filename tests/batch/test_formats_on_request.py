"""Formats that are written on request alone, and what a run says where such a one needs a package."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
from support.broken_files import picture

from tfadvpath.batch.run import ExplainOptions, explain_studies
from tfadvpath.errors import InputError


@pytest.mark.parametrize("name", ["dicom", "dicom-synthetic"])
def test_a_package_that_is_missing_is_said_before_anything_is_read(name, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(InputError, match="highdicom: is not installed"):
        explain_studies("no bundle", tmp_path, tmp_path / "out", ExplainOptions(formats=["png", name]))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_without_formats_a_run_writes_none_that_is_on_request(tmp_path):
    from support.tiny import write_tiny_bundle

    bundle = write_tiny_bundle(tmp_path / "bundle")
    cv2.imwrite(str(tmp_path / "a.png"), picture().astype(np.uint8))
    summary = explain_studies(bundle, tmp_path / "a.png", tmp_path / "out", ExplainOptions(steps=2))
    (study,) = summary.studies
    assert study["made_with"]["formats"] == ["nifti", "npz", "png"]
