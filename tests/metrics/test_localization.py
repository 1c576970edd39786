"""IoU, the paper's false negative rate, the pointing game and average precision."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.metrics import (
    average_precision,
    false_negative_rate,
    iou,
    most_important,
    pointing_game,
    random_false_negative_rate,
    random_iou,
    selected_share,
)

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "quantus.npz"

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
        (RAMP, RAMP, 0, "`percentile` must be between 0 and 100"),
        (RAMP, RAMP, 100, "`percentile` must be between 0 and 100"),
        (RAMP[0], RAMP[0], 98, r"`maps` must be \[B, H, W\] or"),
        (RAMP[:0], RAMP[:0], 98, "with B >= 1"),
        (RAMP * np.nan, RAMP, 98, "`maps` must be finite"),
        (RAMP, RAMP[:, :5], 98, r"`masks` must be \[B, H, W\] like the maps"),
    ],
)
def test_wrong_arguments_are_named(maps, masks, percentile, message):
    with pytest.raises(ValueError, match=message):
        iou(maps, masks, percentile)


def test_the_pointing_game_asks_for_the_largest_pixel_alone():
    maps = np.random.default_rng(0).random((3, 8, 9))
    masks = np.zeros((3, 8, 9, 1), bool)
    maps[:, 2, 3] = 2, 2, 0.5
    masks[:, 2, 3, 0] = True, False, True
    np.testing.assert_array_equal(pointing_game(maps, masks), [True, False, False])


@pytest.mark.parametrize(("tolerance", "hit"), [(0, False), (4.9, False), (5, True), (15, True)])
def test_the_pointing_game_forgives_a_distance(tolerance, hit):
    maps, masks = np.zeros((1, 12, 12)), np.zeros((1, 12, 12))
    maps[0, 2, 9] = 1
    masks[0, 5, 5] = 1  # 3 rows and 4 columns away: 5 pixels
    np.testing.assert_array_equal(pointing_game(maps, masks, tolerance), [hit])


def test_a_pointing_game_on_a_constant_map_favours_no_edge():
    upper = np.zeros((1, 20, 20), bool)
    hits = []
    for row in range(20):
        upper[:] = False
        upper[0, row] = True
        hits.append(pointing_game(np.ones((1, 20, 20)), upper)[0])
    assert sum(hits) == 1
    assert not hits[0]


def test_nothing_annotated_is_no_hit_and_has_no_precision():
    maps = np.random.default_rng(1).random((2, 5, 5))
    masks = np.stack([np.zeros((5, 5)), np.ones((5, 5))])
    np.testing.assert_array_equal(pointing_game(maps, masks, 3), [False, True])
    np.testing.assert_array_equal(average_precision(maps, masks), [np.nan, 1])


def test_average_precision_is_scikit_learns():
    with np.load(GOLDEN) as golden:
        maps, masks = golden["average_precision/maps"], golden["average_precision/masks"]
        expected = golden["average_precision/output"]
    assert len(np.unique(maps[0])) < 10  # many ties
    np.testing.assert_allclose(average_precision(maps, masks), expected, rtol=0, atol=1e-12)


def test_average_precision_sums_channels():
    maps = np.random.default_rng(2).random((2, 6, 5, 3))
    masks = np.random.default_rng(3).random((2, 6, 5, 1)) < 0.3
    np.testing.assert_array_equal(average_precision(maps, masks), average_precision(maps.sum(axis=3), masks))


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(0, 4), min_size=20, max_size=20),
    annotated=st.lists(st.booleans(), min_size=20, max_size=20).filter(any),
)
def test_average_precision_is_its_definition_threshold_by_threshold(values, annotated):
    values, annotated = np.array(values), np.array(annotated)
    expected, recall = 0.0, 0.0
    for threshold in sorted(set(values.tolist()), reverse=True):
        selected = values >= threshold
        previous, recall = recall, (selected & annotated).sum() / annotated.sum()
        expected += (recall - previous) * (selected & annotated).sum() / selected.sum()
    result = average_precision(values.reshape(1, 4, 5), annotated.reshape(1, 4, 5))
    assert result == pytest.approx([expected], abs=1e-12)


def test_a_random_map_reaches_the_annotated_share():
    masks = np.zeros((1, 200, 200), bool)
    masks[:, :60] = True
    assert average_precision(np.random.default_rng(4).random((1, 200, 200)), masks)[0] == pytest.approx(
        0.3, abs=0.02
    )


@pytest.mark.parametrize("measure", [pointing_game, average_precision])
@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (RAMP[0], RAMP[0], r"`maps` must be \[B, H, W\] or"),
        (RAMP * np.nan, RAMP, "`maps` must be finite"),
        (RAMP, RAMP[:, :5], r"`masks` must be \[B, H, W\] like the maps"),
    ],
)
def test_wrong_maps_and_masks_are_named(measure, maps, masks, message):
    with pytest.raises(ValueError, match=message):
        measure(maps, masks)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match=r"`tolerance` must not be negative\. Received: -1"):
        pointing_game(RAMP, RAMP, -1)


@pytest.mark.parametrize("percentile", [40, 75, 90])
def test_a_random_order_reaches_the_mean_over_all_orders(percentile):
    masks = np.zeros((4, 2, 4), bool)
    for row, area in enumerate((0, 1, 3, 8)):
        masks[row].ravel()[:area] = True
    count = math.ceil(8 * (100 - percentile) / 100)
    selections = [list(chosen) for chosen in itertools.combinations(range(8), count)]
    maps = np.zeros((len(selections), 2, 4))
    for one, chosen in zip(maps, selections, strict=True):
        one.ravel()[chosen] = 1 + np.arange(count)
    for mask, found, outside in zip(
        masks, random_iou(masks, percentile), random_false_negative_rate(masks), strict=True
    ):
        repeated = np.repeat(mask[np.newaxis], len(maps), axis=0)
        assert found == pytest.approx(iou(maps, repeated, percentile, exact=True).mean(), abs=1e-12)
        assert outside == pytest.approx(
            false_negative_rate(maps, repeated, percentile, exact=True).mean(), abs=1e-12
        )


def test_of_images_of_the_papers_size_a_random_order_is_what_draws_say():
    mask = np.zeros((1, 224, 224))
    mask[0, 50:150, 40:90] = 1  # a tenth
    maps = np.random.default_rng(0).random((20, 224, 224))
    drawn = iou(maps, np.repeat(mask, 20, axis=0), 98)
    assert random_iou(mask, 98) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(20))


@pytest.mark.parametrize("shape", [(2, 4), (1, 2, 4, 3)])
def test_a_random_order_needs_masks(shape):
    for function in (random_false_negative_rate, lambda masks: random_iou(masks, 90)):
        with pytest.raises(ValueError, match="`masks` must be"):
            function(np.zeros(shape))


def test_a_random_order_needs_a_percentile():
    with pytest.raises(ValueError, match="percentile"):
        random_iou(np.zeros((1, 2, 4)), 100)
