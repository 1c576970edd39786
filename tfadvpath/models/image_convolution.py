"""The convolution of an image with strides, computed as one without."""

from __future__ import annotations

import math

import tensorflow as tf


def strided_convolution(
    images: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, stride: int, padding: str
) -> tf.Tensor:
    """Convolves images of few channels, as networks begin; its gradient is cheaper than TensorFlow's.

    The gradient of a convolution with stride s goes through a kernel of which only every s-th row and column
    counts for a pixel, and oneDNN computes it slowly where the pixels have few channels. So the squares of
    s x s pixels become the channels of an image s times as small, and the kernel is sorted in the same way:
    the convolution has no stride then, and neither has its gradient. Both are equal but for rounding.

    Args:
        images: float [N, H, W, C]; H, W and C are static.
        kernel: float [h, w, C, F] of the same dtype.
        bias: float [F] of the same dtype.
        stride: Stride in both directions, at least 2.
        padding: "valid" or "same".

    Returns:
        float [N, H', W', F], as of ``tf.nn.conv2d`` and ``tf.nn.bias_add``.
    """
    height, width, channels, filters = kernel.shape
    rows, columns = (math.ceil(side / stride) for side in (height, width))  # of squares under the kernel
    top, bottom = _margins(images.shape[1], height, stride, padding)
    left, right = _margins(images.shape[2], width, stride, padding)
    # Behind the last place of the kernel there may be pixels that no answer depends on.
    seen = images[:, : images.shape[1] + min(bottom, 0), : images.shape[2] + min(right, 0)]
    padded = tf.pad(seen, [[0, 0], [top, max(bottom, 0)], [left, max(right, 0)], [0, 0]])
    whole = tf.pad(
        kernel, [[0, rows * stride - height], [0, columns * stride - width], [0, 0], [0, 0]]
    )  # [rows * stride, columns * stride, C, F]
    parts = tf.reshape(whole, [rows, stride, columns, stride, channels, filters])
    by_square = tf.reshape(
        tf.transpose(parts, [0, 2, 1, 3, 4, 5]), [rows, columns, stride * stride * channels, filters]
    )
    return tf.nn.bias_add(tf.nn.conv2d(tf.nn.space_to_depth(padded, stride), by_square, 1, "VALID"), bias)


def _margins(length: int, kernel: int, stride: int, padding: str) -> tuple[int, int]:
    """Returns how many zeros belong before and behind an axis of an image; fewer than 0 are pixels too many.

    Both together make the axis as many squares long as the kernel, rounded up to whole squares, reaches at
    its last place.
    """
    if padding == "same":
        answers = math.ceil(length / stride)
        before = max(0, (answers - 1) * stride + kernel - length) // 2
    else:
        answers = (length - kernel) // stride + 1
        before = 0
    squares = answers - 1 + math.ceil(kernel / stride)
    return before, squares * stride - length - before
