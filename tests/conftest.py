"""What every test shares: the real data, quiet TensorFlow, the same random numbers each time."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as every command does

import random
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# The same examples each time; `HYPOTHESIS_PROFILE=explore` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("explore")
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# They import packages of environments of their own, or of an extra, or are scripts.
collect_ignore_glob = ["parity/make_*_golden.py", "fuzz/guided.py", "triton/*.py", "pacs/check_*.py"]


@pytest.fixture(autouse=True)
def seeded():
    """Seeds Python, NumPy and, where the test uses it, TensorFlow."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  the legacy generator is the one that other libraries draw from
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that TFADVPATH_DATA names; skips where there is none."""
    name = os.environ.get("TFADVPATH_DATA")
    if not name:
        pytest.skip("TFADVPATH_DATA is not set")
    folder = Path(name)
    if not folder.is_dir():
        pytest.skip(f"TFADVPATH_DATA names no folder: {name}")
    return folder
