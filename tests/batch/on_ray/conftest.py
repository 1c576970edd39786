"""A cluster of this machine, for all tests that need one."""

from __future__ import annotations

import os
import secrets

import pytest

from tfadvpath.batch.on_ray.cluster import cluster

# Files of tests import Ray, which reads these then. Without them it keeps a token in the home folder.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@pytest.fixture(scope="package")
def started():
    """The process is connected to a cluster."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with cluster("local"):
        yield
