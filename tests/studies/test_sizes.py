import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.studies.sizes import nearest

SIDE = st.integers(1, 12)


@given(SIDE, SIDE, SIDE, SIDE)
def test_each_place_takes_the_value_whose_cell_holds_its_centre(rows, columns, new_rows, new_columns):
    values = np.arange(rows * columns).reshape(rows, columns)
    result = nearest(values, (new_rows, new_columns))
    assert result.shape == (new_rows, new_columns)
    for row in range(new_rows):
        for column in range(new_columns):
            # Whole numbers: (2 row + 1) / (2 new_rows) of rows, rounded down.
            source = (2 * row + 1) * rows // (2 * new_rows), (2 * column + 1) * columns // (2 * new_columns)
            assert result[row, column] == values[source]


def test_a_mirrored_mask_becomes_the_mirrored_result():
    mask = np.random.default_rng(0).random((15, 21)) > 0.5
    np.testing.assert_array_equal(nearest(mask[::-1, ::-1], (5, 7)), nearest(mask, (5, 7))[::-1, ::-1])
