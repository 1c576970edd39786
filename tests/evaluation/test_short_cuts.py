"""Places of short cuts: found, measured and hidden."""

import numpy as np
import pytest

from tfadvpath.evaluation.short_cuts import PLACES, hidden_figures, places, share_within, without

SIDE = 50
NOTHING = np.zeros((1, 50, 50), bool)


def film(mark=None):
    """A smooth image, with a bright letter where it is asked for."""
    image = (
        np.broadcast_to(np.linspace(0.2, 0.6, SIDE)[:, np.newaxis], (SIDE, SIDE)).astype(np.float32).copy()
    )
    if mark:
        row, column = mark
        image[row : row + 2, column : column + 2] = 1.0
    return image[..., np.newaxis]


def test_border_and_corners_have_their_area():
    found = places(film()[np.newaxis], NOTHING)
    assert found["border"].mean() == pytest.approx(1 - 0.84**2)
    assert found["corners"].mean() == pytest.approx(4 * 0.2**2)
    assert not found["marks"].any()


def test_a_letter_is_a_mark_and_a_bright_side_is_none():
    found = places(
        np.stack([film((30, 20)), np.where(np.arange(SIDE)[:, None, None] > 25, 0.9, film())]),
        NOTHING.repeat(2, 0),
    )
    letter, half = found["marks"]
    assert letter[30:32, 20:22].all()
    assert letter.sum() <= 16
    assert not half.any()


def test_a_finding_and_what_is_next_to_it_is_no_short_cut():
    images = np.stack([film((30, 20)), film((30, 20))])
    masks = NOTHING.repeat(2, 0).copy()
    masks[0, 30:32, 20:22] = True
    masks[1, :10, :10] = True
    found = places(images, masks)
    assert not found["marks"][0].any()
    assert found["marks"][1].any()
    side = 3  # thinness of marks at 50 pixels
    assert not found["border"][1, : 10 + side, : 10 + side].any()
    assert found["border"][1, 0, 10 + side]


def test_the_share_of_a_map_is_its_sum_there():
    maps = np.zeros((2, SIDE, SIDE))
    maps[0, 0, :10] = 1.0
    maps[0, 25, 25] = 30.0
    found = share_within(maps, places(np.stack([film(), film()]), NOTHING.repeat(2, 0))["border"])
    assert found[0] == pytest.approx(0.25)
    assert np.isnan(found[1])


def test_a_hidden_mark_leaves_no_trace():
    images = np.stack([film((30, 20)), film((10, 40))])
    clean = without(images, places(images, NOTHING.repeat(2, 0))["marks"])
    np.testing.assert_allclose(clean, np.stack([film(), film()]), atol=0.05)
    assert images.max() == 1.0


def test_a_classifier_of_marks_loses_what_hiding_them_takes():
    generator = np.random.default_rng(0)
    labels = np.arange(20) % 2
    marks = [tuple(generator.integers(12, 36, 2)) if label else None for label in labels]
    images = np.stack([film(mark) for mark in marks])

    def bright(x):
        return np.clip(x.max(axis=(1, 2, 3)), 0, 1)

    found = hidden_figures(bright, images, labels, NOTHING.repeat(20, 0), np.arange(20) // 2)
    assert tuple(found) == PLACES
    assert found["marks"]["auc"] == pytest.approx(0.5, abs=0.1)
    assert found["marks"]["loss"] == pytest.approx(0.5, abs=0.1)
    assert found["marks"]["loss_interval"][0] > 0.3
    assert found["border"]["loss"] == 0
    # A classifier that looks elsewhere loses nothing.
    other = hidden_figures(
        lambda x: x[:, 25, 25, 0], images, labels, NOTHING.repeat(20, 0), np.arange(20) // 2
    )
    assert other["border"]["changed"] == 0
