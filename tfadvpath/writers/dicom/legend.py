"""Words and legends beside pictures: which colour stands for which value, and what a picture is not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tfadvpath.writers.pictures import overlay

_BAR = 24  # pixels across the bar of colours
_BAR_GREY = 96  # under the colours, as in the middle of an image
_TICKS = 5
_MARGIN = 12
_LINE = 22
_LETTERS = 0.5  # of OpenCV's font; a figure is then about 10 pixels wide


# Of the width; letters do not grow evenly.
_FILLED = 0.9
# A bar of fewer pixels has no room for its values.
_LEAST_BAR = 128


def with_legend(picture: np.ndarray, scale: float, lines: Sequence[str]) -> np.ndarray:
    """Returns an overlay with a bar of its colours and their values at its right, and lines of text below.

    Args:
        picture: uint8 RGB [rows, columns, 3].
        scale: Value that is shown brightest.
        lines: Texts (ASCII), which are cut at the picture's edge.

    Returns:
        uint8 RGB, larger than the picture, which is its upper left part.
    """
    rows, columns = picture.shape[:2]
    values = np.linspace(scale, 0, _TICKS)
    texts = [f"{value:.3g}" for value in values]
    right = _BAR + 3 * _MARGIN + max(_width(text) for text in texts)
    high = max(rows, _LEAST_BAR)
    canvas = np.zeros((high + _LINE * len(lines) + _MARGIN, columns + right, 3), np.uint8)
    canvas[:rows, :columns] = picture
    height = high - 2 * _MARGIN
    ramp = np.repeat(np.linspace(scale, 0, height, dtype=np.float32)[:, np.newaxis], _BAR, axis=1)
    bar = overlay(np.full((height, _BAR, 3), _BAR_GREY, np.uint8), ramp, scale)
    left = columns + _MARGIN
    canvas[_MARGIN : high - _MARGIN, left : left + _BAR] = bar
    for text, place in zip(texts, np.linspace(_MARGIN, high - _MARGIN, _TICKS), strict=True):
        _write(canvas, text, (left + _BAR + _MARGIN // 2, int(place) + 5))
    for number, line in enumerate(lines, start=1):
        _write(canvas, line, (_MARGIN // 2, high + _LINE * number - 4))
    return canvas


def with_headline(picture: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture below a band with a text that is as wide as the picture.

    Args:
        picture: uint8 RGB [rows, columns, 3].
        text: Text (ASCII) of a few words.

    Returns:
        uint8 RGB, higher than the picture, which is its lower part.
    """
    rows, columns = picture.shape[:2]
    letters = _FILLED * _LETTERS * columns / _width(text)
    band = int(1.5 * _LINE * letters / _LETTERS)
    canvas = np.zeros((band + rows, columns, 3), np.uint8)
    canvas[band:] = picture
    _write(canvas, text, (_MARGIN, int(0.7 * band)), letters)
    return canvas


def _width(text: str) -> int:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _LETTERS, 1)
    return int(width)


def _write(canvas: np.ndarray, text: str, place: tuple[int, int], letters: float = _LETTERS) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, letters, (255, 255, 255), 1, cv2.LINE_AA)
