"""From figures of images to figures of columns."""

import numpy as np
import pytest
from support.evaluations import (
    OPTIONS,
    evaluated,
    every_method,
    labelled_images,
    method_arrays,
    random_arrays,
)

from tfadvpath import metrics
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS
from tfadvpath.evaluation.summary import summarise

EVALUATED = evaluated()
MEASURED = every_method(EVALUATED)


@pytest.fixture(scope="module")
def summary():
    return summarise(MEASURED, random_arrays(EVALUATED), EVALUATED, OPTIONS, repeats=200)


def test_every_column_is_there_in_order(summary):
    assert list(summary.maps) == [column.key for column in COMPARED_MAPS]


def test_localisation_is_the_mean_with_an_interval_over_patients(summary):
    iou = MEASURED["syce"]["fi_v1.iou"]
    found = summary.maps["syce_fi_v1"].estimates["iou"].at(1, 0)
    patients = EVALUATED.images.patients[EVALUATED.localised]
    assert found.value == pytest.approx(iou[:, 1, 0].mean())
    expected = metrics.bootstrap_interval(np.mean, [iou[:, 1, 0]], patients, repeats=200)
    np.testing.assert_allclose(found.interval(), expected)


@pytest.mark.parametrize(("place", "decision"), [(0, None), (1, False), (2, True)])
def test_r_is_that_of_mean_curves_of_each_predicted_class(summary, place, decision):
    rows = np.ones(8, bool) if decision is None else EVALUATED.decisions[EVALUATED.relevance] == decision
    most, least = (MEASURED["cyce"][f"fi_v2.{name}"] for name in ("most", "least"))
    found = summary.maps["cyce_fi_v2"].estimates["relevance"].at(place)
    assert found.value == pytest.approx(metrics.relevance_from_curves(most[rows], least[rows]))
    patients = EVALUATED.images.patients[EVALUATED.relevance]

    def r(most, least, rows):
        return metrics.relevance_from_curves(most[rows], least[rows])

    expected = metrics.bootstrap_interval(r, [most, least, rows], patients, repeats=200)
    np.testing.assert_allclose(found.interval(), expected, rtol=1e-6)


def test_aopc_is_relative_to_random_orders(summary):
    own, chance = MEASURED["gradient"]["gradient.regions"], random_arrays(EVALUATED)["regions"]
    expected = metrics.aopc_per_step(own) - metrics.aopc_per_step(chance)
    np.testing.assert_allclose(summary.maps["gradient"].estimates["aopc"].value[0], expected, atol=1e-12)


def test_random_orders_reach_the_closed_form(summary):
    area = (0.9 + 0.2) / 2
    assert summary.random["relevance"].value[0] == pytest.approx(2 * area * (1 - area), rel=1e-5)
    assert summary.random["flipped"].value == pytest.approx(0.75)


def test_differences_are_paired_with_the_generators_own_with_both_and_with_the_main_map(summary):
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
    arrays = MEASURED["cyce"]
    expected = (arrays["fi_v2.iou"] - arrays["difference.iou"]).mean(axis=0)
    np.testing.assert_allclose(found["cyce_fi_v2", "cyce_difference"]["iou"].value, expected)
    other = MEASURED["syce"]["difference.iou"]
    one = found["gradient", "syce_difference"]["iou"].at(1, 0)
    paired = (MEASURED["gradient"]["gradient.iou"] - other)[:, 1, 0]
    patients = EVALUATED.images.patients[EVALUATED.localised]
    np.testing.assert_allclose(
        one.interval(), metrics.bootstrap_interval(np.mean, [paired], patients, repeats=200)
    )


def test_a_map_survives_that_is_nearer_to_the_random_classifiers_than_to_another_image(summary):
    assert summary.maps["syce_difference"].survives
    assert not summary.maps["syce_fi_v2"].survives


def test_a_map_like_those_of_other_images_does_not_survive():
    arrays = method_arrays("gradient", 0.5, EVALUATED)
    arrays["gradient.other_image"] = arrays["gradient.randomised"] = np.full(4, 0.8)
    found = summarise({"gradient": arrays}, random_arrays(EVALUATED), EVALUATED, OPTIONS, repeats=50)
    assert found.columns["gradient"].survives is False


def test_of_constant_maps_nothing_is_said_of_survival():
    arrays = method_arrays("gradient", 0.5, EVALUATED)
    arrays["gradient.randomised"] = np.full(4, np.nan)
    found = summarise({"gradient": arrays}, random_arrays(EVALUATED), EVALUATED, OPTIONS, repeats=50)
    assert found.columns["gradient"].survives is None


def test_of_one_patient_nothing_is_said_of_survival():
    images = labelled_images(patients=1)
    held = evaluated(images)
    arrays = method_arrays("gradient", 0.5, held)
    arrays["gradient.randomised"][:] = 0.9
    found = summarise({"gradient": arrays}, random_arrays(held), held, OPTIONS, repeats=50)
    assert found.columns["gradient"].survives is None


def test_without_a_subset_nothing_is_said_of_survival():
    arrays = {
        name: values
        for name, values in method_arrays("gradient", 0.5, EVALUATED).items()
        if name.rpartition(".")[2] not in ("randomised", "other_image", "same_pixels", "sensitivity")
    }
    found = summarise({"gradient": arrays}, random_arrays(EVALUATED), EVALUATED, OPTIONS, repeats=50)
    assert found.columns["gradient"].survives is None


def test_without_annotation_there_is_no_localisation():
    images = labelled_images()
    images.masks[:] = False
    held = evaluated(images)
    measured = {"gradient": method_arrays("gradient", 0.5, held)}
    found = summarise(measured, random_arrays(held), held, OPTIONS, repeats=50)
    assert "iou" not in found.columns["gradient"].estimates
    assert found.counts["localised"] == 0
    assert found.counts["without_mask"] == 12
