"""The chequered pattern: found where it is, not in noise and not in smooth changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tfadvpath.metrics import chequer_ratio

# The verdict's limit on the median over images: see tfadvpath.bundle.pair_verdict.
LIMIT = 3


def bump(size, sigma, centre=(0.4, 0.55)):
    row, column = np.indices((size, size))
    squared = (row - centre[0] * size) ** 2 + (column - centre[1] * size) ** 2
    return np.exp(-squared / (2 * sigma**2))[np.newaxis, ..., np.newaxis]


def waves(size, period, axis):
    return np.cos(2 * np.pi * np.indices((size, size))[axis] / period)[np.newaxis, ..., np.newaxis]


@pytest.mark.parametrize("size", [16, 32, 50, 64])
@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_of_either_period_along_either_axis_are_found(size, period, axis):
    assert chequer_ratio(waves(size, period, axis))[0] > 1000


def test_a_chequerboard_is_found():
    row, column = np.indices((64, 64))
    board = ((row + column) % 2).astype(np.float64)[np.newaxis, ..., np.newaxis]
    assert chequer_ratio(board)[0] > 1000
    assert chequer_ratio(0.01 * board + bump(64, 5))[0] > 100


def test_the_ratio_is_the_closed_form_of_a_wave_in_a_flat_spectrum():
    # One line is an impulse, whose spectrum is flat; the other is the wave. Through the Hann window the
    # impulse at t has the power w(t)^2 everywhere, and a wave A cos(pi t) the power (A N / 2)^2 at its place.
    size, amplitude = 64, 0.25
    lines = np.zeros((1, size, size, 1))
    lines[0, :, 32, 0] = 1.0  # w(32) = 1
    lines[0, 0, :, 0] = amplitude * np.cos(np.pi * np.arange(size))
    mean_power = (size - 1) / size
    peak = mean_power + (amplitude * size / 2) ** 2 / size
    along_columns = np.fft.rfft(lines[0, :, :, 0] * np.hanning(size + 1)[:-1])
    power = (np.abs(along_columns) ** 2).mean(axis=0)
    assert power[32] == pytest.approx(peak)
    assert power[24] == pytest.approx(mean_power)
    assert chequer_ratio(lines)[0] == pytest.approx(peak / mean_power, rel=1e-3)


@pytest.mark.parametrize("size", [32, 64, 67])
def test_a_faint_pattern_on_a_local_change_is_found(size):
    # Weights of a transposed convolution that differ by a tenth between even and odd columns.
    assert chequer_ratio(bump(size, 3) * (1 + 0.1 * waves(size, 2, 1)))[0] > LIMIT


@pytest.mark.parametrize("size", [16, 32, 64, 67])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 20.0])
def test_smooth_bumps_have_none(size, sigma):
    change = bump(size, sigma).astype(np.float32)  # rounded as images are
    assert chequer_ratio(change)[0] <= 1.05


def test_white_noise_has_none():
    ratio = chequer_ratio(np.random.default_rng(0).normal(size=(200, 64, 64, 1)))
    assert 1.0 < np.median(ratio) < 1.3
    assert ratio.max() < LIMIT
    small = chequer_ratio(np.random.default_rng(1).normal(size=(200, 16, 16, 1)))
    assert np.median(small) < 1.6


def test_what_a_blur_takes_away_has_none():
    images = np.random.default_rng(2).normal(size=(40, 64, 64, 1))
    ratio = chequer_ratio(images - ndimage.gaussian_filter(images, (0, 1, 1, 0)))
    assert np.median(ratio) < 1.3


def test_a_step_over_the_whole_width_has_none():
    # A border of an X-ray that runs along an axis has power at all frequencies across it.
    step = np.zeros((1, 64, 64, 1))
    step[:, 45:] = 1.0
    assert chequer_ratio(step)[0] <= 1.05
    assert chequer_ratio(step.swapaxes(1, 2))[0] <= 1.05


def test_neither_size_nor_sign_nor_an_offset_matters():
    change = np.random.default_rng(3).normal(size=(5, 32, 32, 1))
    expected = chequer_ratio(change)
    np.testing.assert_allclose(chequer_ratio(-7 * change), expected)
    np.testing.assert_allclose(chequer_ratio(change.swapaxes(1, 2)), expected)
    np.testing.assert_allclose(chequer_ratio(change + 0.1), expected, rtol=1e-3)


def test_no_change_has_no_ratio():
    assert np.isnan(chequer_ratio(np.zeros((2, 16, 16, 1)))).all()
    assert chequer_ratio(np.full((1, 16, 16, 1), 0.5))[0] == pytest.approx(1, abs=0.05)
    assert chequer_ratio(np.zeros((0, 16, 16, 1))).shape == (0,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (np.zeros((2, 15, 20, 1)), "at least 16"),
        (np.zeros((2, 20, 20)), r"must be \[N, H, W, C\]"),
        (np.full((1, 20, 20, 1), np.nan), "must be finite"),
    ],
)
def test_other_changes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        chequer_ratio(changes)
