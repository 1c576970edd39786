"""The paper's claims, judged by paired intervals."""

import dataclasses

import numpy as np
import pytest
from support.evaluations import OPTIONS, random_orders

from tfadvpath.evaluation.claims import (
    FAILS,
    FURTHER,
    HOLDS,
    MAIN,
    REFERENCE,
    UNDECIDED,
    UNTESTED,
    Claim,
    ClaimedNumber,
    Comparison,
    judge,
)
from tfadvpath.evaluation.compared_maps import BASELINES
from tfadvpath.evaluation.references import AVERAGE_MASK, RANDOM_ORDER
from tfadvpath.evaluation.summary import summarise


@pytest.fixture
def judged(evaluated):
    """Judges the claims by measurements of methods."""

    def judged(measured, **changes):
        options = dataclasses.replace(OPTIONS, **changes)
        random = random_orders(evaluated)
        if options.second_perturbation:
            second = {name: getattr(random, name) for name in ("pixels", "regions", "flipped")}
            random = dataclasses.replace(random, second=second)
        return judge(summarise(measured, random, evaluated, options, repeats=200))

    return judged


@pytest.fixture
def of_all(judged, every_method):
    return judged(every_method)


def of(claims, key, against):
    [claim] = [claim for claim in claims if (claim.key, claim.against) == (key, against)]
    return claim


def test_where_every_weighted_map_is_better_all_claims_hold(of_all):
    assert [claim.verdict for claim in of_all if claim.comparisons] == [HOLDS] * (14 + 28 + 2)
    # E smooth and the average mask were not measured.
    untested = {claim.against for claim in of_all if claim.verdict == UNTESTED}
    assert untested == {"syce_difference_smooth", "cyce_difference_smooth", AVERAGE_MASK}


def test_v2_smooth_is_claimed_against_e_and_e_smooth_and_each_baseline_and_v1_and_v2_too(of_all):
    assert [(claim.key, claim.against) for claim in of_all if claim.kind == MAIN] == [
        (f"{generator}_fi_v2_smooth", against)
        for generator in ("syce", "cyce")
        for against in (f"{generator}_difference", f"{generator}_difference_smooth", *BASELINES)
    ]
    assert [(claim.key, claim.against) for claim in of_all if claim.kind == FURTHER] == [
        (f"{generator}_{name}", against)
        for generator in ("syce", "cyce")
        for name in ("fi_v1", "fi_v2")
        for against in (f"{generator}_difference", *BASELINES)
    ]


def test_v2_smooth_is_compared_with_a_random_order_by_every_number(evaluated, every_method):
    summary = summarise(every_method, random_orders(evaluated), evaluated, OPTIONS, repeats=200)
    claim = of(judge(summary), "syce_fi_v2_smooth", RANDOM_ORDER)
    assert claim.kind == REFERENCE
    better = {one.number: one.advantage for one in claim.comparisons}
    own = summary.maps["syce_fi_v2_smooth"].estimates
    by_chance = summary.references[RANDOM_ORDER]
    assert better[ClaimedNumber("iou", 90)] == pytest.approx(
        own["iou"].value[0, 1] - by_chance["iou"].value[0, 1]
    )
    r = own["relevance"].value[0] - summary.random["relevance"].value[0]
    assert better[ClaimedNumber("relevance")] == pytest.approx(r)
    assert better[ClaimedNumber("aopc")] == pytest.approx(own["aopc"].value[0, 16])


def test_with_the_average_mask_only_localisation_is_compared(evaluated, every_method):
    masks = np.asarray(evaluated.images.masks[evaluated.localised], np.float32)
    summary = summarise(
        every_method, random_orders(evaluated), evaluated, OPTIONS, 200, {AVERAGE_MASK: 1.0 - masks}
    )
    claim = of(judge(summary), "cyce_fi_v2_smooth", AVERAGE_MASK)
    assert {one.number.metric for one in claim.comparisons} == {"iou", "fnr"}
    assert claim.verdict == HOLDS  # that mask is wrong everywhere


def test_a_claim_is_judged_by_every_number(of_all, judged, every_method):
    numbers = [ClaimedNumber(name, p) for p in (90, 98) for name in ("iou", "fnr")]
    numbers += [ClaimedNumber("relevance"), ClaimedNumber("aopc")]
    assert [one.number for one in of_all[0].comparisons] == numbers
    both = judged(with_second_perturbation(every_method), second_perturbation="noise")
    numbers += [ClaimedNumber("relevance_2"), ClaimedNumber("aopc_2")]
    assert [one.number for one in both[0].comparisons] == numbers


