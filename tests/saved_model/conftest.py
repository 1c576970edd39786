"""One exported version, for every test that only reads it."""

from __future__ import annotations

import shutil

import pytest
from support.exported import bundle, exported, exported_folder, library

__all__ = ["bundle", "exported", "exported_folder", "library"]


@pytest.fixture
def copy(exported, tmp_path):
    """A version that a test may damage."""
    return shutil.copytree(exported, tmp_path / "tiny" / "1")
