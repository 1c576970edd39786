"""The page in a notebook."""

from __future__ import annotations

import numpy as np
from support.pages import Page
from support.viewer_pages import arrays, content, explanation_to_show

from tfadvpath.explanation import Explanation
from tfadvpath.viewer import notebook


def frame(explanation: Explanation) -> dict[str, str]:
    """The attributes of the frame that a notebook shows."""
    [(tag, attributes)] = Page(explanation._repr_html_()).tags
    assert tag == "iframe"
    return attributes


def test_a_notebook_shows_the_page_in_a_frame_of_its_own():
    explanation = explanation_to_show(3, (6, 5))
    attributes = frame(explanation)
    assert attributes["srcdoc"] == explanation.page()
    assert attributes["sandbox"] == "allow-scripts allow-downloads"
    assert attributes["title"]


def test_the_images_of_a_batch_are_what_the_slider_goes_over():
    explanation = explanation_to_show(3, (6, 5))
    known = content(frame(explanation)["srcdoc"])
    assert (known["noun"], known["count"], known["first"]) == ("image", 3, 0)


def test_of_many_images_the_first_are_shown_and_it_says_so(monkeypatch):
    explanation = explanation_to_show(7, (6, 5))
    monkeypatch.setattr(notebook, "_MOST_VALUES", 3 * 6 * 5 * 5)
    html = frame(explanation)["srcdoc"]
    assert content(html)["count"] == 3
    assert "The first 3 of 7 images are shown." in Page(html).text
    np.testing.assert_allclose(arrays(html)["input"], explanation.images[:3, ..., 0], atol=1e-3)


def test_an_image_too_large_for_the_limit_is_shown_alone(monkeypatch):
    monkeypatch.setattr(notebook, "_MOST_VALUES", 1)
    assert content(frame(explanation_to_show(2, (6, 5)))["srcdoc"])["count"] == 1


def test_an_explanation_of_no_image_says_so():
    assert Explanation.of_nothing((6, 5, 1), ["map"])._repr_html_() == "<p>The explanation of no image</p>"
