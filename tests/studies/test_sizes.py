import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.studies import sizes
from tfadvpath.studies.sizes import at_size, min_max, nearest

SIDE = st.integers(1, 12)


@given(SIDE, SIDE, SIDE, SIDE)
def test_each_place_takes_the_value_whose_cell_holds_its_centre(rows, columns, new_rows, new_columns):
    values = np.arange(rows * columns).reshape(rows, columns)
    result = nearest(values, (new_rows, new_columns))
    assert result.shape == (new_rows, new_columns)
    for row in range(new_rows):
        for column in range(new_columns):
            # Whole numbers: (2 row + 1) / (2 new_rows) of rows, rounded down.
            source = (2 * row + 1) * rows // (2 * new_rows), (2 * column + 1) * columns // (2 * new_columns)
            assert result[row, column] == values[source]


def test_a_mirrored_mask_becomes_the_mirrored_result():
    mask = np.random.default_rng(0).random((15, 21)) > 0.5
    np.testing.assert_array_equal(nearest(mask[::-1, ::-1], (5, 7)), nearest(mask, (5, 7))[::-1, ::-1])


@pytest.mark.parametrize("dtype", [bool, "u1", "i2", ">u2", "i8", "f4", "f8"])
@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_scaling_in_blocks_is_scaling_at_once(monkeypatch, dtype, block):
    monkeypatch.setattr(sizes, "BLOCK", block)
    stored = np.random.default_rng(0).integers(-90, 90, (13, 9)).astype(dtype)
    for values in (
        stored,
        np.asfortranarray(stored)[::-1, ::-1].T,
        stored[:1],
        stored & 0 if dtype is bool else stored * 0,
    ):
        expected = min_max(values.astype(np.float64))
        for size in (None, values.shape):
            scaled = at_size(values, size)
            assert scaled.dtype == np.float64
            np.testing.assert_array_equal(scaled, expected)
            out = np.full(values.shape, 7, np.float32)
            assert at_size(values, size, out) is out
            np.testing.assert_array_equal(out, expected.astype(np.float32))


def test_another_size_goes_into_the_given_array(monkeypatch):
    values = np.random.default_rng(0).normal(size=(20, 30))
    out = np.empty((7, 50), np.float32)
    at_size(values, (7, 50), out)
    np.testing.assert_array_equal(out, at_size(values, (7, 50)).astype(np.float32))
    assert (out.min(), out.max()) == (0, 1)


def test_a_range_that_no_number_holds_is_scaled():
    np.testing.assert_array_equal(at_size(np.array([[-1.7e308, 1.7e308, 0]]), None), [[0, 1, 0.5]])
