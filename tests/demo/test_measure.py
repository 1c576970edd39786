"""Explained phantoms, measured against their truth."""

from __future__ import annotations

import numpy as np
import pytest
from support.explanations import NAMES
from support.phantoms import BODY, TUMOUR, patient, with_maps

from tfadvpath import metrics
from tfadvpath.demo.measure import PERCENTILE, measure, slices_to_show


def test_slices_are_counted_over_all_patients():
    found = measure([patient("a", [1, 2]), patient("b", [0])])
    assert (found.patients, found.slices, found.tumour_slices) == (2, 8, 3)
    assert found.area == pytest.approx(36 / 1024)


def test_the_classifier_is_measured_by_its_scores_of_the_counted_slices():
    patients = [patient("a", [1, 2]), patient("b", [0])]
    labels = np.concatenate([who.labels for who in patients])
    scores = np.concatenate([who.explanation.score for who in patients])
    found = measure(patients)
    assert found.auc == metrics.auc(labels, scores)
    assert found.sensitivity == metrics.sensitivity(labels, scores) == 0  # the mean of a slice is below 0.5
    assert found.specificity == metrics.specificity(labels, scores) == 1


def test_paths_are_measured_over_all_slices():
    found = measure([patient("a", [1]), patient("b", [0])])
    assert found.crossing_rate == found.keep_rate == 1
    assert found.median_residual == pytest.approx(np.median(patient("a", []).explanation.score) / 100)


def test_maps_are_measured_on_the_slices_of_class_1_alone():
    patients = [patient("a", [1, 2]), patient("b", [0])]
    found = measure(patients)
    assert set(found.maps) == set(NAMES)
    for name in NAMES:
        values = np.concatenate([who.explanation.maps[name][who.labels] for who in patients])
        masks = np.concatenate([who.masks[who.labels] for who in patients])
        assert found.maps[name].iou == pytest.approx(metrics.iou(values, masks, PERCENTILE).mean())
        outside = metrics.false_negative_rate(values, masks, PERCENTILE).mean()
        assert found.maps[name].in_tumour == pytest.approx(1 - outside)


def test_a_map_that_is_lit_in_the_tumour_alone_finds_it():
    who = patient("a", [1, 2])
    beside = np.zeros(who.masks.shape)
    beside[:, BODY.stop - 6 : BODY.stop, TUMOUR] = 1
    found = measure([with_maps(who, fi_v1=who.masks, fi_v2=beside)])
    assert found.maps["fi_v1"].iou == found.maps["fi_v1"].in_tumour == 1
    assert found.maps["fi_v2"].iou == found.maps["fi_v2"].in_tumour == 0


def test_slices_without_any_tumour_have_no_localisation():
    found = measure([patient("a", [])])
    assert found.maps == {}
    assert found.auc is found.sensitivity is found.area is None
    assert found.specificity == 1


def test_the_slice_with_most_tumour_is_shown_and_one_without():
    many = patient("a", [1, 2])
    many.masks[2, 8:20, 8:20] = True
    (first, most), (second, free) = slices_to_show([many])
    assert first is second is many
    assert most == 2
    assert free in (0, 3)


def test_a_slice_without_tumour_is_another_patients_where_there_are_enough():
    patients = [patient(name, [1]) for name in "abcd"]
    shown = [(who.name, place == 1) for who, place in slices_to_show(patients, tumour=2, healthy=2)]
    assert shown == [("a", True), ("b", True), ("c", False), ("d", False)]
