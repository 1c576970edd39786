"""Overlays, outlines and sheets."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tfadvpath.writers.pictures import display_scale, grey, labelled, montage, outline, overlay, picture_size
from tfadvpath.writers.png import png_bytes, write_png

RAMP = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))


def test_the_image_stays_as_it_is_where_the_map_is_zero():
    picture = grey(RAMP, (32, 32))
    np.testing.assert_array_equal(overlay(picture, np.zeros((32, 32)), 1.0), picture)
    np.testing.assert_array_equal(picture[0, :, 0], np.rint(255 * RAMP[0]))


def test_the_image_is_still_seen_through_the_brightest_map():
    bright = overlay(grey(RAMP, (32, 32)), np.ones((32, 32, 1)), 1.0).astype(int)
    assert (bright[0, -1] - bright[0, 0] > 25).all()


def test_the_map_colours_its_own_place():
    values = np.zeros((16, 16, 1))
    values[2:6, 10:14] = 1
    picture = overlay(grey(np.full((16, 16), 0.5), (160, 160)), values, 1.0).astype(int)
    coloured = np.ptp(picture, axis=2) > 20
    assert coloured[20:60, 100:140].mean() > 0.95
    coloured[15:65, 95:145] = False
    assert not coloured.any()


def test_a_stronger_map_is_never_darker():
    picture = np.zeros((1, 64, 3), np.uint8)
    shown = overlay(picture, np.linspace(0, 1, 64)[np.newaxis], 1.0).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shown[0]) >= -1).all()


def test_channels_are_summed():
    picture = grey(RAMP, (32, 32))
    colours = np.stack([RAMP, 2 * RAMP, 3 * RAMP], axis=2)
    np.testing.assert_array_equal(overlay(picture, colours, 3.0), overlay(picture, 6 * RAMP, 3.0))
    assert display_scale(colours[np.newaxis]) == pytest.approx(display_scale(6 * RAMP[np.newaxis]))


def test_one_scale_serves_all_slices_and_no_outlier_sets_it():
    maps = np.stack([RAMP, 10 * RAMP, 0 * RAMP])
    maps[1, 0, 0] = 1e6
    assert display_scale(maps) == pytest.approx(10, rel=1e-3)
    assert display_scale(maps[2:]) == 1.0
    assert display_scale(maps[:0]) == 1.0


def test_one_map_for_all_colours_is_laid_over_the_image_of_their_mean():
    colours = np.stack([RAMP, 0 * RAMP, 0.5 * RAMP], axis=2)
    picture = grey(colours, (32, 32))
    np.testing.assert_array_equal(picture, grey(RAMP / 2, (32, 32)))
    np.testing.assert_array_equal(overlay(picture, RAMP[..., np.newaxis], 1.0), overlay(picture, RAMP, 1.0))
    assert display_scale(RAMP[np.newaxis, ..., np.newaxis]) == display_scale(RAMP[np.newaxis])


@pytest.mark.parametrize(
    ("shape", "size"),
    [((64, 64), (512, 512)), ((600, 300), (600, 300)), ((2048, 1024), (1024, 512)), ((1, 9000), (1, 1024))],
)
def test_pictures_keep_their_proportions(shape, size):
    assert picture_size(shape, 512, 1024) == size


def test_the_outline_runs_around_the_mask_alone():
    mask = np.zeros((16, 16), bool)
    mask[4:8, 8:12] = True
    before = grey(np.full((16, 16), 0.5), (320, 320))
    changed = (outline(before, mask) != before).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), columns.min()) == (pytest.approx(80, abs=3), pytest.approx(160, abs=3))
    assert (rows.max(), columns.max()) == (pytest.approx(160, abs=3), pytest.approx(240, abs=3))
    assert not changed[90:150, 170:230].any()
    assert not (outline(before, np.zeros((16, 16), bool)) != before).any()


def test_a_sheet_holds_every_picture_at_its_place():
    tiles = [np.full((10, 20, 3), 10 * i, np.uint8) for i in range(1, 6)]
    sheet = montage(tiles)
    assert sheet.shape == (22, 64, 3)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(sheet[12 * row : 12 * row + 10, 22 * column : 22 * column + 20], tile)


def test_a_label_is_readable_on_black_and_on_white():
    for level in (0, 255):
        written = labelled(np.full((64, 64, 3), level, np.uint8), "slice 3").astype(int)
        assert np.ptp(written[40:]) > 240
        assert np.ptp(written[:40]) == 0


def test_png_keeps_every_pixel_and_its_colour(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    write_png(tmp_path / "picture.png", picture)
    for source in (tmp_path / "picture.png", io.BytesIO(png_bytes(picture))):
        np.testing.assert_array_equal(np.asarray(Image.open(source)), picture)


def test_png_refuses_what_is_no_rgb_picture():
    with pytest.raises(ValueError, match=r"must be uint8 \[rows, columns, 3\]. Received: float32 \(32, 32\)"):
        png_bytes(RAMP)
