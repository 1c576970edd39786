"""The colours of maps."""

from __future__ import annotations

import numpy as np
import pytest

from tfadvpath.viewer.colours import colour_tables, diverging_tables

# CIE luminance of linear sRGB, and Viénot's matrix for an eye without its green receptors.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def linear(name: str) -> np.ndarray:
    """float [256, 3]: the table's colours as amounts of light."""
    tables = colour_tables() | diverging_tables()
    levels = np.frombuffer(bytes.fromhex(tables[name]), np.uint8).reshape(256, 3) / 255
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
    assert {len(text) for text in (*colour_tables().values(), *diverging_tables().values())} == {6 * 256}


@pytest.mark.parametrize("name", list(diverging_tables()))
def test_both_sides_of_a_diverging_table_get_darker_from_0_and_stay_apart(name):
    """Also to an eye without green receptors: the ends differ in more than their brightness."""
    for light in (linear(name), linear(name) @ DEUTERANOPE.T):
        bright = light @ LUMINANCE
        assert abs(int(bright.argmax()) - 128) <= 8
        assert (np.diff(bright[:124:8]) > 0).all()  # steps of eight bits would be seen in smaller ones
        assert (np.diff(bright[132::8]) < 0).all()
        ends = light[[0, -1]] / light[[0, -1]].sum(axis=1, keepdims=True)
        assert np.abs(np.diff(ends, axis=0)).max() > 0.3
