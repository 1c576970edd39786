"""From measurements of images to numbers of maps."""

import dataclasses

import numpy as np
import pytest
from support import evaluations
from support.evaluations import (
    OPTIONS,
    evaluated_images,
    labelled_images,
    measured_method,
    random_orders,
    without_annotation,
)

from tfadvpath import metrics
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS
from tfadvpath.evaluation.references import RANDOM_ORDER
from tfadvpath.evaluation.summary import summarise


@pytest.fixture(scope="module")
def measured(evaluated):
    """Measurements of every method; no test writes to them."""
    return evaluations.every_method(evaluated)


@pytest.fixture(scope="module")
def summary(evaluated, measured):
    return summarise(measured, random_orders(evaluated), evaluated, OPTIONS, repeats=200)


@pytest.fixture
def gradient(evaluated):
    """Measurements of one method, which a test may change."""
    return measured_method("gradient", 0.5, evaluated)


def summary_of(method, evaluated):
    """The summary of the gradient's map alone."""
    found = summarise({"gradient": method}, random_orders(evaluated), evaluated, OPTIONS, repeats=50)
    [alone] = found.maps.values()
    return found, alone


def test_every_map_is_there_in_order(summary):
    assert list(summary.maps) == [compared.key for compared in COMPARED_MAPS]


def test_localisation_is_the_mean_with_an_interval_over_patients(evaluated, measured, summary):
    iou = measured["syce"].maps["fi_v1"]["iou"]
    found = summary.maps["syce_fi_v1"].estimates["iou"].at(1, 0)
    patients = evaluated.images.patients[evaluated.localised]
    assert found.value == pytest.approx(iou[:, 1, 0].mean())
    expected = metrics.bootstrap_interval(np.mean, [iou[:, 1, 0]], patients, repeats=200)
    np.testing.assert_allclose(found.interval(), expected)


@pytest.mark.parametrize(("place", "decision"), [(0, None), (1, False), (2, True)])
def test_r_is_that_of_mean_curves_of_each_predicted_class(evaluated, measured, summary, place, decision):
    rows = np.ones(8, bool) if decision is None else evaluated.decisions[evaluated.relevance] == decision
    most, least = (measured["cyce"].maps["fi_v2"][name] for name in ("most", "least"))
    found = summary.maps["cyce_fi_v2"].estimates["relevance"].at(place)
    assert found.value == pytest.approx(metrics.relevance_from_curves(most[rows], least[rows]))
    patients = evaluated.images.patients[evaluated.relevance]

    def r(most, least, rows):
        return metrics.relevance_from_curves(most[rows], least[rows])

    expected = metrics.bootstrap_interval(r, [most, least, rows], patients, repeats=200)
    np.testing.assert_allclose(found.interval(), expected, rtol=1e-6)


def test_aopc_is_relative_to_random_orders(evaluated, measured, summary):
    own = measured["gradient"].maps["gradient"]["regions"]
    expected = metrics.aopc_per_step(own) - metrics.aopc_per_step(random_orders(evaluated).regions)
    np.testing.assert_allclose(summary.maps["gradient"].estimates["aopc"].value[0], expected, atol=1e-12)


def test_random_orders_reach_the_closed_form(summary):
    area = (0.9 + 0.2) / 2
    assert summary.random["relevance"].value[0] == pytest.approx(2 * area * (1 - area), rel=1e-5)
    assert summary.random["flipped"].value == pytest.approx(0.75)


def test_differences_are_paired_with_the_generators_own_with_both_and_with_the_main_map(
    evaluated, measured, summary
):
    found = summary.differences()
    against = {key: {other for one, other in found if one == key} for key in summary.maps}
    main, bases = "syce_fi_v2_smooth", {"cyce_difference", "syce_difference"}
    for key in ("gradient", "mask_generator", "sagen_difference"):
        assert against[key] == {*bases, main}
    for name in ("fi_v1", "fi_v2", "fi_v2_smooth"):
        assert against[f"cyce_{name}"] == {"cyce_difference", main}
    assert against["syce_fi_v1"] == {"syce_difference", main}
    assert against["cyce_difference"] == against["syce_difference"] == {main}
    assert against[main] == {"syce_difference"}
    maps = measured["cyce"].maps
    expected = (maps["fi_v2"]["iou"] - maps["difference"]["iou"]).mean(axis=0)
    np.testing.assert_allclose(found["cyce_fi_v2", "cyce_difference"]["iou"].value, expected)
    one = found["gradient", "syce_difference"]["iou"].at(1, 0)
    other = measured["syce"].maps["difference"]["iou"]
    paired = (measured["gradient"].maps["gradient"]["iou"] - other)[:, 1, 0]
    patients = evaluated.images.patients[evaluated.localised]
    np.testing.assert_allclose(
        one.interval(), metrics.bootstrap_interval(np.mean, [paired], patients, repeats=200)
    )


def test_a_map_survives_that_is_nearer_to_the_random_classifiers_than_to_another_image(summary):
    assert summary.maps["syce_difference"].survives
    assert not summary.maps["syce_fi_v2"].survives


