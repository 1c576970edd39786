"""Means and their intervals by matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.evaluation.estimates import Estimate, Resampling, largest
from tfadvpath.metrics import bootstrap_interval

PATIENTS = [f"patient {i // 3}" for i in range(30)]


def values(seed=0, shape=()):
    return np.random.default_rng(seed).random((30, *shape))


def test_the_interval_is_that_of_the_bootstrap_image_by_image():
    low, high = Resampling(PATIENTS).mean(values()).interval()
    np.testing.assert_allclose((low, high), bootstrap_interval(np.mean, [values()], PATIENTS), rtol=1e-12)


def test_patients_of_different_size_weigh_by_their_images():
    sizes = np.repeat(np.arange(8), np.arange(1, 9))
    x = np.random.default_rng(0).random(36)
    estimate = Resampling(sizes).mean(x)
    assert estimate.value == pytest.approx(x.mean())
    np.testing.assert_allclose(estimate.interval(), bootstrap_interval(np.mean, [x], sizes), rtol=1e-12)


def test_a_group_of_the_images_has_the_interval_of_its_own_mean():
    where = np.arange(30) % 2 == 0

    def mean_of_group(x, chosen):
        return x[chosen].mean()

    expected = bootstrap_interval(mean_of_group, [values(), where], PATIENTS)
    estimate = Resampling(PATIENTS).mean(values(), where)
    assert estimate.value == pytest.approx(values()[where].mean())
    np.testing.assert_allclose(estimate.interval(), expected, rtol=1e-12)


def test_a_difference_is_paired():
    common, resampling = values(), Resampling(PATIENTS)
    better = resampling.mean(10 * common + 0.1) - resampling.mean(10 * common)
    np.testing.assert_allclose([better.value, *better.interval()], 0.1)


def test_a_function_of_the_mean_is_taken_in_every_resampling():
    curves = values(shape=(4,))
    estimate = Resampling(PATIENTS).mean(curves).through(lambda mean: mean.max())
    expected = bootstrap_interval(lambda x: x.mean(axis=0).max(), [curves], PATIENTS)
    assert estimate.value == pytest.approx(curves.mean(axis=0).max())
    np.testing.assert_allclose(estimate.interval(), expected, rtol=1e-12)


def test_the_largest_is_chosen_in_every_resampling_anew():
    one, other = (Resampling(PATIENTS).mean(values(seed)) for seed in (1, 2))
    best = largest([one, other])
    assert best.value == max(one.value, other.value)
    np.testing.assert_array_equal(best.resampled, np.maximum(one.resampled, other.resampled))


def test_an_image_without_a_value_is_left_out():
    x = values()
    x[::4] = np.nan
    assert Resampling(PATIENTS).mean(x).value == pytest.approx(np.nanmean(x))


@pytest.mark.parametrize("patients", [["one"] * 30, PATIENTS])
def test_there_is_no_interval_without_patients_to_choose_from(patients):
    x = values() if len(set(patients)) == 1 else np.full(30, np.nan)
    assert np.isnan(Resampling(patients).mean(x).interval()).all()


@given(st.integers(0, 1000))
def test_the_interval_holds_the_mean(seed):
    low, high = Resampling(PATIENTS, repeats=200).mean(values(seed)).interval()
    assert low < values(seed).mean() < high


def test_parts_of_a_figure_keep_their_resamplings():
    estimate = Resampling(PATIENTS).mean(values(shape=(3, 2)))
    part = estimate.at(1, 0)
    assert part.value == estimate.value[1, 0]
    np.testing.assert_array_equal(part.resampled, estimate.resampled[:, 1, 0])
    assert (-part).value == -part.value
    assert isinstance(part, Estimate)
