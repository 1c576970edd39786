"""Patients are dealt out whole, both decisions to every part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.errors import InputError
from tfadvpath.fitting.split import LEAST, SHARES, fewer, split_by_decision


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(80, 160), st.integers(1, 4), st.floats(0.35, 0.65))
def test_no_patient_is_in_two_parts_and_every_part_has_both_decisions(seed, patients, each, share):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), each).astype(str)
    one = np.repeat(rng.random(patients) < share, each)
    parts = split_by_decision(who, one, seed)
    rows = np.concatenate(list(parts.values()))
    assert sorted(rows.tolist()) == list(range(len(who)))
    of_part = {part: set(who[rows].tolist()) for part, rows in parts.items()}
    assert sum(map(len, of_part.values())) == patients
    for part, rows in parts.items():
        for k in (False, True):
            count = np.sum(one[rows] == k)
            assert count >= LEAST[part]
            # A patient is the unit: no part is off by more than two of them.
            assert abs(count - SHARES[part] * np.sum(one == k)) <= 2 * each + 1


def test_the_same_seed_gives_the_same_parts_and_another_others():
    who, one = np.arange(60).astype(str), np.arange(60) % 3 == 0
    first, again, other = (split_by_decision(who, one, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[part], again[part]) for part in SHARES)
    assert not all(np.array_equal(first[part], other[part]) for part in SHARES)


@pytest.mark.parametrize(
    ("who", "one", "says"),
    [
        (np.arange(60), np.arange(60) < 5, "puts 5 of 60 in class 1, where 12 are needed.*`threshold`"),
        (np.zeros(60), np.arange(60) % 2 == 0, "all images are of 1 patient, where"),
        (np.arange(60) // 30, np.arange(60) % 2 == 0, "all images are of 2 patients, where"),
        (np.arange(60) // 15, np.arange(60) < 30, "patients have images predicted . the"),
    ],
)
def test_what_cannot_be_split_is_said_in_one_line(who, one, says):
    with pytest.raises(InputError, match=says.replace("predicted . the", r"predicted \d: the")):
        split_by_decision(who.astype(str), one, 0)


def test_fewer_images_are_drawn_of_each_decision():
    one = np.arange(50) % 5 == 0
    rows = fewer(np.arange(10, 50), one, 6, seed=3)
    assert (np.diff(rows) > 0).all()
    assert [int(np.sum(one[rows] == k)) for k in (False, True)] == [6, 6]
    assert set(rows) <= set(range(10, 50))