@pytest.mark.parametrize(("weight", "survives"), [(0.1, False), (0.9, True)])
def test_weighted_maps_are_judged_by_the_gradients_weight(evaluated, weight, survives):
    method = measured_method("syce", 0.5, evaluated)
    for name, own in method.maps.items():
        own["randomised"] = np.full(4, 0.95)  # the pair, which stays, decides the order of the pixels
        if name in ("fi_v1", "fi_v2"):
            own |= {"cascade_weight": np.full((4, 5), weight), "other_weight": np.full(4, 0.3)}
    found = summarise({"syce": method}, random_orders(evaluated), evaluated, OPTIONS, repeats=50)
    judged = {one.compared.map_name: one.survives for one in found.maps.values()}
    assert judged == {"difference": True, "fi_v1": survives, "fi_v2": survives, "fi_v2_smooth": survives}


def test_a_random_order_localises_by_chance(evaluated, summary):
    masks = np.asarray(evaluated.images.masks[evaluated.localised], bool)
    assert len(masks)
    for place, percentile in enumerate(OPTIONS.percentiles):
        for rule in (0, 1):
            of_order = {name: each.at(place, rule) for name, each in summary.references[RANDOM_ORDER].items()}
            assert of_order["fnr"].value == pytest.approx(np.mean(1 - masks.mean(axis=(1, 2))))
            assert of_order["iou"].value == pytest.approx(metrics.random_iou(masks, percentile).mean())


def test_a_map_like_those_of_other_images_does_not_survive(evaluated, gradient):
    own = gradient.maps["gradient"]
    own["other_image"] = own["randomised"] = np.full(4, 0.8)
    _, alone = summary_of(gradient, evaluated)
    assert alone.survives is False


def test_of_constant_maps_nothing_is_said_of_survival(evaluated, gradient):
    gradient.maps["gradient"]["randomised"] = np.full(4, np.nan)
    _, alone = summary_of(gradient, evaluated)
    assert alone.survives is None


def test_of_one_patient_nothing_is_said_of_survival():
    evaluated = evaluated_images(labelled_images(patients=1))
    method = measured_method("gradient", 0.5, evaluated)
    method.maps["gradient"]["randomised"][:] = 0.9
    _, alone = summary_of(method, evaluated)
    assert alone.survives is None


def test_without_a_subset_nothing_is_said_of_survival(evaluated, gradient):
    for name in ("randomised", "other_image", "same_pixels", "sensitivity"):
        del gradient.maps["gradient"][name]
    _, alone = summary_of(gradient, evaluated)
    assert alone.survives is None
    assert "sensitivity" not in alone.estimates


def test_without_annotation_there_is_no_localisation():
    evaluated = evaluated_images(without_annotation())
    found, alone = summary_of(measured_method("gradient", 0.5, evaluated), evaluated)
    assert "iou" not in alone.estimates
    assert found.counts["localised"] == 0
    assert found.counts["without_mask"] == 12


def test_findings_are_averaged_apart(evaluated, measured, summary):
    rows = evaluated.localised
    iou = measured["syce"].maps["fi_v2"]["iou"]
    found = evaluated.decisions[rows]
    estimates = summary.maps["syce_fi_v2"].estimates
    np.testing.assert_allclose(estimates["iou_found"].value, iou[found].mean(axis=0))
    np.testing.assert_allclose(estimates["iou_missed"].value, iou[~found].mean(axis=0))
    # All findings of these images have the same area: none is smaller than the median.
    np.testing.assert_allclose(estimates["iou_large"].value, iou.mean(axis=0))
    assert np.isnan(estimates["iou_small"].value).all()


def test_no_map_is_better_than_the_best_possible_one(evaluated, measured):
    masks = evaluated.images.masks[evaluated.localised]
    average = np.broadcast_to(evaluated.images.masks.mean(axis=0), masks.shape)
    references = {"best_possible": masks.astype(np.float32), "average_mask": average}
    found = summarise(
        measured, random_orders(evaluated), evaluated, OPTIONS, repeats=50, references=references
    ).references
    # 25 pixels of 256 are annotated; at 90 % 26 are selected, at 98 % 6.
    best = found["best_possible"]
    np.testing.assert_allclose(best["iou"].value[:, 1], [25 / 26, 6 / 25])
    np.testing.assert_allclose(best["fnr"].value[:, 1], [1 / 26, 0], atol=1e-12)
    expected = metrics.iou(average, masks, 90, exact=True)
    np.testing.assert_allclose(found["average_mask"]["iou"].value[0, 1], expected.mean())


def test_both_perturbations_have_their_figures(evaluated, measured):
    options = dataclasses.replace(OPTIONS, second_perturbation="noise")
    random = random_orders(evaluated)
    second = {name: 0.5 * getattr(random, name) for name in ("pixels", "regions", "flipped")}
    own = measured_method("gradient", 0.5, evaluated)
    gradient = own.maps["gradient"]
    gradient |= {"most_2": 0.5 * gradient["most"], "least_2": gradient["least"]}
    gradient["regions_2"] = gradient["regions"] ** 2
    random = dataclasses.replace(random, second=second)
    found = summarise({"gradient": own}, random, evaluated, options, repeats=20)
    estimates = found.maps["gradient"].estimates
    expected = metrics.aopc_per_step(gradient["regions_2"]) - metrics.aopc_per_step(second["regions"])
    np.testing.assert_allclose(estimates["aopc_2"].value[0], expected, atol=1e-12)
    expected = metrics.relevance_from_curves(gradient["most_2"], gradient["least_2"])
    assert estimates["relevance_2"].value[0] == pytest.approx(expected)
    assert found.random["flipped_2"].value == pytest.approx(0.375)
    assert "relevance_2" not in summarise({"gradient": own}, random, evaluated, OPTIONS, repeats=20).random
