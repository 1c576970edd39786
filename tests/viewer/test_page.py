"""The page holds the arrays and fetches nothing."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

import numpy as np
import pytest
from support.pages import Page
from support.viewer_pages import arrays, content, explanation_to_show, script

from tfadvpath.explanation import Explanation
from tfadvpath.viewer.colours import colour_tables, diverging_tables
from tfadvpath.viewer.encoding import FINE
from tfadvpath.viewer.page import page
from tfadvpath.viewer.scene import Scene

SIZE = (9, 7)


@pytest.fixture
def explanation():
    return explanation_to_show(5, SIZE)


def test_the_arrays_of_a_page_are_those_of_the_explanation(explanation):
    shown = arrays(explanation.page())
    wanted = {"input": explanation.images, "start": explanation.start, "adversary": explanation.adversary}
    for name, values in wanted.items():
        np.testing.assert_allclose(shown[name], values[..., 0], atol=FINE.image_error * 1.001)
    for name, values in explanation.maps.items():
        error = FINE.map_error * values.max()
        np.testing.assert_allclose(shown[name], values[..., 0], atol=error)


def test_the_numbers_of_a_page_are_those_of_the_explanation(explanation):
    known = content(explanation.page())
    np.testing.assert_allclose(known["scores"]["input"], explanation.score, atol=1e-6)
    np.testing.assert_allclose(known["scores"]["start"], explanation.score_start, atol=1e-6)
    np.testing.assert_allclose(known["scores"]["adversary"], explanation.score_adversary, atol=1e-6)
    np.testing.assert_allclose(known["residual"], explanation.completeness_residual, atol=1e-6)
    assert known["crossed"] == explanation.crossed.tolist()
    assert known["kept"] == explanation.kept.tolist()
    assert [any(kind == "bad" for kind, _ in each) for each in known["flags"]] == (
        ~(explanation.crossed & explanation.kept)
    ).tolist()
    largest = {each["name"]: each["largest"] for each in known["maps"]}
    assert largest == {name: float(values.max()) for name, values in explanation.maps.items()}


def test_blank_slices_have_their_places(explanation):
    blank = np.array([True, False, False, True, False, False, False])
    scene = dataclasses.replace(explanation.scene(), blank=blank, noun="slice")
    html = page(scene)
    known, shown = content(html), arrays(html)
    assert known["blank"] == blank.tolist()
    assert [score is None for score in known["scores"]["input"]] == blank.tolist()
    for values in shown.values():
        assert values.any(axis=(1, 2)).tolist() == (~blank).tolist()
    np.testing.assert_allclose(shown["input"][~blank], explanation.images[..., 0], atol=1e-3)


def test_masks_and_a_finer_input_go_along(explanation):
    masks = np.random.default_rng(1).random((5, *SIZE)) > 0.5
    detail = np.random.default_rng(2).random((5, 20, 12, 1)).astype(np.float32)
    scene = dataclasses.replace(explanation.scene(), masks={"truth": masks}, detail=detail)
    shown = arrays(page(scene))
    np.testing.assert_array_equal(shown["truth"], masks)
    np.testing.assert_allclose(shown["detail"], detail[..., 0], atol=0.5 / 255 + 1e-6)
    assert "truth" in Page(explanation.page(masks={"truth": masks})).text


def test_channels_are_shown_as_mean_and_sum():
    images = np.random.default_rng(0).random((1, 4, 4, 3)).astype(np.float32)
    shown = arrays(Explanation(images, {"map": images}, np.array([0.9], np.float32)).page())
    np.testing.assert_allclose(shown["input"], images.mean(axis=3), atol=1e-3)
    np.testing.assert_allclose(shown["map"], images.sum(axis=3), atol=1e-3)


def test_a_page_reaches_no_other_place(explanation):
    html = explanation.page()
    read = Page(html)
    assert not re.findall(
        r"https?:|//\w+\.\w|url\(|@import|\bfetch\b|XMLHttpRequest|WebSocket|sendBeacon", html
    )
    assert [attributes.get("src") for tag, attributes in read.tags if tag == "script"] == [None] * (5 + 2)
    assert [attributes["href"] for tag, attributes in read.tags if tag == "link"] == ["data:,"]
    [policy] = [
        attributes["content"]
        for tag, attributes in read.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src" not in policy  # which would allow more than the default
    digest = base64.b64encode(hashlib.sha256(script(html).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_same_explanation_gives_the_same_page(explanation):
    assert explanation.page() == explanation_to_show(5, SIZE).page()


def test_a_method_without_a_path_has_no_controls_of_one(explanation):
    plain = Explanation(explanation.images, explanation.maps, explanation.score)
    ids = {attributes.get("id") for _, attributes in Page(plain.page()).tags}
    assert not ids & {"animate", "flicker", "beside", "along", "show-start", "residual"}
    assert {"show-input", "map-0-on", "slice"} <= ids
    one = {attributes.get("id") for _, attributes in Page(plain.take(slice(0, 1)).page()).tags}
    assert not one & {"slice", "all", "strip"}


def test_words_of_a_scene_are_text_and_no_markup(explanation):
    evil = "</script><b>"
    scene = dataclasses.replace(
        explanation.scene(),
        maps={evil: explanation.maps["fi_v1"]},
        masks={evil: np.ones((5, *SIZE), bool)},
        remarks=[evil],
        title=evil,
        about={evil: evil},
    )
    html = page(scene)
    assert evil not in html
    assert content(html)["maps"][0]["name"] == evil
    assert Page(html).text.count(evil) > 5


def test_a_map_is_brightest_at_a_percentile_of_the_slice_where_it_is_largest(explanation):
    values = explanation.maps["fi_v1"]
    [known] = [each for each in content(explanation.page())["maps"] if each["name"] == "fi_v1"]
    wanted = max(np.percentile(one.astype(np.float64), 99.5) for one in values)
    assert known["brightest"] == pytest.approx(wanted, rel=1e-5)


def test_a_map_of_zeros_and_a_blank_study_have_a_page():
    images = np.ones((1, *SIZE, 1), np.float32)
    html = Explanation(images, {"map": 0 * images}, np.array([0.9], np.float32)).page()
    assert not arrays(html)["map"].any()
    nothing = dataclasses.replace(
        Explanation.of_nothing((*SIZE, 1), ["map"]).scene(), blank=np.array([True, True])
    )
    assert content(page(nothing))["blank"] == [True, True]


def test_a_map_keeps_its_negative_values_and_where_it_has_no_number(explanation):
    values = np.random.default_rng(0).normal(size=explanation.images.shape).astype(np.float32)
    values[1, :3] = np.nan
    values[4] = np.nan
    html = page(dataclasses.replace(explanation.scene(), maps={"signed": values, "plain": np.abs(values)}))
    signed, plain = content(html)["maps"]
    assert (signed["signed"], plain["signed"]) == (True, False)
    shown = arrays(html)
    largest = np.nanmax(np.abs(values))
    assert signed["largest"] == plain["largest"] == pytest.approx(largest)
    error = FINE.map_error * largest
    np.testing.assert_allclose(shown["signed"], values[..., 0], atol=error)  # NaN is equal to NaN
    np.testing.assert_allclose(shown["plain"], np.abs(values[..., 0]), atol=error)
    wanted = max(np.percentile(np.abs(one[~np.isnan(one)]), 99.5) for one in values[:4])
    assert signed["brightest"] == pytest.approx(wanted, rel=1e-5)


def test_a_map_of_no_numbers_has_a_page(explanation):
    nothing = np.full_like(explanation.images, np.nan)
    html = page(dataclasses.replace(explanation.scene(), maps={"map": nothing}))
    assert np.isnan(arrays(html)["map"]).all()
    assert content(html)["maps"][0]["largest"] == 0


def test_signed_maps_choose_among_the_colours_that_meet_at_0(explanation):
    maps = {"plain": explanation.images, "signed": explanation.images - 0.5}
    html = page(dataclasses.replace(explanation.scene(), maps=maps))
    for place, names in ((0, colour_tables()), (1, diverging_tables())):
        choice = re.search(rf'<select id="map-{place}-colours">(.*?)</select>', html, re.DOTALL)[1]
        assert re.findall(r"<option.*?>(.*?)</option>", choice) == list(names)


def scene(**changes) -> Scene:
    return dataclasses.replace(explanation_to_show(2, SIZE).scene(), **changes)


def test_what_does_not_fit_together_is_refused():
    values = np.zeros((2, *SIZE, 1), np.float32)
    with pytest.raises(ValueError, match=r"'a' must be \[2, 9, 7, 'C'\]. Received: \[1, 9, 7, 1\]"):
        scene(maps={"a": values[:1]})
    with pytest.raises(ValueError, match="'a' must not be infinite"):
        scene(maps={"a": values - np.inf})
    with pytest.raises(ValueError, match=r"`blank` must leave 2 slices\. Received: 1"):
        scene(blank=np.array([True, False]))
    with pytest.raises(ValueError, match=r"mask 'a' must be \[3, 9, 7\]. Received: \[2, 9, 7\]"):
        scene(blank=np.array([True, False, False]), masks={"a": values[..., 0] > 0})
    with pytest.raises(ValueError, match="at least one image"):
        Explanation.of_nothing((*SIZE, 1), ["map"]).page()
