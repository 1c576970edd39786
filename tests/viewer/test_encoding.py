"""Arrays in a page keep their values, as far as is said."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.viewer_pages import levels_of, uneven

from tfadvpath.viewer.encoding import COARSE, FINE, as_text, image_levels, map_levels, packed, precision_of

SIZES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)


def unpacked(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    return levels_of(*np.frombuffer(data, np.uint8).reshape(2, *shape))


@given(arrays.arrays(np.int32, SIZES, elements=st.integers(0, 8191)))
def test_packed_levels_come_back(levels):
    np.testing.assert_array_equal(unpacked(packed(levels), levels.shape), levels)


@given(arrays.arrays(np.int32, SIZES, elements=st.integers(0, 4095)), st.integers(0, 4095))
def test_packed_differences_come_back(levels, grey):
    reference = np.full_like(levels, grey)
    np.testing.assert_array_equal(unpacked(packed(levels, reference), levels.shape) + grey, levels)


@pytest.mark.parametrize("precision", [FINE, COARSE])
def test_values_are_within_what_the_page_says(precision):
    image = np.random.default_rng(0).random((30, 40, 1)).astype(np.float32)
    shown = image_levels(image, precision.image_top) / precision.image_top
    assert np.abs(shown - image[..., 0]).max() <= precision.image_error * (1 + 1e-6)
    values = uneven((200, 300))
    largest = float(values.max())
    shown = largest * (map_levels(values, largest, precision.map_top) / precision.map_top) ** 2
    assert np.abs(shown - values).max() <= precision.map_error * largest
    assert (shown == largest).any()


def test_a_map_is_good_to_a_thousandth_of_its_largest_value():
    assert max(FINE.map_error, COARSE.map_error) <= 1e-3


def test_small_values_of_a_map_have_finer_steps():
    values = 10 ** np.random.default_rng(0).uniform(-4, 0, (100, 100))
    shown = (map_levels(values, 1.0, COARSE.map_top) / COARSE.map_top) ** 2
    # Half a step of the root is 2 √v times that of the value; and the square of half a step.
    half = 0.5 / COARSE.map_top
    assert (np.abs(shown - values) <= 2 * np.sqrt(values) * half + half**2 + 1e-12).all()
    assert np.abs(shown / values - 1)[values > 0.01].max() < 0.01


def test_channels_of_an_image_are_shown_as_their_mean():
    image = np.stack([np.zeros((2, 2)), np.ones((2, 2))], axis=2)
    assert (image_levels(image, 100) == 50).all()


def test_a_map_of_nothing_is_nothing():
    assert not map_levels(np.zeros((3, 3), np.float32), 0.0, 1023).any()


def test_levels_of_a_signed_map_lie_evenly_around_its_zero():
    values = np.array([[-4.0, -1.0, 0.0, 1.0, 4.0, np.nan]])
    assert map_levels(values, 4.0, 100, signed=True).tolist() == [[0, 50, 100, 150, 200, 201]]
    assert map_levels(np.abs(values), 4.0, 100).tolist() == [[100, 50, 0, 50, 100, 101]]


def test_a_page_of_few_values_has_the_finer_steps():
    assert precision_of(7 * 320 * 320) == FINE
    assert precision_of(155 * 7 * 64 * 64) == COARSE


def test_text_is_zlibs_format_in_base64():
    parts = [b"ab", b"", b"c" * 1000]
    text = as_text(parts)
    assert zlib.decompress(base64.b64decode(text, validate=True)) == b"".join(parts)
    assert len(text) < 100
