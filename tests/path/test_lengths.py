"""Lengths that are the paper's at 224 pixels and in proportion to the image elsewhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import tfadvpath as tap
from tfadvpath.path.gaussian import gaussian_filter
from tfadvpath.path.importance import ImportanceOptions, integrate_path
from tfadvpath.path.lengths import (
    blurring_sigma,
    described_kernel,
    length_scale,
    scaled_length,
    scaled_pixels,
    smoothing_kernel,
    smoothing_sigma,
    smoothing_taps,
)

sides = st.integers(1, 2048)


def test_at_224_pixels_every_length_is_the_papers():
    assert length_scale(224, 224) == 1
    assert smoothing_kernel((224, 224)) == (2.0, 28)
    assert blurring_sigma((224, 224)) == 5.0
    assert [scaled_pixels(pixels, 224, 224) for pixels in (1, 3, 4, 15)] == [1, 3, 4, 15]


@pytest.mark.parametrize(
    ("side", "sigma", "taps"),
    [(448, 4.0, 56), (160, 10 / 7, 20), (64, 4 / 7, 8), (32, 2 / 7, 4), (8, 1 / 14, 2)],
)
def test_the_kernel_of_other_sizes(side, sigma, taps):
    assert smoothing_sigma((side, side)) == pytest.approx(sigma, rel=1e-12)
    assert smoothing_taps((side, side)) == taps
    assert smoothing_kernel((side, side, 3)) == (smoothing_sigma((side, side)), taps)


@given(height=sides, width=sides)
def test_the_scale_is_that_of_the_square_of_the_same_area(height, width):
    assert (224 * length_scale(height, width)) ** 2 == pytest.approx(height * width, rel=1e-12)
    assert scaled_length(3.0, height, width) == pytest.approx(3 * (height * width) ** 0.5 / 224, rel=1e-12)


@given(height=sides, width=sides)
def test_the_kernel_that_is_chosen_always_fits_the_image(height, width):
    sigma, taps = smoothing_kernel((height, width))
    assert taps == 1 or taps % 2 == 0
    assert taps // 2 <= max(0, min(height, width) - 1)  # the mirror does not repeat the edge
    reach = 7 * sigma
    assert taps // 2 <= max(1, reach + 0.5)
    assert taps // 2 >= min(reach - 0.5, min(height, width) - 1)


def test_a_sigma_that_is_given_keeps_its_reach_of_7_sigma():
    assert smoothing_kernel((64, 64), sigma=2.0) == (2.0, 28)
    assert smoothing_kernel((64, 64), sigma=1.0) == (1.0, 14)
    assert smoothing_kernel((16, 64), sigma=5.0) == (5.0, 30)  # 70 taps would reach beyond the mirror


def test_what_is_given_needs_no_size():
    assert smoothing_kernel((None, None), 2.0, 28) == (2.0, 28)
    assert smoothing_kernel((64, 64), kernel_size=5) == (smoothing_sigma((64, 64)), 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (None, 64)}, "need its height and width. Received: None x 64"),
        ({"shape": (None, None), "sigma": 2.0}, "need its height and width. Received: None x None"),
        ({"shape": (0, 64)}, "need its height and width. Received: 0 x 64"),
        ({"sigma": 0.0}, "must be positive. Received: sigma=0.0, kernel_size=None"),
        ({"sigma": float("nan")}, "must be positive. Received: sigma=nan"),
        ({"sigma": float("inf")}, "must be positive. Received: sigma=inf"),
        ({"kernel_size": 0}, "must be positive. Received: sigma=.*, kernel_size=0"),
        ({"kernel_size": 128}, "A kernel of 128 taps mirrors 64 pixels, .*Received: 64 x 64 pixels"),
    ],
)
def test_what_gives_no_kernel_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        smoothing_kernel(**{"shape": (64, 64), **arguments})


@pytest.mark.parametrize(
    ("pixels", "side", "least", "expected"), [(4, 16, 0, 0), (4, 16, 1, 1), (8, 64, 1, 2)]
)
def test_whole_pixels_do_not_fall_below_the_least(pixels, side, least, expected):
    assert scaled_pixels(pixels, side, side, least) == expected


def test_a_kernel_is_described_in_pixels_and_relative_to_the_paper():
    given = smoothing_kernel((64, 64), sigma=2.0)
    assert described_kernel(given, (64, 64)) == (
        "a Gaussian of standard deviation 2 pixels (7 pixels of 224, scaled by 0.29) and 28 taps a side"
    )
    assert "deviation 2 pixels (2 pixels of 224, scaled by 1)" in described_kernel(
        smoothing_kernel((224, 224)), (224, 224)
    )


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 100)])
def test_the_filter_takes_the_images_own_kernel(height, width):
    maps = np.random.default_rng(0).random((2, height, width, 1))
    sigma = 2 * (height * width) ** 0.5 / 224
    # SciPy's kernel reaches 7 σ to both sides, that of an even number of taps a pixel less to one: weights of
    # exp(-(7 - 1 / 0.57)² / 2) = 1e-6 of the largest at 64 pixels. The filter computes in float64 here.
    expected = [ndimage.gaussian_filter(image[..., 0], sigma, mode="mirror", truncate=7) for image in maps]
    np.testing.assert_allclose(gaussian_filter(maps)[..., 0], expected, rtol=0, atol=1e-6)
    assert np.abs(gaussian_filter(maps, 2.0, 28) - gaussian_filter(maps)).max() > 0.1


def test_an_enlarged_map_is_smoothed_to_the_enlarged_smoothed_map():
    """What a length in pixels breaks: the same picture at twice the size gets the same map."""

    def picture(side):
        rows, columns = (np.mgrid[:side, :side] + 0.5) / side
        return (1 + np.sin(9 * rows) * np.cos(7 * columns))[np.newaxis, ..., np.newaxis]

    def spread(side, **lengths):
        smoothed = gaussian_filter(picture(side), **lengths).numpy()
        return np.abs(smoothed - picture(side))[0, side // 4 : -side // 4, side // 4 : -side // 4].max()

    assert spread(112) == pytest.approx(spread(224), rel=0.02)
    assert spread(112, sigma=2.0) > 3 * spread(224, sigma=2.0)


def test_one_function_chooses_for_each_size_when_it_is_traced():
    def f(x):
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    rng = np.random.default_rng(1)
    for side in (64, 32):
        start, adversary = rng.random((2, 1, side, side, 1)).astype(np.float32)
        result = tap.feature_importance(f, start, adversary, steps=4)
        sigma = 2 * side / 224
        expected = ndimage.gaussian_filter(result.fi_v2[0, ..., 0], sigma, mode="mirror", truncate=7)
        scale = expected.max()
        np.testing.assert_allclose(result.fi_v2_smooth[0, ..., 0], expected, rtol=0, atol=1e-5 * scale)
        in_graph = integrate_path(f, start, adversary, ImportanceOptions(steps=4))
        np.testing.assert_allclose(in_graph.fi_v2_smooth, result.fi_v2_smooth, rtol=0, atol=1e-6 * scale)
        in_pixels = tap.feature_importance(f, start, adversary, steps=4, sigma=2.0, kernel_size=28)
        assert np.abs(in_pixels.fi_v2_smooth - result.fi_v2_smooth).max() > 0.1 * scale


def test_the_module_imports_no_tensorflow():
    loaded = "{'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    program = f"import sys, tfadvpath.path.lengths; sys.exit(bool({loaded}))"
    subprocess.run([sys.executable, "-c", program], check=True)
