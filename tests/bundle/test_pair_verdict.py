"""The verdict on a generator's pairs, and what it says to a reader of maps."""

from __future__ import annotations

import json
import math

import pytest

from tfadvpath.bundle.bundle import DEMONSTRATION
from tfadvpath.bundle.pair_verdict import THRESHOLDS, pair_verdict

GOOD = {
    "flip_rate": 0.95,
    "flip_rate_by_class": {"zero_to_one": 0.97, "one_to_zero": 0.93},
    "keep_rate": 0.97,
    "undoing": 0.9,
    "undoing_by_class": {"zero_to_one": 0.95, "one_to_zero": 0.85},
    "stable_similarity": 0.99,
    "adversary_similarity": 0.97,
    "adversary_similarity_outside": 0.98,
    "stable_sharpness": 1.0,
    "adversary_sharpness": 0.95,
    "transfer_rate": 0.7,
    "chequer_ratio": 1.2,
    "completeness_residual": 0.02,
}


def test_a_good_pair_has_no_sentence():
    verdict = pair_verdict(GOOD)
    assert verdict.good
    assert verdict.sentences == ()
    # The similarity over all of the image is not asked where that outside the findings is known.
    assert set(verdict.judged) == set(GOOD) - {
        "flip_rate_by_class",
        "undoing_by_class",
        "adversary_similarity",
    }


@pytest.mark.parametrize(
    ("figure", "just_missed", "said"),
    [
        ("flip_rate", 0.849, "15 % of the adversaries do not cross"),
        ("keep_rate", 0.899, "10 % of the stable images lose the decision"),
        ("undoing", 0.499, "what the generator paints"),
        ("stable_similarity", 0.969, "no faithful copies"),
        ("adversary_similarity_outside", 0.949, "outside the findings"),
        ("stable_sharpness", 0.899, "stable images are blurred copies"),
        ("stable_sharpness", 1.101, "stable images hold fine detail"),
        ("adversary_sharpness", 0.4, "blurred copies (they keep 40 % of the images' fine detail)"),
        ("adversary_sharpness", 1.101, "noise or a pattern"),
        ("transfer_rate", 0.499, "not what a finding looks like"),
        ("chequer_ratio", 3.01, "3.01 times the power"),
        ("completeness_residual", 0.101, "by 10 % of it"),
    ],
)
def test_each_limit_alone_has_its_sentence(figure, just_missed, said):
    verdict = pair_verdict(GOOD | {figure: just_missed})
    assert not verdict.good
    [sentence] = verdict.sentences
    assert said in sentence


def test_a_class_whose_stable_images_are_painted_is_named():
    by_class = {"zero_to_one": 0.74, "one_to_zero": -0.02}
    [sentence] = pair_verdict(GOOD | {"undoing": 0.6, "undoing_by_class": by_class}).sentences
    assert sentence.startswith("The stable images of images predicted 1 do not show what their adversaries")
    assert "(cosine of both changes -0.02, at least 0.5 is wanted)" in sentence


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda t: f"{t.figure} {t.low} {t.high}")
def test_a_value_at_the_limit_is_good_enough(threshold):
    limit = threshold.low if threshold.low is not None else threshold.high
    figures = GOOD | {threshold.figure: limit}
    if threshold.instead_of:
        figures[threshold.instead_of] = None
    assert pair_verdict(figures).good


def test_the_sentences_are_filled_in_and_end():
    worst = {t.figure: 0.0 if t.low is not None else 9.0 for t in THRESHOLDS}
    sentences = pair_verdict(worst).sentences
    assert len(sentences) >= 8
    for sentence in sentences:
        assert not set("{}") & set(sentence)
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".")


def test_one_class_that_hardly_crosses_is_named():
    # In all .87 cross: most images are of class 0, .39 of class 1 do not.
    rates = {"zero_to_one": 0.94, "one_to_zero": 0.61}
    verdict = pair_verdict(GOOD | {"flip_rate": 0.87, "flip_rate_by_class": rates})
    assert verdict.sentences == (
        "39 % of the adversaries of images predicted 1 do not cross the decision: among these, read no map "
        "where `crossed` is false.",
    )
    # Where all miss it, one sentence is enough.
    assert len(pair_verdict(GOOD | {"flip_rate": 0.6, "flip_rate_by_class": rates}).sentences) == 1
    assert pair_verdict(GOOD | {"flip_rate_by_class": {"zero_to_one": None}}).good


def test_the_whole_image_is_judged_more_mildly_and_only_without_masks():
    whole = GOOD | {"adversary_similarity_outside": None}
    assert pair_verdict(whole | {"adversary_similarity": 0.92}).good
    [sentence] = pair_verdict(whole | {"adversary_similarity": 0.89}).sentences
    assert "change much of the images" in sentence
    assert pair_verdict(GOOD | {"adversary_similarity": 0.5}).good


def test_figures_that_are_missing_are_passed_over():
    for figures in ({}, dict.fromkeys(GOOD), {"flip_rate": math.nan}, {"keep_rate": "0.1"}):
        verdict = pair_verdict(figures)
        assert verdict.good
        assert verdict.judged == ()
    verdict = pair_verdict({"flip_rate": 0.5, "keep_rate": None})
    assert not verdict.good
    assert verdict.judged == ("flip_rate",)


@pytest.mark.parametrize(("value", "said"), [(0.52, "0.52,"), (0.9672, "0.967,"), (0.96999, "0.96999,")])
def test_a_value_that_misses_its_limit_narrowly_is_told_from_it(value, said):
    [sentence] = pair_verdict(GOOD | {"stable_similarity": value}).sentences
    assert f"(structural similarity {said} at least 0.97 is wanted)" in sentence


@pytest.mark.parametrize("generator", ["cyce", "syce"])
def test_the_shipped_bundle_can_be_judged(generator):
    figures = json.loads((DEMONSTRATION / "figures.json").read_text(encoding="utf-8"))
    assert "flip_rate" in pair_verdict(figures["test"][generator]).judged
