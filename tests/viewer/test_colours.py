"""The colours of maps."""

from __future__ import annotations

import numpy as np
import pytest

from tfadvpath.viewer.colours import colour_tables

# CIE luminance of linear sRGB, and Viénot's matrix for an eye without its green receptors.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def linear(name: str) -> np.ndarray:
    """float [256, 3]: the table's colours as amounts of light."""
    levels = np.frombuffer(bytes.fromhex(colour_tables()[name]), np.uint8).reshape(256, 3) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("name", ["inferno", "viridis", "cividis", "plasma"])
def test_a_larger_value_is_brighter_also_to_an_eye_without_green_receptors(name):
    for light in (linear(name), linear(name) @ DEUTERANOPE.T):
        assert (np.diff(light @ LUMINANCE) > -1e-3).all()  # steps of eight bits
        assert light[-1] @ LUMINANCE > 3 * (light[0] @ LUMINANCE)


def test_no_ramp_begins_where_it_would_be_taken_for_the_image():
    for name in ("inferno", "viridis", "cividis", "plasma"):
        first = np.frombuffer(bytes.fromhex(colour_tables()[name][:6]), np.uint8).astype(int)
        assert np.ptp(first) > 40, name


def test_each_table_has_256_colours():
    assert {len(text) for text in colour_tables().values()} == {6 * 256}
