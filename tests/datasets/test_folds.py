"""Patients dealt into folds: each held out once, both kinds evenly, by the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.datasets.folds import deal, held_out, joined
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError


def source(positive, negative, each=2):
    """Images of so many patients with and without class 1; those with it have an image of class 0 too."""
    names = [f"p{i}" for i in range(positive)] + [f"n{i}" for i in range(negative)]
    labels = [1.0, *[0.0] * (each - 1)] * positive + [0.0] * each * negative
    return np.repeat(names, each), np.array(labels, np.float32)


@given(st.integers(2, 8), st.integers(8, 20), st.integers(0, 20), st.integers(0, 2**32))
def test_folds_hold_patients_of_both_kinds_evenly(folds, positive, negative, seed):
    patients, labels = source(positive, negative)
    fold_of = deal(patients, labels, folds, seed)
    homes = {patient: set(fold_of[patients == patient]) for patient in patients}
    assert all(len(home) == 1 for home in homes.values())
    for kind in ("", "p", "n"):
        found = [fold for patient, (fold,) in homes.items() if patient.startswith(kind)]
        counts = np.bincount(found, minlength=folds)
        assert counts.max() - counts.min() <= 1


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_count(seed, random):
    patients, labels = source(9, 5)
    order = list(range(len(labels)))
    random.shuffle(order)
    np.testing.assert_array_equal(
        deal(patients[order], labels[order], 3, seed), deal(patients, labels, 3, seed)[order]
    )


def test_the_seed_chooses_the_patients():
    dealt = {tuple(deal(*source(9, 9), 3, seed)) for seed in (0, 0, 1, 2)}
    assert len(dealt) == 3


@pytest.mark.parametrize(
    ("positive", "negative", "each", "folds", "says"),
    [
        (2, 9, 1, 3, r"of 3 folds of 11 patients, fold 2 would hold no image of class 1\. Name fewer folds"),
        (9, 2, 1, 3, r"of 3 folds of 11 patients, fold 2 would hold no image of class 0"),
        (3, 0, 2, 4, r"of 4 folds of 3 patients, fold 3 would hold no image of class 0"),
    ],
)
def test_a_fold_without_a_class_is_refused(positive, negative, each, folds, says):
    with pytest.raises(InputError, match=f"^data.folds: {says}"):
        deal(*source(positive, negative, each), folds, seed=0)


def test_parts_are_dealt_together_and_images_keep_what_is_theirs():
    patients, labels = source(5, 4)
    images = np.arange(18, dtype=np.float32).reshape(18, 1, 1, 1)
    cases = np.array([f"case {i}" for i in range(18)])
    whole = LabelledImages(images, labels, images[..., 0] % 2 == 1, patients, cases)

    def rows(wanted):
        return LabelledImages(*(values[wanted] for values in vars(whole).values()))

    parts = [rows(slice(0, 12)), rows(slice(12, 18))]  # by patient
    chosen = held_out(parts, folds=3, fold=1, seed=7)
    assert [len(of_part) for of_part in chosen] == [12, 6]
    expected = rows(deal(patients, labels, 3, 7) == 1)
    for name, values in vars(joined(parts, chosen)).items():
        np.testing.assert_array_equal(values, getattr(expected, name))
        assert values.dtype.kind == getattr(expected, name).dtype.kind
