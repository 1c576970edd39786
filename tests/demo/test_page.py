"""The demonstration's page and overview show what they are given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.explanations import NAMES
from support.pages import Page
from support.phantoms import lit_by_quarters, patient

from tfadvpath.demo.measure import measure, slices_to_show
from tfadvpath.demo.page import write_demonstration, write_overview
from tfadvpath.writers.page import number, percent
from tfadvpath.writers.pictures import OUTLINE

ABOUT = {"Command": "tfadvpath demo '<b>out</b>'", "Seed": "7", "Versions": "tfadvpath 0.1.0"}
TITLES = [
    *("Input x", "Stable image xₛ", "Adversary xₐ"),
    *("Difference E", "Importance v1", "Importance v2", "v2 smooth"),
]
MAPS = ("difference", "fi_v1", "fi_v2", "fi_v2_smooth")  # in the order of their titles


@pytest.fixture(scope="module")
def patients():
    names = {"BRATS_001.nii.gz": [1, 2], "BRATS_002.nii.gz": [0]}
    return [lit_by_quarters(patient(name, slices)) for name, slices in names.items()]


@pytest.fixture(scope="module")
def shown(patients):
    return slices_to_show(patients)


@pytest.fixture(scope="module")
def page(patients, shown, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_demonstration(path, shown, measure(patients), ABOUT)
    return Page(path.read_text(encoding="utf-8"))


def assert_shows(pictures, tumour):
    """Asserts of the seven square pictures of a slice what its patient's maps, lit by quarters, ask for.

    The body fills them up to two of twenty pixels at each edge: there is 1 / 10 of the picture.
    """
    pictures = [picture.astype(int) for picture in pictures]
    edge, side = len(pictures[0]) // 10, 4 * len(pictures[0]) // 10
    text = slice(-edge, None)  # the overview's titles stand below the body
    first, stable, adversary, *maps = pictures
    for picture in pictures:
        picture[text] = 0
    outlined = [(np.abs(picture - OUTLINE).sum(axis=2) < 60).any() for picture in pictures]
    assert outlined == [tumour, False, False, tumour, tumour, tumour, tumour]
    np.testing.assert_allclose(adversary[:-edge], 255 - stable[:-edge], atol=1)  # its negative
    assert not np.ptp(stable, axis=2).any()
    if tumour:
        return
    np.testing.assert_array_equal(first, stable)
    for name, picture in zip(MAPS, maps, strict=True):
        row, column = (edge + side * place for place in divmod(NAMES.index(name), 2))
        coloured = np.ptp(picture, axis=2) > 20
        inside = np.zeros_like(coloured)
        inside[row : row + side, column : column + side] = True
        assert coloured[inside].mean() > 0.95
        assert coloured[~inside].mean() < 0.05  # the map's edge is smooth


def test_the_page_needs_nothing_from_elsewhere(page):
    assert page.fetched == []


def test_each_slice_has_seven_pictures_with_their_titles(page, shown):
    places = [f"{who.name.removesuffix('.nii.gz')}, slice {who.slices[place]}" for who, place in shown]
    assert len(places) == 4  # two slices with tumour, two without
    of_slices = [f"{title} of {place}" for place in places for title in TITLES]
    *before, chest = [image["alt"] for image in page.images]
    assert before == ["colour scale", *of_slices]
    assert chest.startswith("Three chest X-rays")


def test_pictures_are_of_their_slice_and_of_their_map(page, shown):
    for row, (who, place) in enumerate(shown):
        pictures = [page.picture(1 + 7 * row + i) for i in range(7)]
        assert {picture.shape for picture in pictures} == {(320, 320, 3)}
        assert_shows(pictures, tumour=bool(who.labels[place]))


def test_scores_and_decisions_stand_beside_the_pictures(page, shown):
    who, place = shown[0]
    score = who.explanation.score[place]
    assert score < 0.5
    for title, value in zip(TITLES, (score, score, 1 - score), strict=False):
        assert f"{title} f = {number(value, 3)}" in page.text
    header = f"BRATS_001, slice {who.slices[place]} 36 pixels of tumour decision: no tumour (wrong)"
    assert f"{header} xa crossed: yes xs kept: yes residual {percent(score / 100, 2)}" in page.text


def test_the_width_of_the_smoothing_is_that_of_the_shown_size(page, shown):
    height, width = shown[0][0].explanation.images.shape[1:3]
    assert f"2 pixels of 224: {number(2 * width / 224, 2)} of these {width}." in page.text
    assert height == width


def test_what_is_given_is_escaped(page):
    assert "<b>out</b>" not in page.html
    assert ABOUT["Command"] in page.text


def test_the_page_says_that_it_shows_phantoms_and_is_no_medical_device(page):
    assert "These images are generated phantoms, not patients." in page.text
    assert "This is software for research and no medical device" in page.text


def test_the_page_adapts_to_phones_and_dark_screens(page):
    assert ("meta", "width=device-width, initial-scale=1") in [
        (tag, attributes.get("content")) for tag, attributes in page.tags
    ]
    assert "@media (prefers-color-scheme: dark)" in page.html
    assert "@media (max-width: 36rem) { .pictures { grid-template-columns: repeat(2, 1fr); }" in page.html


def test_the_tables_are_the_measurements(page, patients):
    measured = measure(patients)
    assert page.row("Classifier: area under the ROC curve") == [number(measured.auc, 3)]
    assert page.row("Classifier: sensitivity") == ["0.0 %"]
    assert page.row("Classifier: specificity") == ["100.0 %"]
    assert page.row("Adversaries with the other decision") == ["100.0 %"]
    assert page.row("Completeness residual, median") == [percent(measured.median_residual, 2)]
    # The smoothed map is lit in the quarter with the tumour, 8 x 8 pixels, of which 6 x 6 are the tumour's.
    assert page.row("v2 smooth") == ["56.2 %", "0.562"]
    for title in ("Difference E", "Importance v1", "Importance v2"):
        assert page.row(title) == ["0.0 %", "0.000"]
    assert page.row("pixels drawn at random") == [percent(36 / 1024, 1), ""]
    assert "Over 8 slices of 2 phantoms that training did not see, 3 of them with tumour" in page.tables


def test_without_tumour_a_table_says_what_is_not_known(tmp_path):
    patients = [patient("a", [])]
    write_demonstration(tmp_path / "report.html", slices_to_show(patients), measure(patients), ABOUT)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.row("Classifier: area under the ROC curve") == ["–"]
    assert page.row("pixels drawn at random") == ["–", ""]


def test_the_overview_has_a_row_a_slice_and_seven_pictures_in_it(shown, tmp_path):
    (who, with_tumour), (other, without) = shown[0], shown[2]
    write_overview(tmp_path / "overview.png", [(who, with_tumour), (other, without)])
    sheet = np.asarray(Image.open(tmp_path / "overview.png"))
    assert sheet.shape == (2 * 200 + 2, 7 * 202 - 2, 3)
    for row, tumour in enumerate((True, False)):
        pictures = [sheet[row * 202 : row * 202 + 200, i * 202 : i * 202 + 200] for i in range(7)]
        assert_shows(pictures, tumour)


def test_real_x_rays_stand_beside_the_phantoms_with_their_terms(page):
    assert "Real chest X-rays" in page.text
    assert "NIH Clinical Center" in page.text
    assert "the boxes of radiologists" in page.text
