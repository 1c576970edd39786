"""The Gaussian kernel k_σ that smooths an importance map."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfadvpath.path.lengths import smoothing_kernel


def gaussian_taps(sigma: float, kernel_size: int) -> np.ndarray:
    """Returns the weights of the 1-D kernel, float64 [kernel_size], of sum 1.

    The taps stand at the offsets -(kernel_size - 1) // 2 … kernel_size // 2: an even kernel reaches one
    pixel further to the right. With 28 taps they run from -13 to 14.
    """
    if sigma <= 0 or kernel_size < 1:
        raise ValueError(
            f"`sigma` and `kernel_size` must be positive. Received: sigma={sigma}, kernel_size={kernel_size}"
        )
    offsets = np.arange(kernel_size) - (kernel_size - 1) // 2
    taps: NDArray[np.float64] = np.exp(-(offsets**2) / (2.0 * sigma**2))
    return taps / float(taps.sum())


def gaussian_filter(maps: tf.Tensor, sigma: float | None = None, kernel_size: int | None = None) -> tf.Tensor:
    """Convolves every channel of every map with a Gaussian; borders are mirrored without repeating the edge.

    The paper (eq. 5) gives 28x28 taps and "variance" 2, which it uses as a standard deviation in pixels, for
    images of 224 pixels a side. By default both are in proportion to the image's side.
    Equal to ``tensorflow_addons.image.gaussian_filter2d`` with REFLECT padding.

    Args:
        maps: float [B, H, W, C]; H and W larger than half the kernel, and static where a default is taken.
        sigma: Standard deviation in pixels; None is 2 pixels of 224, 0.57 at 64 pixels.
        kernel_size: Number of taps per axis; None is twice 7 σ: 28 at 224 pixels, 8 at 64.

    Returns:
        The same shape and dtype as ``maps``.

    Raises:
        ValueError: The image is too small for the mirror, its size is not known and an argument is not given,
            or an argument is not positive.

    Example:
        >>> gaussian_filter(tf.ones((1, 32, 32, 1))).numpy().round(5).min()
        np.float32(1.0)
    """
    maps = tf.convert_to_tensor(maps)
    sigma, kernel_size = smoothing_kernel(maps.shape[1:3], sigma, kernel_size)
    taps = gaussian_taps(sigma, kernel_size)
    before, after = (kernel_size - 1) // 2, kernel_size // 2
    mirrored = tf.pad(maps, [[0, 0], [before, after], [before, after], [0, 0]], mode="REFLECT")
    rows, columns = tf.shape(maps)[1], tf.shape(maps)[2]
    # Sums of shifted images, not convolutions: GPUs would round a convolution's factors to TensorFloat-32.
    filtered = tf.add_n([float(tap) * mirrored[:, i : i + rows] for i, tap in enumerate(taps)])
    return tf.add_n([float(tap) * filtered[:, :, i : i + columns] for i, tap in enumerate(taps)])


def gaussian_blur(images: tf.Tensor, sigma: float) -> tf.Tensor:
    """Convolves with a Gaussian that reaches 3 σ to every side, or as far as the mirrored image does.

    Args:
        images: float [B, H, W, C]; H and W are static.
        sigma: Standard deviation in pixels.

    Returns:
        The same shape and dtype as ``images``.
    """
    reach = min(math.ceil(3 * sigma), min(images.shape[1:3]) - 1)
    return gaussian_filter(images, sigma, 2 * reach + 1)
