"""Whether maps outlive the randomisation of their classifier."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfadvpath.metrics import rank_correlation, survives


@pytest.mark.parametrize("levels", [3, 10**6])
def test_is_scipys_spearman_of_each_image_with_and_without_ties(levels):
    maps, others = np.random.default_rng(0).integers(levels, size=(2, 4, 9, 8))
    others[1] = maps[1] ** 2 + 1
    others[2] = -maps[2]
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(maps, others, strict=True)]
    correlations = rank_correlation(maps, others)
    np.testing.assert_allclose(correlations, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(correlations[1:3], [1, -1], rtol=0, atol=1e-12)


def test_channels_are_summed():
    maps = np.random.default_rng(1).random((2, 5, 5, 3))
    np.testing.assert_allclose(rank_correlation(maps, maps[..., ::-1]), 1)
    others = np.random.default_rng(2).random((2, 5, 5, 3))
    np.testing.assert_array_equal(
        rank_correlation(maps, others), rank_correlation(maps.sum(axis=3), others.sum(axis=3))
    )


def test_a_constant_map_has_no_correlation():
    maps = np.random.default_rng(3).random((2, 5, 5))
    others = maps.copy()
    others[0] = 0.3
    np.testing.assert_array_equal(np.isnan(rank_correlation(maps, others)), [True, False])


def test_maps_survive_whose_mean_correlation_reaches_the_limit():
    assert survives([0.4, 0.6])
    assert not survives([0.4, 0.59])
    assert survives([0.4, 0.59], limit=0.4)
    assert survives([np.nan, 0.9])
    assert not survives([np.nan, np.nan])
    assert not survives([])


@pytest.mark.parametrize(
    ("maps", "others", "message"),
    [
        (np.zeros((1, 4, 4)), np.zeros((1, 4, 5)), "`others` must have the shape of `maps`"),
        (np.zeros((4, 4)), np.zeros((4, 4)), r"`maps` must be \[B, H, W\] or"),
        (np.zeros((0, 4, 4)), np.zeros((0, 4, 4)), "with B >= 1"),
        (np.full((1, 4, 4), np.nan), np.zeros((1, 4, 4)), "`maps` must be finite"),
    ],
)
def test_wrong_arguments_are_named(maps, others, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation(maps, others)
