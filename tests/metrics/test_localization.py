"""IoU and the paper's false negative rate."""

from __future__ import annotations

import numpy as np
import pytest

from tfadvpath.metrics import false_negative_rate, iou, most_important, selected_share

RAMP = np.arange(100.0).reshape(1, 10, 10)


def test_a_map_that_lights_the_mask_alone_is_perfect():
    assert iou(RAMP, RAMP >= 90, 90) == 1
    assert false_negative_rate(RAMP, RAMP >= 90, 90) == 0


def test_a_map_beside_the_mask_scores_nothing():
    assert iou(RAMP, RAMP < 50, 90) == 0
    assert false_negative_rate(RAMP, RAMP < 50, 90) == 1


def test_known_overlap_gives_the_known_figures():
    # Selected: 90 to 99. Annotated: 85 to 94. Common: 5, together 15.
    mask = (RAMP >= 85) & (RAMP < 95)
    assert iou(RAMP, mask, 90) == pytest.approx(5 / 15)
    assert false_negative_rate(RAMP, mask, 90) == pytest.approx(5 / 10)


def test_each_image_has_its_own_percentile():
    maps = np.concatenate([RAMP, 1000 * RAMP, RAMP[:, ::-1]])
    masks = np.concatenate([RAMP >= 90] * 3)
    np.testing.assert_array_equal(iou(maps, masks, 90), [1, 1, 0])


def test_channels_are_summed():
    # Neither channel alone has its largest value in the first pixel.
    maps = np.zeros((1, 5, 4, 2))
    maps[0, 0, 0] = 3, 3
    maps[0, 1, 1] = 4, 0
    mask = np.zeros((1, 5, 4, 1), bool)
    mask[0, 0, 0] = True
    assert iou(maps, mask, 96) == 1


def test_ties_select_more_than_the_percentile_unless_exact():
    maps = np.zeros((1, 10, 10))
    maps[0, 0, 0] = 1
    assert selected_share(maps, 95) == 1.0  # the 95th percentile is 0, and so is every other pixel
    exact = most_important(maps, 95, exact=True)
    assert exact.sum() == 5
    assert exact[0, 0, 0]


@pytest.mark.parametrize(("percentile", "pixels"), [(98, 2), (99, 1), (90, 10), (97.5, 3), (99.9, 1)])
def test_exact_selects_the_rounded_up_share(percentile, pixels):
    selected = most_important(RAMP, percentile, exact=True)
    np.testing.assert_array_equal(RAMP[selected], np.arange(100 - pixels, 100))


def test_exact_ties_do_not_favour_an_edge():
    rows, columns = np.nonzero(most_important(np.zeros((1, 100, 100)), 90, exact=True)[0])
    # 1000 uniform draws from 0..99: the mean's standard deviation is 0.9.
    assert abs(rows.mean() - 49.5) < 4
    assert abs(columns.mean() - 49.5) < 4


def test_exact_agrees_with_the_percentile_without_ties():
    maps = np.random.default_rng(0).random((3, 20, 20))
    np.testing.assert_array_equal(most_important(maps, 95), most_important(maps, 95, exact=True))


@pytest.mark.parametrize(
    ("maps", "masks", "percentile", "message"),
    [
        (RAMP, RAMP, 0, "percentile"),
        (RAMP, RAMP, 100, "percentile"),
        (RAMP[0], RAMP[0], 98, r"\[B, H, W\]"),
        (RAMP[:0], RAMP[:0], 98, "B >= 1"),
        (RAMP * np.nan, RAMP, 98, "finite"),
        (RAMP, RAMP[:, :5], 98, "masks"),
    ],
)
def test_wrong_arguments_are_named(maps, masks, percentile, message):
    with pytest.raises(ValueError, match=message):
        iou(maps, masks, percentile)
