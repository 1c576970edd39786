"""Values beyond the image's edge, which a convolution there takes in."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfadvpath")
class MirrorPadding(keras.layers.Layer):
    """Adds a row or column at each side of the images, mirrored at the outermost one.

    A convolution over zeros knows from them how far the edge is; after several levels a network knows where
    in the image it is. Mirrored images tell it nothing.

    Input: float [N, H, W, C], H and W at least 2. Output: float [N, H + 2, W + 2, C].
    """

    def call(self, images: Any) -> Any:
        return keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        count, height, width, channels = input_shape
        return count, None if height is None else height + 2, None if width is None else width + 2, channels


def padded_convolution(x: Any, filters: int, padding: str, **options: Any) -> Any:
    """Convolves symbolic images by a kernel of 3 x 3; height and width stay.

    Args:
        x: Symbolic images, [N, H, W, C].
        filters: Number of filters.
        padding: Values beyond the edge: "zeros" or "mirrored".
        **options: Further arguments of ``keras.layers.Conv2D``.

    Raises:
        ValueError: Another ``padding``.
    """
    if padding not in ("zeros", "mirrored"):
        raise ValueError(f'`padding` must be "zeros" or "mirrored". Received: padding={padding!r}')
    if padding == "zeros":
        return keras.layers.Conv2D(filters, 3, padding="same", **options)(x)
    return keras.layers.Conv2D(filters, 3, padding="valid", **options)(MirrorPadding()(x))
