"""One exported version, for every test that only reads it."""

from __future__ import annotations

import shutil

import pytest
from support.exported import bundle, exported, exported_folder, library

__all__ = ["bundle", "exported", "exported_folder", "library"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whoever comes first to the exported version waits for the export."""
    for item in items:
        if "exported_folder" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def copy(exported, tmp_path):
    """A version that a test may damage."""
    return shutil.copytree(exported, tmp_path / "tiny" / "1")
