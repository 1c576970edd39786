"""The bootstrap over patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.metrics import auc, bootstrap_interval, bootstrap_values


def groups_and_values(seed, count=12):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, count)
    groups = np.repeat([f"patient {i}" for i in range(count)], sizes)
    order = rng.permutation(len(groups))
    return groups[order], rng.normal(size=len(groups))


def test_a_patient_comes_with_all_its_images_or_none():
    groups, _ = groups_and_values(0)
    names, sizes = np.unique(groups, return_counts=True)
    seen = []

    def look(drawn):
        counts = np.array([np.sum(drawn == name) for name in names])
        np.testing.assert_array_equal(counts % sizes, 0)
        seen.append(counts // sizes)
        return 0.0

    bootstrap_values(look, [groups], groups, repeats=400)
    times = np.stack(seen)
    np.testing.assert_array_equal(times.sum(axis=1), len(names))
    # Each count is binomial (12, 1/12): of 400 draws, its mean has the standard deviation 0.048.
    np.testing.assert_allclose(times.mean(axis=0), 1, atol=0.2)
    assert (times == 0).any()
    assert (times > 1).any()


def test_arrays_stay_together():
    groups, values = groups_and_values(1)
    table = np.stack([values, -values], axis=1)

    def cancels(a, rows):
        np.testing.assert_array_equal(rows, np.stack([a, -a], axis=1))
        return 0.0

    bootstrap_values(cancels, [values, table], groups, repeats=20)


def test_auc_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(2)
    patients = rng.integers(25, size=300)
    labels = rng.random(300) < 0.3
    scores = rng.random(300) + 0.4 * labels + 0.3 * rng.normal(size=25)[patients]
    low, high = bootstrap_interval(auc, [labels, scores], patients, repeats=2000)

    plain = []
    for _ in range(2000):
        chosen = [np.flatnonzero(patients == p) for p in rng.choice(np.unique(patients), 25)]
        positive, negative = (
            scores[np.concatenate(chosen)][labels[np.concatenate(chosen)] == k] for k in (1, 0)
        )
        plain.append((positive[:, None] > negative).mean())
    # Two quantiles of 2000 draws each: their difference has a standard deviation of about 4 % of the width.
    width = high - low
    np.testing.assert_allclose([low, high], np.quantile(plain, [0.025, 0.975]), atol=0.15 * width)
    assert width > 0.05


def test_interval_of_patients_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(30), 3)
    hits = 0
    for seed in range(200):
        values = rng.normal(size=30)[patients] + 0.3 * rng.normal(size=90)
        low, high = bootstrap_interval(np.mean, [values], patients, repeats=150, confidence=0.9, seed=seed)
        hits += low <= 0 <= high
    # The percentile method of 30 patients falls a little short of 0.9; 200 trials deviate by 0.02.
    assert 0.8 <= hits / 200 <= 0.95


def test_images_of_one_patient_tell_less_than_as_many_patients():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(30), 5)
    values = rng.normal(size=30)[patients] + 0.3 * rng.normal(size=150)
    of_patients, of_images = (
        np.ptp(bootstrap_interval(np.mean, [values], groups)) for groups in (patients, np.arange(150))
    )
    assert of_patients > 1.7 * of_images  # of equal images it is the root of 5 times as wide


def test_a_paired_difference_is_narrower_than_either_figure():
    rng = np.random.default_rng(4)
    patients = rng.integers(40, size=400)
    one = rng.normal(size=400)
    other = one + 0.1 + 0.05 * rng.normal(size=400)
    single = np.diff(bootstrap_interval(np.mean, [one], patients))
    low, high = bootstrap_interval(lambda a, b: np.mean(b) - np.mean(a), [one, other], patients)
    assert 0.08 < low < high < 0.12
    assert high - low < 0.2 * single


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_names_of_patients_do_not_matter(seed):
    groups, values = groups_and_values(seed)
    codes = {name: (i, name) for i, name in enumerate(np.unique(groups)[::-1])}
    renamed = [codes[name] for name in groups]
    expected = bootstrap_interval(np.mean, [values], groups, repeats=50)
    assert bootstrap_interval(np.mean, [values], renamed, repeats=50) == expected


def test_the_seed_decides_the_draws():
    groups, values = groups_and_values(5)
    one, same, other = (bootstrap_values(np.mean, [values], groups, repeats=30, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_repeats_of_one_class_are_left_out():
    labels, scores, patients = [1, 1, 0, 0, 0], [0.9, 0.4, 0.6, 0.2, 0.1], ["a", "b", "c", "d", "e"]
    values = bootstrap_values(auc, [labels, scores], patients)
    # Nobody of class 1, or of class 0, among five draws: (3/5)^5 + (2/5)^5 = 0.088.
    assert 0.05 < np.isnan(values).mean() < 0.13
    expected = np.quantile(values[~np.isnan(values)], [0.1, 0.9])
    assert bootstrap_interval(auc, [labels, scores], patients, confidence=0.8) == tuple(expected)


@pytest.mark.parametrize(
    ("labels", "patients"), [([0, 0, 0], ["a", "b", "c"]), ([0, 1, 1], ["a", "a", "a"]), ([1], ["a"])]
)
def test_there_is_no_interval_without_a_figure_or_of_one_patient(labels, patients):
    low, high = bootstrap_interval(auc, [labels, [0.1, 0.2, 0.3][: len(labels)]], patients, repeats=20)
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize(
    ("arrays", "groups", "options", "message"),
    [
        ([[1.0, 2.0]], ["a"], {}, r"as many rows.*\[2\] and 1"),
        ([[]], [], {}, r"as many rows as `groups`, at least one.*\[0\] and 0"),
        ([], ["a"], {}, r"as many rows as `groups`, at least one.*\[\] and 1"),
        ([[1.0]], ["a"], {"repeats": 0}, "`repeats` must be positive"),
        ([[1.0]], ["a"], {"confidence": 95}, "`confidence` must be between 0 and 1"),
    ],
)
def test_wrong_arguments_are_named(arrays, groups, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(np.mean, arrays, groups, **options)
