import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.datasets.boxes import filled_boxes

SIDE, FACTOR = 60, 5  # an odd factor: the nearest pixel to a block's centre is its middle one
START, LENGTH = st.integers(-10, 70), st.integers(1, 40)


@given(st.lists(st.tuples(START, START, LENGTH, LENGTH), max_size=3))
def test_it_is_the_filled_image_resized_to_the_nearest_pixel(boxes):
    filled = np.zeros((SIDE, SIDE), bool)
    for x, y, width, height in boxes:
        filled[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    small = SIDE // FACTOR
    np.testing.assert_array_equal(
        filled_boxes(boxes, (SIDE, SIDE), (small, small)),
        filled[FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR],
    )


def test_fractions_of_the_image_give_the_same_as_pixels():
    pixels, fractions = (30.0, 60.0, 48.0, 16.0), (0.1, 0.3, 0.16, 0.08)
    mask = filled_boxes([pixels], (200, 300), (20, 30))
    assert mask.sum() == 5 * 2  # columns 3 to 7, rows 6 and 7
    np.testing.assert_array_equal(mask, filled_boxes([fractions], (1, 1), (20, 30)))
