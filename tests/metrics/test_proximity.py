"""Distances and the changed share of the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tfadvpath.metrics import l1_distance, l2_distance, sparsity, undoing


def test_one_changed_pixel_of_sixteen():
    x = np.full((1, 4, 4, 1), 0.25)
    y = x.copy()
    y[0, 3, 2] += 0.5
    assert l1_distance(x, y) == pytest.approx(0.5 / 16)
    assert l2_distance(x, y) == pytest.approx(0.5 / 4)
    assert sparsity(x, y) == pytest.approx(1 / 16)


def test_an_even_change_has_the_same_distance_in_both_norms():
    x = np.random.default_rng(0).random((3, 5, 4, 2)) * 0.5
    for change in (-0.1, 0.3):
        np.testing.assert_allclose(l1_distance(x, x + change), abs(change))
        np.testing.assert_allclose(l2_distance(x, x + change), abs(change))


def test_a_pixel_counts_once_however_many_channels_change():
    x = np.zeros((1, 2, 2, 3))
    y = x.copy()
    y[0, 0, 0] = 0.5
    y[0, 1, 1, 2] = -0.5
    assert sparsity(x, y) == pytest.approx(0.5)


def test_what_is_at_the_threshold_has_not_changed():
    x = np.zeros((1, 1, 4, 1))
    y = np.array([0.0, 0.125, 0.25, 0.5]).reshape(x.shape)
    for threshold, share in ((0.0, 3 / 4), (0.125, 2 / 4), (0.25, 1 / 4), (0.5, 0.0)):
        assert sparsity(x, y, threshold) == pytest.approx(share)
    # The default is 0.02, on either side.
    assert sparsity(x, np.array([0.019, -0.019, 0.021, -0.021]).reshape(x.shape)) == pytest.approx(0.5)


def test_it_is_computed_in_float64():
    x = np.full((1, 64, 64, 1), 1.0, np.float32)
    assert l1_distance(x, x - np.float32(2**-24))[0] == pytest.approx(2**-24, rel=1e-12)


@pytest.mark.parametrize("metric", [l1_distance, l2_distance, sparsity])
def test_other_shapes_are_refused(metric):
    with pytest.raises(ValueError, match="of one shape"):
        metric(np.zeros((2, 4, 4, 1)), np.zeros((1, 4, 4, 1)))
    assert metric(np.zeros((0, 4, 4, 1)), np.zeros((0, 4, 4, 1))).shape == (0,)


def test_a_negative_threshold_is_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        sparsity(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1)), -0.1)


def test_undoing_is_the_cosine_of_both_changes():
    rng = np.random.default_rng(3)
    x, stable, adversary = rng.random((3, 5, 6, 7, 2))
    found = undoing(x.astype(np.float32), stable.astype(np.float32), adversary.astype(np.float32))
    for i in range(5):
        changed, undone = (x - adversary)[i].ravel(), (stable - adversary)[i].ravel()
        expected = changed @ undone / np.linalg.norm(changed) / np.linalg.norm(undone)
        assert found[i] == pytest.approx(expected, abs=1e-6)


def test_undoing_knows_where_there_is_nothing_to_undo():
    x = np.random.default_rng(0).random((1, 4, 4, 1))
    np.testing.assert_allclose(undoing(x, x, 1 - x), [1])
    np.testing.assert_allclose(undoing(x, 2 * (1 - x) - x, 1 - x), [-1])  # twice as far
    assert undoing(x, 1 - x, 1 - x) == [0]
    assert np.isnan(undoing(x, 1 - x, x))
    with pytest.raises(ValueError, match="of one shape"):
        undoing(x, x[:, :2], x)
