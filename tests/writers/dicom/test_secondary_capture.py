"""Secondary Captures show the map over the image, with a legend of its values."""

from __future__ import annotations

import dataclasses

import numpy as np
from support.archive import a_series, an_xray, explained, written
from support.broken_files import picture

from tfadvpath.writers.dicom import secondary_capture
from tfadvpath.writers.dicom.legend import with_headline, with_legend
from tfadvpath.writers.pictures import overlay
from tfadvpath.writers.study_pictures import study_pictures


def test_the_overlay_is_the_picture_of_the_format_png_beside_its_legend(tmp_path):
    # As large as an overlay is at least, and a quarter of it is seen: both are drawn at the size of the file.
    result = explained(an_xray(tmp_path / "in", picture(520, 512)), (130, 128))
    read = written(tmp_path / "out", result, "dicom")["secondary_capture_difference"]
    expected = study_pictures(result)["difference"]
    shown = read.pixel_array
    assert read.PhotometricInterpretation == "RGB"
    np.testing.assert_array_equal(shown[: expected.shape[0], : expected.shape[1]], expected)
    assert shown.shape[1] > expected.shape[1] + 50
    assert shown[expected.shape[0] :].any()  # words below


def test_each_slice_without_a_place_is_a_frame(tmp_path):
    result = explained(a_series(tmp_path / "in", FrameOfReferenceUID=None))
    read = written(tmp_path / "out", result, "dicom")["secondary_capture_difference"]
    assert read.NumberOfFrames == 5
    frames = read.pixel_array
    colourful = np.ptp(frames.astype(int)[:, :512, :380], axis=3).max(axis=(1, 2)) > 0
    assert colourful.tolist() == [True, True, False, True, True]  # the third is blank


def test_the_words_below_say_where_a_map_must_not_be_read(tmp_path, monkeypatch):
    result = explained(a_series(tmp_path / "in", FrameOfReferenceUID=None))
    explanation = result.explanation
    crossed = 1.0 - (explanation.score >= 0.5)
    adversary = crossed.copy()
    adversary[1] = explanation.score[1]  # this one did not cross
    start = explanation.score.copy()
    start[2] = crossed[2]  # and this start image has the other decision
    changed = dataclasses.replace(explanation, score_adversary=adversary, score_start=start)
    said = []
    monkeypatch.setattr(
        secondary_capture,
        "with_legend",
        lambda picture, scale, lines: said.append(lines[-1]) or with_legend(picture, scale, lines),
    )
    written(tmp_path / "out", dataclasses.replace(result, explanation=changed), "dicom")
    crosses = "the adversary crossed the decision"
    assert said[:5] == [
        crosses,
        "the adversary did not cross the decision: do not read this map",
        "",  # blank
        "the start image did not keep the decision: do not read this map",
        crosses,
    ]


def test_the_bar_has_the_overlays_colours_with_the_largest_value_on_top():
    picture = np.full((200, 100, 3), 50, np.uint8)
    shown = with_legend(picture, 0.5, ["a line"])
    np.testing.assert_array_equal(shown[:200, :100], picture)
    bar = shown[12:188, 112]
    ramp = np.linspace(0.5, 0, 176, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(bar, overlay(np.full((176, 1, 3), 96, np.uint8), ramp, 0.5)[:, 0])
    assert bar[0].sum() > bar[-1].sum()
    assert shown[:, 140:].any()  # values beside it


def test_a_flat_picture_has_room_for_its_legend():
    assert with_legend(np.zeros((10, 512, 3), np.uint8), 1.0, []).shape[0] > 128


def test_a_headline_is_as_wide_as_the_picture_and_not_cut():
    shown = with_headline(np.zeros((64, 400, 3), np.uint8), "SYNTHETIC adversary, not for diagnosis")
    written_columns = np.flatnonzero(shown[:-64].any(axis=(0, 2)))
    assert written_columns.min() < 30
    assert 300 < written_columns.max() < 398


def test_generated_images_say_so_in_their_pixels_and_attributes(tmp_path):
    result = explained(an_xray(tmp_path / "in"))
    objects = written(tmp_path / "out", result, "dicom-synthetic")
    assert list(objects) == ["synthetic_adversary", "synthetic_start"]
    for name, read in objects.items():
        assert "SYNTHETIC" in read.SeriesDescription
        assert "SYNTHETIC" in read.ImageComments
        assert "SYNTHETIC" in read.DerivationDescription
        image = getattr(result.explanation, name.removeprefix("synthetic_"))[0, ..., 0]
        band = read.Rows - 512
        assert read.pixel_array[:band].max() > 200  # the headline's letters
        middle = read.pixel_array[band + 256, read.Columns // 2] / 255
        np.testing.assert_allclose(middle, image[7:9, 7:9].mean(), atol=0.1)  # enlarged 32 times
