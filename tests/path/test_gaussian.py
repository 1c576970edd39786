"""The Gaussian of the maps: tensorflow-addons' numbers, and what any mirrored Gaussian must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfadvpath.path.gaussian import gaussian_filter

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "gaussian.npz"
CASES = (
    "paper",
    "not_square",
    "three_channels",
    "smallest_image",
    "odd_kernel",
    "small_kernel",
    "sigma_3",
    "sigma_5",
    "odd_kernel_sigma_5",
)
SUM = 1e-6  # float32: the weights sum to 1, so the error stays near one rounding of values in [0, 1]


def taps(kernel_size: int, sigma: float) -> np.ndarray:
    """The weights at offsets -13..14 for 28, -13..13 for 27."""
    offsets = np.arange(kernel_size) - (kernel_size - 1) // 2
    weights = np.exp(-(offsets**2) / (2.0 * sigma**2))
    return weights / weights.sum()


def filtered_in_float64(maps: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """The full two-dimensional correlation, one tap at a time."""
    before = (kernel_size - 1) // 2
    after = kernel_size - 1 - before
    padded = np.pad(
        maps.astype(np.float64), ((0, 0), (before, after), (before, after), (0, 0)), mode="reflect"
    )
    weights = np.outer(taps(kernel_size, sigma), taps(kernel_size, sigma))
    _, height, width, _ = maps.shape
    result = np.zeros(maps.shape, np.float64)
    for row in range(kernel_size):
        for column in range(kernel_size):
            result += weights[row, column] * padded[:, row : row + height, column : column + width]
    return result


def run(maps: np.ndarray, sigma: float = 2.0, kernel_size: int = 28) -> np.ndarray:
    return np.asarray(gaussian_filter(maps, sigma=sigma, kernel_size=kernel_size))


def test_the_golden_file_holds_the_cases_tested():
    with np.load(GOLDEN) as golden:
        assert {name.split("/")[0] for name in golden.files} == set(CASES)


def golden_case(case: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as golden:
        names = ("input", "output", "output_float64", "sigma", "kernel_size")
        return {name: golden[f"{case}/{name}"] for name in names}


@pytest.mark.parametrize("case", CASES)
def test_answers_as_tensorflow_addons_does(case):
    golden = golden_case(case)
    result = run(golden["input"], float(golden["sigma"]), int(golden["kernel_size"]))
    assert result.dtype == np.float32
    assert result.shape == golden["input"].shape
    np.testing.assert_allclose(result, golden["output_float64"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_differs_from_its_float32_answer_by_little_more_than_its_own_rounding(case):
    # tensorflow-addons in float32 adds 784 terms and is up to 1.3e-6 from its own float64 answer, so 1e-6
    # of the float32 one is out of reach for a filter that is more accurate.
    golden = golden_case(case)
    result = run(golden["input"], float(golden["sigma"]), int(golden["kernel_size"]))
    rounding = np.max(np.abs(golden["output"] - golden["output_float64"]))
    assert rounding < 1.4e-6
    np.testing.assert_allclose(result, golden["output"], rtol=0, atol=rounding + 1e-6)


@pytest.mark.parametrize(("kernel_size", "sigma"), [(28, 2.0), (27, 2.0), (7, 2.0), (28, 3.0), (28, 5.0)])
def test_is_the_full_two_dimensional_filter_in_float64(kernel_size, sigma):
    maps = np.random.default_rng(1).random((2, 30, 37, 2), dtype=np.float32)
    expected = filtered_in_float64(maps, kernel_size, sigma)
    np.testing.assert_allclose(run(maps, sigma, kernel_size), expected, rtol=0, atol=SUM)


@pytest.mark.parametrize("kernel_size", [28, 27])
def test_one_bright_pixel_becomes_the_kernel_around_it(kernel_size):
    maps = np.zeros((1, 64, 64, 1), np.float32)
    maps[0, 30, 33, 0] = 1.0
    # A correlation shows the taps turned round: the pixel at p reaches p - 14 .. p + 13 for 28 taps.
    weights = taps(kernel_size, 2.0)[::-1]
    after = kernel_size - 1 - (kernel_size - 1) // 2
    expected = np.zeros((64, 64))
    expected[30 - after : 30 - after + kernel_size, 33 - after : 33 - after + kernel_size] = np.outer(
        weights, weights
    )
    np.testing.assert_allclose(run(maps, kernel_size=kernel_size)[0, :, :, 0], expected, rtol=0, atol=1e-7)


def test_a_constant_map_stays_as_it_is():
    maps = np.full((1, 20, 24, 1), 0.7, np.float32)
    np.testing.assert_allclose(run(maps), maps, rtol=0, atol=SUM)


def test_channels_and_images_do_not_mix():
    maps = np.random.default_rng(2).random((3, 18, 21, 2), dtype=np.float32)
    together = run(maps)
    for image in range(3):
        for channel in range(2):
            alone = run(maps[image : image + 1, :, :, channel : channel + 1])
            np.testing.assert_allclose(together[image, :, :, channel], alone[0, :, :, 0], rtol=0, atol=1e-7)


@pytest.mark.parametrize(("height", "width"), [(14, 20), (20, 14)])
def test_an_image_too_small_for_the_mirror_is_refused(height, width):
    # 14 pixels are mirrored after the last one, and the edge itself is not repeated: 15 are needed.
    with pytest.raises(ValueError, match="A kernel of 28 taps mirrors 14 pixels, so images must be larger"):
        run(np.zeros((1, height, width, 1), np.float32))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)  # the first call builds a graph
@given(
    maps=hnp.arrays(np.float32, (2, 16, 17, 1), elements=st.floats(-1, 1, width=32)),
    weight=st.floats(-2, 2, width=32),
)
def test_is_linear(maps, weight):
    combined = run(maps[:1] + np.float32(weight) * maps[1:])
    apart = run(maps[:1]) + weight * run(maps[1:])
    np.testing.assert_allclose(combined, apart, rtol=0, atol=4 * SUM)  # values reach 3
