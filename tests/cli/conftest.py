"""One small bundle for every command."""

from __future__ import annotations

import pytest
from support.tiny import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
