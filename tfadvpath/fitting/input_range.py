"""The range of values in which a classifier takes black and white."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfadvpath.models.layer_calls import recorded_calls

Range = tuple[float, float]
UNIT: Range = (0.0, 1.0)
# Ranges in which pictures are kept. A 16-bit picture has the last one.
CANDIDATES: tuple[Range, ...] = (UNIT, (0.0, 255.0), (-1.0, 1.0), (0.0, 65535.0))
# Intervals that a network's first convolution is fed with.
_EXACT = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5))
_CLOSE = 0.02  # of an interval's width
_NARROWEST, _WIDEST = 1.5, 8.0  # widths, in standard deviations, of images that are normalised
_UNCHANGED = 1e-4
# Shares of right decisions by which one range is the better: a network fed with wrong values is near chance.
_BETTER, _GOOD = 0.1, 0.6


def range_inside(model: keras.Model, image_shape: Sequence[int]) -> Range | None:
    """Returns the range that a model takes by the layers in front of its first weights; None: they tell none.

    The model is called with a black and a white image, and the numbers that come to its first convolution or
    dense layer are looked at: ``Rescaling``, ``Normalization`` and the like have changed them. The range is
    the one of ``CANDIDATES`` that they bring to an interval that networks are fed with.

    Args:
        model: Keras model of images.
        image_shape: Height, width and channels of an image.
    """
    made = [_fed(model, np.full((1, *image_shape), value, np.float32)) for value in (0.0, 1.0)]
    if None in made:
        return None
    black, white = (float(value) for value in made if value is not None)
    slope = white - black
    if abs(slope - 1) < _UNCHANGED and abs(black) < _UNCHANGED:
        return None
    intervals = {each: (black + slope * each[0], black + slope * each[1]) for each in CANDIDATES}
    exact = [each for each, interval in intervals.items() if any(_alike(interval, one) for one in _EXACT)]
    if exact:
        return exact[0]
    normal = [
        each
        for each, (low, high) in intervals.items()
        if low < 0 < high and _NARROWEST <= high - low <= _WIDEST
    ]
    return normal[0] if len(normal) == 1 else None


def _fed(model: keras.Model, image: np.ndarray) -> float | None:
    """Returns the middle of the values that a model's first layer with a kernel is fed with."""
    with recorded_calls(model) as calls:
        model(keras.ops.convert_to_tensor(image), training=False)
    for call in calls:
        if isinstance(call.layer, keras.layers.Layer) and hasattr(call.layer, "kernel"):
            [inputs] = keras.tree.flatten(call.inputs)[:1]
            return float(np.median(keras.ops.convert_to_numpy(inputs)))
    return None


def _alike(interval: Range, other: Range) -> bool:
    width = other[1] - other[0]
    return all(abs(a - b) <= _CLOSE * width for a, b in zip(interval, other, strict=True))


def range_of_values(images: np.ndarray) -> Range | None:
    """Returns the narrowest range of ``CANDIDATES`` that holds all values of some images; None holds them.

    Args:
        images: Numbers of any shape and dtype; bytes are in 0 to 255 however dark they are.
    """
    if images.dtype == np.uint8:
        return (0.0, 255.0)
    low, high = float(images.min()), float(images.max())
    by_width = sorted(CANDIDATES, key=lambda each: each[1] - each[0])
    return next((each for each in by_width if each[0] <= low and high <= each[1]), None)


def range_by_labels(right: Callable[[Range], float]) -> Range | None:
    """Returns the range in which a classifier decides as the labels say; None where none is clearly best.

    Args:
        right: Function of a range that returns the share of right decisions, the mean over the classes.
    """
    shares = {each: right(each) for each in CANDIDATES}
    best, second = sorted(shares, key=lambda each: -shares[each])[:2]
    clear = shares[best] >= _GOOD and shares[best] - shares[second] >= _BETTER
    return best if clear else None


def said(values: Range) -> str:
    """Returns a range for a sentence, such as "[0, 255]"."""
    return f"[{values[0]:g}, {values[1]:g}]"
