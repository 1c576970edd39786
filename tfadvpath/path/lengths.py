"""Lengths in proportion to the image: the paper's at 224 pixels a side, smaller in smaller images.

A length in pixels means something else in an image of another size: 2 pixels of 224 are 0.9 % of the side, 2
pixels of 64 are 3 %. So each length of the paper is multiplied by the image's side over 224, unless a caller
gives it in pixels. The side of an image that is not square is the geometric mean of height and width.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Height and width of the paper's images, for which it gives its lengths.
PAPER_SIDE = 224
# Standard deviations, in pixels of such images: of the kernel that smooths a map, and of a blurred image.
_SMOOTHING_SIGMA, _BLURRING_SIGMA = 2.0, 5.0
# The paper's 28 taps reach 14 pixels, which are 7 σ, to every side.
_REACH_IN_SIGMAS = 7


class SmoothingKernel(NamedTuple):
    """The Gaussian kernel that smooths an importance map.

    Attributes:
        sigma: Standard deviation in pixels.
        kernel_size: Number of taps per axis.
    """

    sigma: float
    kernel_size: int


def length_scale(height: int | None, width: int | None) -> float:
    """Returns the factor of the paper's lengths for an image: sqrt(height * width) / 224.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Raises:
        ValueError: A side is not known or not positive.

    Example:
        >>> length_scale(224, 224), length_scale(112, 112)
        (1.0, 0.5)
    """
    return math.sqrt(math.prod(_known(height, width))) / PAPER_SIDE


def scaled_length(pixels: float, height: int | None, width: int | None) -> float:
    """Returns a length of the paper in pixels of an image.

    Args:
        pixels: Length in pixels of an image of 224 x 224.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    return pixels * length_scale(height, width)


def scaled_pixels(pixels: float, height: int | None, width: int | None, least: int = 1) -> int:
    """Returns a length of the paper in whole pixels of an image, the nearest number.

    Args:
        pixels: Length in pixels of an image of 224 x 224.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        least: Number of pixels below which the length does not fall.

    Example:
        >>> [scaled_pixels(4, side, side) for side in (448, 224, 64, 16)]
        [8, 4, 1, 1]
    """
    return max(least, round(scaled_length(pixels, height, width)))


def smoothing_sigma(shape: Sequence[int | None]) -> float:
    """Returns the standard deviation, in pixels, of the kernel that smooths a map: 2 pixels of 224.

    Args:
        shape: Height and width of the image; numbers after them, such as that of its channels, do not count.
    """
    return scaled_length(_SMOOTHING_SIGMA, *shape[:2])


def smoothing_taps(shape: Sequence[int | None]) -> int:
    """Returns the number of taps per axis of the kernel that smooths a map: 28 at 224 pixels, at least 2.

    Args:
        shape: Height and width of the image; numbers after them, such as that of its channels, do not count.

    Example:
        >>> [smoothing_taps((side, side)) for side in (224, 160, 64)]
        [28, 20, 8]
    """
    return smoothing_kernel(shape).kernel_size


def smoothing_kernel(
    shape: Sequence[int | None], sigma: float | None = None, kernel_size: int | None = None
) -> SmoothingKernel:
    """Returns the kernel that smooths a map, with the numbers that are not given chosen.

    The taps reach 7 σ to every side, as the paper's 28 taps do for its 2 pixels, but no farther than the
    mirrored image.

    Args:
        shape: Height and width of the image; numbers after them, such as that of its channels, do not count.
            They may be unknown where both other arguments are given.
        sigma: Standard deviation in pixels; None is 2 pixels of 224.
        kernel_size: Number of taps per axis; None is twice 7 σ.

    Raises:
        ValueError: A number is not positive, or the image is too small for a ``kernel_size`` that is given.

    Example:
        >>> smoothing_kernel((224, 224))
        SmoothingKernel(sigma=2.0, kernel_size=28)
        >>> smoothing_kernel((64, 64), sigma=2.0)
        SmoothingKernel(sigma=2.0, kernel_size=28)
    """
    height, width = shape[:2]
    if sigma is None:
        sigma = smoothing_sigma(shape)
    if not (0 < sigma < math.inf) or (kernel_size is not None and kernel_size < 1):
        raise ValueError(
            f"`sigma` and `kernel_size` must be positive. Received: sigma={sigma}, kernel_size={kernel_size}"
        )
    if kernel_size is None:
        farthest = min(_known(height, width)) - 1
        kernel_size = min(max(2, 2 * round(_REACH_IN_SIGMAS * sigma)), 2 * farthest)
        return SmoothingKernel(sigma, max(1, kernel_size))
    after = kernel_size // 2
    if height is not None and width is not None and min(height, width) <= after:
        raise ValueError(
            f"A kernel of {kernel_size} taps mirrors {after} pixels, so images must be larger than that. "
            f"Received: {height} x {width} pixels; choose a smaller `kernel_size`"
        )
    return SmoothingKernel(sigma, kernel_size)


def described_kernel(kernel: SmoothingKernel, shape: Sequence[int | None]) -> str:
    """Returns a kernel in words for cards and reports, with the length that it would have at 224 pixels.

    Args:
        kernel: Kernel for images of this shape.
        shape: Height and width of the image; numbers after them, such as that of its channels, do not count.

    Example:
        >>> print(described_kernel(smoothing_kernel((64, 64)), (64, 64)))
        a Gaussian of standard deviation 0.571 pixels (2 pixels of 224, scaled by 0.29) and 8 taps a side
    """
    scale = length_scale(*shape[:2])
    return (
        f"a Gaussian of standard deviation {kernel.sigma:.3g} pixels "
        f"({kernel.sigma / scale:.3g} pixels of {PAPER_SIDE}, scaled by {scale:.2g}) "
        f"and {kernel.kernel_size} taps a side"
    )


def blurring_sigma(shape: Sequence[int | None]) -> float:
    """Returns the standard deviation, in pixels, of the blur that takes evidence away: 5 pixels of 224.

    Args:
        shape: Height and width of the image; numbers after them, such as that of its channels, do not count.
    """
    return scaled_length(_BLURRING_SIGMA, *shape[:2])


def _known(height: int | None, width: int | None) -> tuple[int, int]:
    if not height or not width or min(height, width) < 1:
        raise ValueError(
            "Lengths relative to the image need its height and width. "
            f"Received: {height} x {width}; fix the images' size, or give every length in pixels"
        )
    return height, width
