"""The Gini coefficient of maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfadvpath.metrics import concentration

MAPS = hnp.arrays(np.float64, (2, 4, 5), elements=st.floats(0, 10))


def test_equal_values_are_not_concentrated_and_one_pixel_is():
    maps = np.ones((2, 10, 10))
    maps[1] = 0
    maps[1, 3, 4] = 7
    np.testing.assert_allclose(concentration(maps), [0, 0.99], atol=1e-12)


@given(MAPS)
def test_it_is_half_the_mean_difference_over_the_mean(maps):
    values = maps.reshape(2, -1)
    means = values.mean(axis=1)
    differences = np.abs(values[:, :, np.newaxis] - values[:, np.newaxis]).mean(axis=(1, 2))
    expected = np.where(means > 0, differences / np.where(means > 0, 2 * means, 1), np.nan)
    np.testing.assert_allclose(concentration(maps), expected, atol=1e-9)


def test_a_map_of_nothing_has_none():
    assert np.isnan(concentration(np.zeros((1, 3, 3, 2)))).all()


def test_negative_values_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        concentration(-np.ones((1, 2, 2)))
