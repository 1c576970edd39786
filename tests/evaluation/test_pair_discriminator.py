"""Telling generated images from real ones, with networks trained for the purpose."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from scipy import ndimage

from tfadvpath.evaluation.pair_discriminator import feature_scores, network_scores, separation

COUNT = 60
CLASS = np.arange(COUNT) % 2
PATIENTS = np.array([f"patient {i // 3}" for i in range(COUNT)])


def features(shift=0.0, seed=0):
    """Two features of real images, which tell the class, and of generated ones of the other class."""
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(COUNT, 2)) + 5 * CLASS[:, np.newaxis]
    made = rng.normal(size=(COUNT, 2)) + 5 * (1 - CLASS[:, np.newaxis])
    return made + np.array([shift, 0]), real


def separated(made, real, held_out=feature_scores, where=slice(None), **options):
    classes = (1 - CLASS[where], CLASS[where])
    return separation(made[where], real[where], *classes, PATIENTS[where], held_out, **options)


def test_equal_distributions_are_at_chance_and_others_are_not():
    # The classes differ by five deviations: that must not help.
    assert 0.3 < separated(*features()).auc < 0.7
    found = separated(*features(shift=4))
    assert found.auc > 0.95
    low, high = found.interval
    assert 0.9 < low <= found.auc <= high


def test_the_share_of_the_classes_does_not_give_generated_images_away():
    few = np.flatnonzero((CLASS == 0) | (np.arange(COUNT) % 5 == 0))  # 30 of class 0, six of class 1
    assert abs(separated(*features(), where=few, folds=2).auc - 0.5) < 0.35
    assert separated(*features(shift=4), where=few, folds=2).auc > 0.9


def test_the_scores_are_asked_for_equal_sets_of_each_class_and_whole_patients():
    made, real = features()
    asked = []

    def held_out(rows, generated, folds):
        asked.append((rows, generated, folds))
        return generated.astype(np.float64)

    assert separated(made, real, held_out, folds=4, largest=20).auc == 1
    assert len(asked) == 2
    place = {tuple(row): i for i, row in enumerate(np.concatenate([made, real]))}
    fold_of: dict[str, set] = {}
    for target, (rows, generated, folds) in enumerate(asked):
        at = np.array([place[tuple(row)] for row in rows])
        assert np.array_equal(generated, at < COUNT)
        assert generated.sum() == (~generated).sum() == 20
        # Generated images were made of the other class; real ones are of the class itself.
        assert set(CLASS[at[generated]]) == {1 - target}
        assert set(CLASS[at[~generated] - COUNT]) == {target}
        for i, fold in zip(at % COUNT, folds, strict=True):
            fold_of.setdefault(PATIENTS[i], set()).add(int(fold))
    assert {len(folds) for folds in fold_of.values()} == {1}
    assert set.union(*fold_of.values()) == {0, 1, 2, 3}


def test_each_direction_and_fold_counts_by_itself():
    """A network's scores have a scale of their own: scores that differ between folds alone say nothing."""

    def by_fold(rows, generated, folds):
        return folds + 0.1 * generated

    assert separated(*features(), by_fold).auc == 1

    def right_for_class_one_alone(rows, generated, folds):
        return np.where(rows[:, 0].mean() > 2.5, generated, 0.0)

    assert separated(*features(), right_for_class_one_alone).auc == pytest.approx(0.75)


def test_too_few_images_have_no_auc():
    one_class = np.flatnonzero(CLASS == 1)
    found = separated(*features(), where=one_class)  # nothing real of class 0, nothing made for class 1
    assert math.isnan(found.auc)
    assert all(map(math.isnan, found.interval))
    assert math.isnan(separated(*features(), where=[0]).auc)


def textures(seed):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(COUNT, 24, 24, 1)), (0, 0.5, 0.5, 0))
    return (0.4 + 0.2 * CLASS[:, np.newaxis, np.newaxis, np.newaxis] + 0.1 * noise).astype(np.float32)


@pytest.mark.slow
def test_a_network_learns_to_see_blur_and_is_at_chance_without_it():
    real = textures(0)
    made = np.roll(textures(1), 1, axis=0)  # new ones, by turns of the other class
    blurred = ndimage.gaussian_filter(made, (0, 0.8, 0.8, 0))
    held_out = network_scores((24, 24, 1), steps=80)
    assert separated(blurred, real, held_out).auc > 0.95
    assert 0.25 < separated(made, real, held_out).auc < 0.75


@pytest.mark.slow
def test_the_seed_decides_and_no_other_random_numbers_are_touched():
    images, generated, folds = textures(0), CLASS == 1, np.arange(COUNT) // 30
    keras.utils.set_random_seed(5)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the one that Keras seeds
    first = network_scores((24, 24, 1), steps=5, seed=1)
    scores = first(images, generated, folds)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert np.isfinite(scores).all()
    # Nothing of an earlier training is left, in the weights or in the optimizer.
    np.testing.assert_allclose(first(images, generated, folds), scores, atol=1e-4)
    again = network_scores((24, 24, 1), steps=5, seed=1)
    np.testing.assert_allclose(again(images, generated, folds), scores, atol=1e-4)
    other = network_scores((24, 24, 1), steps=5, seed=2)(images, generated, folds)
    assert np.abs(other - scores).max() > 0.01


@pytest.mark.slow
def test_a_fold_whose_rest_lacks_a_set_is_left_open():
    generated, folds = np.arange(4) < 2, np.array([0, 0, 1, 1])
    scores = network_scores((24, 24, 1), steps=1)(textures(0)[:4], generated, folds)
    assert np.isnan(scores).all()
