"""The checks in plain words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.explanations import explanation_of
from support.viewer_pages import with_checks

from tfadvpath.explanation import Explanation
from tfadvpath.viewer.flags import flags

CROSSED = "The adversary did not change the decision: do not read this map."
KEPT = "The start image did not keep the decision: do not read this map."
FINE = "The adversary changed the decision, and the start image kept it."


def said(kept, crossed, residual=0.0, score=0.9):
    explanation = explanation_of(np.full((1, 4, 4, 1), score, np.float32))
    [sentences] = flags(with_checks(explanation, [kept], [crossed], [residual]).scene())
    return [tuple(flag) for flag in sentences]


@pytest.mark.parametrize("score", [0.1, 0.9])
def test_each_check_has_its_sentence(score):
    assert said(True, True, score=score) == [("good", FINE)]
    assert said(True, False, score=score) == [("bad", CROSSED)]
    assert said(False, True, score=score) == [("bad", KEPT)]
    assert said(False, False, score=score) == [("bad", CROSSED), ("bad", KEPT)]


@pytest.mark.parametrize(("residual", "words"), [(0.1, None), (0.234, "misses 23 %"), (1.5, "misses 150 %")])
def test_a_large_residual_asks_for_care(residual, words):
    found = said(True, True, residual)
    assert found[0] == ("good", FINE)
    assert len(found) == (2 if words else 1)
    if words:
        kind, text = found[1]
        assert kind == "care"
        assert words in text


def test_a_blank_slice_has_nothing_to_say():
    scene = explanation_of(np.full((1, 4, 4, 1), 0.9, np.float32)).scene()
    blank, explained = flags(dataclasses.replace(scene, blank=np.array([True, False]), noun="slice"))
    assert [tuple(flag) for flag in blank] == [
        ("nothing", "This slice is blank: there is nothing to explain.")
    ]
    assert explained[0].kind in ("good", "bad")


def test_a_method_without_an_adversary_says_that_nothing_was_checked():
    images = np.full((1, 4, 4, 1), 0.9, np.float32)
    [[flag]] = flags(Explanation(images, {"gradient": images}, np.array([0.9])).scene())
    assert flag.kind == "care"
    assert "no check tells whether its map can be read" in flag.text
