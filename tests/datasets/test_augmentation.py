import numpy as np
import pytest
from scipy import ndimage

from tfadvpath.datasets.augmentation import Augmentation


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((6, 32, 32, 1)).astype(np.float32)


def test_an_epoch_draws_the_same_whatever_came_before(images):
    one = Augmentation(flip=True, rotation=0.1, zoom=0.2, translation=0.1, sharpness=0.5, seed=3)
    for epoch in (0, 1, 2):
        one.start_epoch(epoch)
        straight = [one(images).numpy(), one(images).numpy()]
    other = Augmentation(flip=True, rotation=0.1, zoom=0.2, translation=0.1, sharpness=0.5, seed=3)
    other(images)
    other.start_epoch(2)
    np.testing.assert_array_equal(other(images), straight[0])
    np.testing.assert_array_equal(other(images), straight[1])
    assert np.any(straight[0] != straight[1])
    other.start_epoch(1)
    assert np.any(other(images) != straight[0])


def test_images_stay_images(images):
    changed = Augmentation(flip=True, rotation=0.5, zoom=0.5, translation=0.5, sharpness=1.0, seed=0)(
        images
    ).numpy()
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6


def test_nothing_asked_changes_nothing(images):
    same = Augmentation(flip=False, rotation=0.0, zoom=0.0, translation=0.0, sharpness=0.0, seed=0)(images)
    np.testing.assert_allclose(same, images, atol=1e-4)


def test_masks_move_with_their_images(images):
    every = {"flip": True, "rotation": 0.1, "zoom": 0.2, "translation": 0.1, "sharpness": 0.0, "seed": 3}
    one, other = Augmentation(**every), Augmentation(**every, brightness=0.1, hidden_border=0.2)
    moved, masks = one.with_masks(images, images)
    np.testing.assert_array_equal(moved, masks)
    assert np.abs(masks - images).max() > 0.1
    # What is done to grey values is not done to masks, and the moves are those of images alone.
    changed, same = other.with_masks(images, images)
    np.testing.assert_array_equal(same, masks)
    assert np.abs(changed - same).max() > 0.01
    np.testing.assert_array_equal(Augmentation(**every)(images), moved)


def test_a_flip_mirrors_left_and_right_half_of_the_time(images):
    flip = Augmentation(flip=True, rotation=0.0, zoom=0.0, translation=0.0, sharpness=0.0, seed=0)
    kinds = []
    for _ in range(5):
        for before, after in zip(images, flip(images).numpy(), strict=True):
            mirrored = np.allclose(after, before[:, ::-1], atol=1e-4)
            assert mirrored or np.allclose(after, before, atol=1e-4)
            kinds.append(mirrored)
    assert 0.2 < np.mean(kinds) < 0.8


def test_sharpness_moves_an_image_along_the_line_through_its_blurred_copy(images):
    smooth = 0.3 + 0.4 * images  # stays within [0, 1] when it is sharpened
    changed = Augmentation(flip=False, rotation=0.0, zoom=0.0, translation=0.0, sharpness=1.0, seed=0)(smooth)
    kernel = np.full((3, 3), 1 / 13)
    kernel[1, 1] = 5 / 13
    factors = []
    for before, after in zip(smooth[..., 0].astype(float), changed.numpy()[..., 0], strict=True):
        blurred = ndimage.correlate(before, kernel, mode="constant")
        inner = np.s_[1:-1, 1:-1]
        detail = (before - blurred)[inner]
        factors.append(np.sum((after - blurred)[inner] * detail) / np.sum(detail**2))
        np.testing.assert_allclose(
            after[inner], (blurred + factors[-1] * (before - blurred))[inner], atol=1e-3
        )
    assert min(factors) > -1e-3
    assert max(factors) < 2 + 1e-3
    assert np.ptp(factors) > 0.5


def test_borders_and_corners_are_hidden_and_the_middle_never(images):
    hide = Augmentation(
        flip=False, rotation=0.0, zoom=0.0, translation=0.0, sharpness=0.0, seed=0, hidden_border=0.25
    )
    many = np.repeat(images, 50, axis=0)
    changed = hide(many).numpy()
    differs = changed != many
    assert not differs[:, 16:-16, 16:-16].any()
    assert not differs[:, 8:-8, 16:-16].any()  # a band reaches a quarter, a corner's box half of the side
    middle_of_sides = [differs[:, 0, 16], differs[:, -1, 16], differs[:, 16, 0], differs[:, 16, -1]]
    corners = [differs[:, 0, 0], differs[:, 0, -1], differs[:, -1, 0], differs[:, -1, -1]]
    for hidden in middle_of_sides:
        assert 0.4 < hidden.mean() < 0.6
    for hidden in corners:
        assert 0.7 < hidden.mean() < 0.95  # either side's band, or the corner's own box
    for before, after in zip(many, changed, strict=True):
        assert len(np.unique(after[before != after])) <= 1


def test_contrast_and_brightness_change_by_no_more_than_asked(images):
    options = {"flip": False, "rotation": 0.0, "zoom": 0.0, "translation": 0.0, "sharpness": 0.0, "seed": 0}
    inner = 0.4 + 0.2 * images  # nothing is clipped
    brighter = Augmentation(**options, brightness=0.1)(inner).numpy() - inner
    assert np.ptp(brighter, axis=(1, 2, 3)).max() < 1e-5
    assert 0.01 < np.abs(brighter).max() < 0.1
    spread = Augmentation(**options, contrast=0.3)(inner).numpy().std(axis=(1, 2, 3)) / inner.std(
        axis=(1, 2, 3)
    )
    assert 0.7 < spread.min() < spread.max() < 1.3
    assert np.abs(spread - 1).max() > 0.02
