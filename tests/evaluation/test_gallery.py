"""Which images are shown."""

import numpy as np
import pytest
from support.evaluations import evaluated_images, labelled_images, without_annotation

from tfadvpath.evaluation.gallery import choose_examples


@pytest.fixture(scope="module")
def of_ten():
    """Test images of ten patients."""
    return evaluated_images(labelled_images(patients=10))


def test_the_best_the_median_and_the_worst_of_different_patients(of_ten):
    iou = np.linspace(0, 1, len(of_ten.localised))
    examples = choose_examples(of_ten, "syce_fi_v2_smooth", iou)
    by_kind = {kind: [e for e in examples if e.kind == kind] for kind in ("best", "median", "worst")}
    assert by_kind["best"][0].iou == 1
    assert by_kind["worst"][0].iou == 0
    assert all(abs(e.iou - 0.5) < 0.2 for e in by_kind["median"])
    for chosen in by_kind.values():
        assert len(chosen) == len({of_ten.images.patients[e.row] for e in chosen}) == 3
        for e in chosen:
            assert e.iou == iou[of_ten.localised.tolist().index(e.row)]


def test_wrong_decisions_are_shown_as_what_they_are(of_ten):
    # The one that was missed is neither among the best nor the worst.
    examples = choose_examples(of_ten, "gradient", np.roll(np.linspace(0, 1, len(of_ten.localised)), 6))
    wrong = {e.row: e.kind for e in examples if e.kind in ("missed", "false alarm")}
    assert wrong == {38: "missed", 39: "false alarm"}
    assert all(e.iou is None for e in examples if e.row in wrong)


def test_a_miss_is_shown_as_such_where_it_is_the_worst_too(of_ten):
    iou = np.linspace(1, 0, len(of_ten.localised))  # the last one is the miss
    kinds = {e.row: e.kind for e in choose_examples(of_ten, "gradient", iou)}
    assert kinds[38] == "missed"
    assert list(kinds.values()).count("worst") == 3


def test_no_image_is_shown_twice_even_where_there_are_few():
    few = evaluated_images(labelled_images(patients=2))
    examples = choose_examples(few, "gradient", np.linspace(0, 1, len(few.localised)))
    rows = [e.row for e in examples]
    assert len(rows) == len(set(rows))
    assert len([e for e in examples if e.kind in ("best", "median", "worst")]) == 4


def test_without_annotation_only_wrong_decisions_are_shown():
    examples = choose_examples(evaluated_images(without_annotation()), "gradient", np.zeros(0))
    assert {e.kind for e in examples} == {"missed", "false alarm"}
