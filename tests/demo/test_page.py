"""Pages are one file, and say what they are given."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from support.explanations import NAMES, explanation_of

from tfadvpath.demo.measure import Patient, measure, slices_to_show
from tfadvpath.demo.page import write_demonstration, write_overview
from tfadvpath.writers.page import data_uri, figure, percent

ABOUT = {"Command": "tfadvpath demo '<b>out</b>'", "Seed": "7", "Versions": "tfadvpath 0.1.0"}


def patient(name, tumour_slices, count=4):
    """Slices of a bright disc; in those with tumour its upper left quarter is the tumour."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, 32, 32, 1), np.float32)
    images[:, 8:24, 8:24] = 0.9 * rng.random((count, 16, 16, 1)).astype(np.float32) + 0.1
    masks = np.zeros((count, 32, 32), bool)
    masks[tumour_slices, 8:14, 8:14] = True
    return Patient(name, np.arange(count) + 10, masks, masks.any(axis=(1, 2)), explanation_of(images))


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(tmp_path):
    patients = [patient("BRATS_001.nii.gz", [1, 2]), patient("BRATS_002.nii.gz", [0])]
    write_demonstration(tmp_path / "report.html", slices_to_show(patients), measure(patients), ABOUT)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_from_elsewhere(page):
    assert "http" not in page
    assert "url(" not in page
    assert not [tag for tag, _ in Tags(page).tags if tag in ("script", "link", "iframe")]
    sources = [attributes["src"] for tag, attributes in Tags(page).tags if tag == "img"]
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_each_slice_has_seven_pictures_with_their_titles(page):
    images = [attributes for tag, attributes in Tags(page).tags if tag == "img"]
    assert len(images) == 1 + 4 * 7  # the colour bar; two slices with tumour, two without
    assert all(attributes["alt"] for attributes in images)
    content = images[1]["src"].partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (320, 320)


def test_what_is_given_is_escaped(page):
    assert "<b>out</b>" not in page
    assert ABOUT["Command"] in Tags(page).text


def test_the_page_says_that_it_shows_phantoms_and_is_no_medical_device(page):
    text = " ".join(Tags(page).text.split())
    assert "generated phantoms, not patients" in text
    assert "no medical device" in text


def test_the_page_adapts_to_phones_and_dark_screens(page):
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert re.search(r"@media \(max-width", page)


def test_figures_are_those_of_the_explanations(page):
    patients = [patient("a", [1, 2]), patient("b", [0])]
    figures = measure(patients)
    assert figures["slices"] == 8
    assert figures["tumour_slices"] == 3
    assert figures["crossing_rate"] == figures["keep_rate"] == 1
    # The images are random in the disc, and so are the maps: a share of 36 / 256 lies in the tumour.
    assert figures["maps"]["fi_v1"]["in_tumour"] == pytest.approx(36 / 256, abs=0.12)
    assert set(figures["maps"]) == set(NAMES)
    assert percent(figures["maps"]["fi_v2"]["in_tumour"], 1) in Tags(page).text


def test_a_map_that_is_lit_in_the_tumour_alone_finds_it():
    who = patient("a", [])
    for index, place in ((1, slice(2, 9)), (2, slice(20, 27))):
        who.masks[index, place, place] = True
        who.labels[index] = True
    lit = explanation_of(who.masks[..., np.newaxis] * who.explanation.images.max().astype(np.float32))
    figures = measure(
        [who, dataclasses.replace(who, explanation=lit), dataclasses.replace(who, explanation=lit)]
    )
    found = figures["maps"]["fi_v2"]
    assert figures["area"] == pytest.approx(49 / 1024)
    assert found["iou"] > 2 / 3  # 1 on two of the three
    assert found["in_tumour"] > 2 / 3


def test_slices_without_any_tumour_have_no_localisation():
    figures = measure([patient("a", [])])
    assert figures["maps"] == {}
    assert figures["auc"] is figures["sensitivity"] is figures["area"] is None


def test_the_slice_with_most_tumour_is_shown_and_one_without():
    many = patient("a", [1, 2])
    many.masks[2, 8:20, 8:20] = True
    (first, most), (second, free) = slices_to_show([many])
    assert first is second is many
    assert most == 2
    assert free in (0, 3)


@pytest.mark.parametrize("value", [None, math.nan])
def test_an_unknown_figure_is_a_dash(value):
    assert figure(value) == percent(value) == "–"


def test_figures_are_rounded():
    assert percent(0.0256, 1) == "2.6 %"
    assert figure(0.12345, 3) == "0.123"


def test_a_picture_becomes_an_address():
    picture = np.zeros((2, 3, 3), np.uint8)
    assert Image.open(io.BytesIO(base64.b64decode(data_uri(picture).partition(",")[2]))).size == (3, 2)


def test_the_overview_has_a_row_a_slice_and_seven_pictures_in_it(tmp_path):
    shown = slices_to_show([patient("BRATS_001.nii.gz", [1]), patient("BRATS_002.nii.gz", [0])])[:2]
    write_overview(tmp_path / "overview.png", shown)
    picture = np.asarray(Image.open(tmp_path / "overview.png"))
    assert picture.shape == (2 * 200 + 2, 7 * 202 - 2, 3)
    columns = [picture[:200, i * 202 : i * 202 + 200] for i in range(7)]
    assert all(np.any(a != b) for a, b in itertools.pairwise(columns))
