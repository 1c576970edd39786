"""The size of a page has an end, and what is left out is said."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from support.pages import Page
from support.viewer_pages import arrays, content, explanation_to_show

from tfadvpath.viewer import page as making
from tfadvpath.viewer import size
from tfadvpath.viewer.encoding import COARSE, FINE
from tfadvpath.viewer.scene import Scene

SIZE = (18, 14)


def noise(count: int, shape: tuple[int, int]) -> Scene:
    """Images and maps in which nothing can be packed."""
    scene = explanation_to_show(count, shape).scene()
    draw = np.random.default_rng(3)
    maps = {name: draw.random((count, *shape, 1)).astype(np.float32) for name in "abcd"}
    return dataclasses.replace(scene, maps=maps)


@pytest.fixture
def limited(monkeypatch):
    """A function that gives the page of a scene whose arrays may have that share of their bytes."""

    def make(scene: Scene, share: float) -> str:
        known = making._content(scene, FINE)
        every = range(len(scene))
        texts = making._slices(scene, FINE, known["maps"], every), making._details(scene, every)
        whole = sum(len(text) + making._TAGS for each in texts for text in each)
        monkeypatch.setattr(making, "_ROOM", 0)
        monkeypatch.setattr(making, "MOST_BYTES", len(json.dumps(known)) + round(share * whole))
        return making.page(scene)

    return make


def test_a_page_within_its_size_says_nothing(limited):
    assert "To stay below" not in Page(limited(noise(4, SIZE), 1.01)).text


def test_the_finer_input_goes_first(limited):
    scene = dataclasses.replace(noise(4, SIZE), detail=np.random.default_rng(0).random((4, 200, 200)))
    html = limited(scene, 0.6)
    assert content(html)["detail"] is None
    assert content(html)["map_top"] == FINE.map_top
    assert "the input finer than the classifier sees it is left out" in Page(html).text


def test_then_the_steps_get_coarser(limited):
    scene = noise(40, SIZE)
    html = limited(scene, 0.75)
    known = content(html)
    assert (known["rows"], known["columns"]) == SIZE
    assert known["map_top"] < COARSE.map_top
    assert f"its maps are kept in {known['map_top']} steps" in Page(html).text
    np.testing.assert_allclose(arrays(html)["a"], scene.maps["a"][..., 0], atol=1 / known["map_top"])


def test_then_pixels_are_put_together(limited):
    scene = dataclasses.replace(noise(40, SIZE), masks={"one": np.zeros((40, *SIZE), bool)})
    scene.masks["one"][0, 5, 5] = True
    html = limited(scene, 0.3)
    known = content(html)
    factor = -(-SIZE[0] // known["rows"])
    assert factor > 1
    assert f"the mean of each {factor} x {factor} pixels of 18 x 14" in Page(html).text
    assert known["proportions"] == list(SIZE)
    shown = arrays(html)
    assert shown["one"].sum() == 1
    first = scene.maps["a"][:, :factor, :factor, 0].mean(axis=(1, 2))
    np.testing.assert_allclose(shown["a"][:, 0, 0], first, atol=1 / known["map_top"])


def test_a_mean_with_a_pixel_of_no_number_is_none():
    values = np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)
    values[0, 0, 0] = np.nan
    # By hand: blocks of 2 x 2, the last row and column repeated.
    wanted = [[np.nan, 5.0, 6.5], [10.5, 12.5, 14.0]]
    np.testing.assert_array_equal(size._means(values, 2)[0, ..., 0], wanted)


@pytest.mark.slow
def test_noise_in_155_slices_of_240_x_240_has_less_than_25_megabytes():
    html = making.page(noise(155, (240, 240)))
    assert len(html.encode()) < 25_000_000
    assert "To stay below 25 MB" in Page(html).text
