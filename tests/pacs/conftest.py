"""A folder of results, small, and no waits between attempts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.archives import write_object

import tfadvpath.serving.failures


@pytest.fixture
def results(tmp_path):
    """Three DICOM files, and what else lies in a folder of results."""
    folder = tmp_path / "results"
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        write_object(folder / name)
    (folder / "study.json").write_text("{}")
    (folder / "explanation.npz").write_bytes(b"PK\x03\x04")
    return folder


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds between attempts, which nobody waits for."""
    waited: list[float] = []
    monkeypatch.setattr(tfadvpath.serving.failures, "time", SimpleNamespace(sleep=waited.append))
    return waited
