"""What removed pixels are replaced with."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tfadvpath.metrics import PERTURBATIONS, inpaint, perturbation, perturbation_curves

IMAGES = np.random.default_rng(0).random((2, 20, 23, 1)).astype(np.float32)


def test_zero_is_black():
    np.testing.assert_array_equal(perturbation("zero", IMAGES), np.zeros_like(IMAGES))


def test_noise_is_uniform_and_follows_its_seed():
    images = np.zeros((4, 64, 64, 1))
    first = perturbation("noise", images, seed=1).numpy()
    assert first.shape == images.shape
    assert 0 <= first.min() < 0.001
    assert 0.999 < first.max() < 1
    # 16384 uniform draws: the mean's standard deviation is 0.0023.
    assert first.mean() == pytest.approx(0.5, abs=0.01)
    assert first.var() == pytest.approx(1 / 12, abs=0.003)
    assert np.abs(np.corrcoef(first.reshape(4, -1)) - np.eye(4)).max() < 0.08
    np.testing.assert_array_equal(perturbation("noise", images + 1, seed=1), first)
    assert np.abs(perturbation("noise", images, seed=2).numpy() - first).max() > 0.9


@pytest.mark.parametrize(("options", "sigma", "reach"), [({}, 1.25, 4), ({"blur_sigma": 5.0}, 5.0, 15)])
def test_blur_is_scipys_gaussian_of_5_pixels_of_224_unless_a_number_is_given(options, sigma, reach):
    images = np.random.default_rng(1).random((2, 49, 64, 1))  # 56 pixels a side on average: a quarter of 224
    expected = [
        ndimage.gaussian_filter(image[..., 0], sigma, radius=reach, mode="mirror") for image in images
    ]
    blurred = perturbation("blur", images, **options)
    np.testing.assert_allclose(blurred[..., 0], expected, rtol=0, atol=1e-6)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"`name` must be one of .*inpainting.*Received: 'sepia'"):
        perturbation("sepia", IMAGES)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_replaces_pixels_along_a_curve(name):
    def f(x):
        return tf.reduce_mean(x[:, 5:9, 5:9], axis=(1, 2, 3))

    images = np.zeros((1, 20, 23, 1), np.float32)
    images[:, 5:9, 5:9] = 1
    maps = images[..., 0]
    replacement = perturbation(name, images, blur_sigma=5.0)
    curve = perturbation_curves(f, images, maps, replacement, steps=10)[0]
    assert curve[0] == 1
    assert curve[1:].max() < 0.7  # the bright square is gone with the first tenth of the pixels
    # Once everything is replaced, inpainting has nothing left to fill from.
    last = {"zero": 0.0, "inpainting": 0.0}.get(name)
    assert last is None or curve[-1] == last


removals = st.integers(0, 2**32 - 1)


@settings(max_examples=20, deadline=None)
@given(seed=removals, share=st.floats(0, 1), size=st.sampled_from([(20, 23), (1, 7), (16, 16)]))
def test_a_fill_keeps_what_remains_and_stays_within_its_range(seed, share, size):
    rng = np.random.default_rng(seed)
    images = rng.random((3, *size, 2)).astype(np.float32)
    removed = rng.random((3, *size, 1)) < share
    filled = inpaint(tf.constant(images), tf.constant(removed)).numpy()
    kept = np.broadcast_to(~removed, images.shape)
    np.testing.assert_array_equal(filled[kept], images[kept])
    for before, after, inside in zip(images, filled, kept, strict=True):
        for channel in range(2):
            remaining = before[..., channel][inside[..., channel]]
            if not remaining.size:
                assert not after[..., channel].any()
                continue
            assert after[..., channel].min() >= remaining.min() - 1e-6
            assert after[..., channel].max() <= remaining.max() + 1e-6


def test_a_fill_knows_nothing_of_what_was_removed():
    removed = np.zeros((2, 20, 23, 1), bool)
    removed[:, 4:15, 3:18] = True
    changed = np.where(removed, np.float32("inf"), IMAGES)
    np.testing.assert_array_equal(
        inpaint(tf.constant(IMAGES), removed), inpaint(tf.constant(changed), removed)
    )


def test_a_fill_depends_on_which_pixels_are_removed():
    ramp = tf.constant(np.tile(np.linspace(0, 1, 32, dtype=np.float32), (1, 32, 1))[..., np.newaxis])
    removed = np.zeros((1, 32, 32, 1), bool)
    removed[:, :, :24] = True
    assert inpaint(ramp, removed).numpy()[0, 16, 0, 0] > 0.7  # only the bright side remains
    assert inpaint(ramp, ~removed).numpy()[0, 16, 31, 0] < 0.8


def test_a_small_hole_in_a_ramp_is_filled_by_the_ramp():
    ramp = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (1, 32, 1))[..., np.newaxis]
    removed = np.zeros(ramp.shape, bool)
    removed[:, 14:18, 14:18] = True
    # 4 pixels wide: the fill is off by no more than the ramp climbs over them.
    np.testing.assert_allclose(inpaint(tf.constant(ramp), removed), ramp, rtol=0, atol=4 / 31)


def test_a_fill_of_one_remaining_pixel_is_its_value():
    removed = np.ones((2, 20, 23, 1), bool)
    removed[:, 7, 9] = False
    expected = np.broadcast_to(IMAGES[:, 7:8, 9:10], IMAGES.shape)
    np.testing.assert_allclose(inpaint(tf.constant(IMAGES), removed), expected, rtol=1e-6)


def test_images_of_a_batch_are_filled_apart():
    removed = np.random.default_rng(2).random((2, 20, 23, 1)) < 0.7
    together = inpaint(tf.constant(IMAGES), removed)
    for i in range(2):
        alone = inpaint(tf.constant(IMAGES[i : i + 1]), removed[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], rtol=0, atol=1e-7)
