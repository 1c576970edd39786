"""Test images and what every method measures on them, made once."""

from __future__ import annotations

import pytest
from support import evaluations


@pytest.fixture(scope="session")
def evaluated():
    """Test images of six patients; no test writes to them."""
    return evaluations.evaluated_images()


@pytest.fixture
def every_method(evaluated):
    """Measurements of every method, by its name; a test may change them."""
    return evaluations.every_method(evaluated)
