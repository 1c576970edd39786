import numpy as np
import pytest

from tfadvpath.datasets.phantoms.chest import chest_phantom
from tfadvpath.datasets.phantoms.chest_xrays import phantom_chest_xrays


@pytest.fixture(scope="module")
def twins():
    return phantom_chest_xrays([3, 4], 64, twins=True)


def test_each_patient_comes_with_and_without_the_opacity(twins):
    assert twins.labels.tolist() == [1, 0, 1, 0]
    assert twins.patients.tolist() == ["phantom_3"] * 2 + ["phantom_4"] * 2
    assert twins.masks.any(axis=(1, 2)).tolist() == [True, False, True, False]


def test_images_fill_the_range_from_0_to_1(twins):
    assert twins.images.shape == (4, 64, 64, 1)
    assert twins.images.dtype == np.float32
    np.testing.assert_array_equal(twins.images.min(axis=(1, 2, 3)), 0)
    np.testing.assert_array_equal(twins.images.max(axis=(1, 2, 3)), 1)


@pytest.mark.parametrize("first", [0, 2])
def test_twins_differ_inside_the_opacity_s_mask_and_hardly_outside(twins, first):
    apart = np.abs(twins.images[first] - twins.images[first + 1])[..., 0]
    inside = twins.masks[first]
    assert apart[inside].mean() > 10 * apart[~inside].mean()


def test_masks_are_the_boxes_on_the_small_image(twins):
    area = sum(width * height for _, _, width, height in chest_phantom(3, 256, True).boxes)
    assert twins.masks[0].sum() * 16 == pytest.approx(area, rel=0.2)  # the boxes' edges are whole pixels


def test_without_twins_patients_of_odd_seeds_have_the_opacity():
    assert phantom_chest_xrays([3, 4], 32).labels.tolist() == [1, 0]
