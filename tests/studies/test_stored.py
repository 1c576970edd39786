"""Pictures by their stored values."""

import cv2
import numpy as np
import pytest

from tfadvpath.studies.stored import read_stored


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535)])
def test_stored_values_are_shares_of_the_largest_that_there_can_be(dtype, most, tmp_path):
    values = np.linspace(0.3 * most, 0.6 * most, 48 * 48).reshape(48, 48).astype(dtype)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    np.testing.assert_allclose(read_stored(tmp_path / "a.png", 48)[..., 0], values / most, atol=1e-6)
    smaller = read_stored(tmp_path / "a.png", 24)
    assert smaller.shape == (24, 24, 1)
    blocks = (values / most).reshape(24, 2, 24, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(smaller[..., 0], blocks, atol=1e-6)