def with_second_perturbation(methods):
    """The same curves under a second perturbation."""
    for method in methods.values():
        for own in method.maps.values():
            own |= {f"{name}_2": own[name] for name in ("most", "least", "regions")}
    return methods


def test_a_smaller_fnr_is_better(judged, every_method):
    maps = every_method["syce"].maps
    maps["fi_v2_smooth"]["fnr"] = maps["difference"]["fnr"] - 0.25
    claim = of(judged(every_method), "syce_fi_v2_smooth", "syce_difference")
    [found] = [one for one in claim.comparisons if one.number == ClaimedNumber("fnr", 98)]
    np.testing.assert_allclose([found.advantage, found.low, found.high], 0.25)


def test_a_worse_map_makes_the_claim_fail(judged, every_method):
    maps = every_method["cyce"].maps
    maps["fi_v2_smooth"]["iou"] = maps["difference"]["iou"] - 0.1
    claims = judged(every_method)
    claim = of(claims, "cyce_fi_v2_smooth", "cyce_difference")
    assert claim.verdict == FAILS
    assert claim.count(FAILS) == 2  # at both percentiles
    assert of(claims, "cyce_fi_v2", "cyce_difference").verdict == HOLDS


def test_one_good_baseline_fails_its_own_claims_alone(judged, every_method):
    every_method["grad_cam"].maps["grad_cam"]["iou"][:] = 0.99
    failed = [claim for claim in judged(every_method) if claim.verdict == FAILS]
    assert {claim.against for claim in failed} == {"grad_cam"}
    assert len(failed) == 2 * 3  # v2 smooth, v1 and v2 of both generators
    assert {one.number.metric for one in failed[0].comparisons if one.verdict == FAILS} == {"iou"}


def test_a_map_of_ties_does_not_win_by_selecting_everything(judged, every_method):
    own = every_method["mask_perturbation"].maps["mask_perturbation"]
    own["iou"][..., 0] = 0.99  # by the paper's rule
    claim = of(judged(every_method), "syce_fi_v2_smooth", "mask_perturbation")
    assert claim.verdict == HOLDS


def test_the_same_map_twice_is_undecided(judged, every_method):
    maps = every_method["syce"].maps
    maps["fi_v1"].update(maps["difference"])
    claim = of(judged(every_method), "syce_fi_v1", "syce_difference")
    assert claim.verdict == UNDECIDED
    assert claim.count(UNDECIDED) == 6


def test_the_smoothed_difference_takes_part_where_it_was_measured(judged, every_method):
    maps = every_method["syce"].maps
    maps["difference_smooth"] = {
        name: values for name, values in maps["fi_v2_smooth"].items() if name != "sensitivity"
    }
    claim = of(judged(every_method), "syce_fi_v2_smooth", "syce_difference_smooth")
    assert claim.verdict == UNDECIDED  # the same numbers
    assert len(claim.comparisons) == 6
    assert claim.text == "SyCE v2 smooth is better than SyCE E smooth"


def test_what_was_not_measured_is_not_tested(judged, every_method):
    del every_method["cyce"], every_method["mask_generator"]
    claims = judged(every_method)
    assert {claim.key.split("_")[0] for claim in claims} == {"syce"}
    assert of(claims, "syce_fi_v2_smooth", "mask_generator").verdict == UNTESTED
    assert judged({"gradient": every_method["gradient"]}) == ()


def test_a_baseline_that_learned_from_the_pairs_is_none(evaluated, every_method):
    summary = summarise(every_method, random_orders(evaluated), evaluated, OPTIONS, repeats=20)
    claims = judge(summary, left_out=["sagen_difference"])
    assert "sagen_difference" not in {claim.against for claim in claims}
    assert len(claims) == len(judge(summary)) - 2 * 3


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.2, HOLDS), (-0.2, -0.1, FAILS), (-0.1, 0.1, UNDECIDED), (np.nan, np.nan, UNDECIDED)],
)
def test_the_interval_decides(low, high, verdict):
    one = Comparison("a", "b", ClaimedNumber("relevance"), 0.0, low, high)
    assert one.verdict == verdict
    better = dataclasses.replace(one, low=0.1, high=0.2)
    assert Claim("a", "b", MAIN, [better, one]).verdict == verdict
