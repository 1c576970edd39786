"""The paper's claims, judged by paired intervals."""

import dataclasses

import numpy as np
import pytest
from support.evaluations import OPTIONS, random_orders

from tfadvpath.evaluation.claims import (
    BEST_BASELINE,
    FAILS,
    HOLDS,
    UNDECIDED,
    UNTESTED,
    Claim,
    ClaimedNumber,
    Comparison,
    judge,
)
from tfadvpath.evaluation.compared_maps import BASELINES
from tfadvpath.evaluation.summary import summarise


@pytest.fixture
def judged(evaluated):
    """Judges the claims by measurements of methods."""

    def judged(measured):
        return judge(summarise(measured, random_orders(evaluated), evaluated, OPTIONS, repeats=200))

    return judged


@pytest.fixture
def of_all(judged, every_method):
    return judged(every_method)


def test_where_every_weighted_map_is_better_all_claims_hold(of_all):
    assert [claim.verdict for claim in of_all] == [HOLDS] * 3
    assert not any(claim.missing for claim in of_all)


def test_each_claim_is_the_comparisons_that_it_speaks_of(of_all):
    first, second, third = of_all
    localisation = {ClaimedNumber(name, p) for name in ("iou", "fnr") for p in (90, 98)}
    assert {c.number for c in first.comparisons} == localisation
    assert {c.key for c in first.comparisons} == {"cyce_fi_v2_smooth", "syce_fi_v2_smooth"}
    assert {(c.key, c.against, c.number.metric) for c in second.comparisons} == {
        (f"{g}_{name}", f"{g}_difference", metric)
        for g in ("cyce", "syce")
        for name in ("fi_v1", "fi_v2", "fi_v2_smooth")
        for metric in ("relevance", "aopc")
    }
    assert len(third.comparisons) == 6 * 6
    assert {c.against for c in third.comparisons} == {BEST_BASELINE}


def test_a_smaller_fnr_is_better(judged, every_method):
    maps = every_method["syce"].maps
    maps["fi_v2_smooth"]["fnr"] = maps["difference"]["fnr"] - 0.25
    [found] = [
        c
        for c in judged(every_method)[0].comparisons
        if c.key.startswith("syce") and c.number == ClaimedNumber("fnr", 98)
    ]
    np.testing.assert_allclose([found.advantage, found.low, found.high], 0.25)


def test_a_worse_map_makes_the_claim_fail(judged, every_method):
    maps = every_method["cyce"].maps
    maps["fi_v2_smooth"]["iou"] = maps["difference"]["iou"] - 0.1
    first, second, _ = judged(every_method)
    assert first.verdict == FAILS
    assert first.count(FAILS) == 2  # at both percentiles
    assert second.verdict == HOLDS


def test_one_good_baseline_is_enough_against_the_third(judged, every_method):
    every_method["grad_cam"].maps["grad_cam"]["iou"][:] = 0.99
    third = judged(every_method)[2]
    assert third.verdict == FAILS
    assert {c.number.metric for c in third.comparisons if c.verdict == FAILS} == {"iou"}


def test_the_same_map_twice_is_undecided(judged, every_method):
    maps = every_method["syce"].maps
    maps["fi_v1"].update(maps["difference"])
    second = judged(every_method)[1]
    assert second.verdict == UNDECIDED
    assert second.count(UNDECIDED) == 2


def test_a_claim_of_both_generators_does_not_hold_by_one(judged, every_method):
    del every_method["cyce"], every_method["mask_generator"]
    first, _, third = judged(every_method)
    assert first.verdict == UNDECIDED
    assert first.missing == ["cyce_difference", "cyce_fi_v2_smooth"]
    assert "mask_generator" in third.missing
    assert set(third.missing) - set(BASELINES) == {"cyce_fi_v1", "cyce_fi_v2", "cyce_fi_v2_smooth"}


def test_baselines_alone_test_no_claim(judged, every_method):
    assert [claim.verdict for claim in judged({"gradient": every_method["gradient"]})] == [UNTESTED] * 3


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.2, HOLDS), (-0.2, -0.1, FAILS), (-0.1, 0.1, UNDECIDED), (np.nan, np.nan, UNDECIDED)],
)
def test_the_interval_decides(low, high, verdict):
    one = Comparison("a", "b", ClaimedNumber("relevance"), 0.0, low, high)
    assert one.verdict == verdict
    better = dataclasses.replace(one, low=0.1, high=0.2)
    assert Claim("", [better, one]).verdict == verdict
