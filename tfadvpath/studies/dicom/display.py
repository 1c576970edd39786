"""Values that a viewer shows, from the stored values of a DICOM file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND, Attributes
from tfadvpath.studies.dicom.file import DicomFile
from tfadvpath.studies.dicom.padding import Padding, read_padding
from tfadvpath.studies.dicom.pixels import PixelFormat
from tfadvpath.studies.dicom.tables import read_table
from tfadvpath.studies.readers import check_finite

# From values to values of the same shape, each by itself.
Step = Callable[[np.ndarray], np.ndarray]

# The function LINEAR is meant for values of step 1, where a window of width 1 holds one value (PS3.3,
# C.11.2.1.2). It cuts a step off the window: of finer values, such as fractions, that may be the most of it.
_COARSE = 0.5
_WIDE = 100
# Pixels that are worked on at a time, so that what is made on the way takes little memory.
_BLOCK = 2**20
_MOST_LEVELS = 2**16


class _Modality(NamedTuple):
    """Modality transformation, with what is known of the values that it leads to.

    Attributes:
        name: Name in remarks.
        step: Function of the stored values.
        may_be_negative: Whether some stored value leads to one below zero.
        gap: Smallest difference of two values.
    """

    name: str
    step: Step
    may_be_negative: bool
    gap: float


class Display:
    """The way from stored to shown values of a file's frames.

    The steps of DICOM PS3.4 N.2: the modality and the VOI transformation, the inversion of MONOCHROME1; and
    the padding is made dark. A VOI LUT goes before a window, and of several the first is taken, as viewers
    do. What leaves nothing of the image is passed over.

    Args:
        file: The file.
        layout: Format of its stored values.
        remarks: List that gets a sentence on each kind of what is passed over.

    Raises:
        InputError: An attribute cannot be used.
    """

    def __init__(self, file: DicomFile, layout: PixelFormat, remarks: list[str]):
        self._file = file
        self._layout = layout
        self._remarks = remarks
        self._remarked: set[str] = set()
        self._padding = read_padding(file.path, file.attributes, layout)
        self._inverted = file.attributes.text("PhotometricInterpretation").upper() == "MONOCHROME1"

    def shown(self, stored: np.ndarray, frame: int) -> np.ndarray:
        """Returns what a viewer shows of a frame, bright for high, in no fixed range.

        Args:
            stored: Stored values [rows, columns].
            frame: Index of the frame, for files with attributes for each.

        Returns:
            float64 [rows, columns], finite.

        Raises:
            InputError: A value is not finite, or an attribute cannot be used.
        """
        padding = None if self._padding is None else self._padding.holds(stored)
        if padding is not None and (padding.all() or not padding.any()):
            padding = None
        if self._layout.is_float:
            check_finite(self._file.path, stored if padding is None else stored[~padding])
        levels = _levels(stored, None if padding is None else self._padding)
        values = _applied(stored, self._steps(levels, frame))
        if padding is not None:
            # The padding around the image lies far outside its range and would leave it without contrast.
            values[padding] = np.min(values, where=~padding, initial=np.inf)
        return values

    def _steps(self, levels: np.ndarray, frame: int) -> list[Step]:
        """Returns the steps that leave something of an image of some stored values."""
        modality = self._modality(levels, frame)
        steps: list[Step] = []
        if len(levels) > 1 and np.ptp(modality.step(levels)) == 0:
            self._remark(modality.name, f"{modality.name} leaves nothing of the image and is passed over")
        else:
            steps = [modality.step, *self._voi(modality, levels, frame)]
        return [*steps, np.negative] if self._inverted else steps

    def _modality(self, levels: np.ndarray, frame: int) -> _Modality:
        path, attributes = self._file.path, self._file.attributes
        tables = attributes.items("ModalityLUTSequence")
        if tables:
            table = read_table(path, tables[0], "ModalityLUTSequence", self._layout.signed)
            return _Modality("its modality LUT", table.of, False, 1.0)
        group = attributes.of_frame(frame, "PixelValueTransformationSequence")
        slope, intercept = group.number("RescaleSlope"), group.number("RescaleIntercept") or 0.0
        slope = 1.0 if slope is None else slope
        if slope == 0:
            raise InputError(path, "has a RescaleSlope of 0, which leaves nothing of the image", MEND)
        step = partial(_rescaled, slope=slope, intercept=intercept)
        if not np.isfinite(step(levels)).all():
            raise InputError(
                path, "has a RescaleSlope or a RescaleIntercept that leads to values beyond all numbers", MEND
            )
        bounds = levels if self._layout.is_float else np.array(self._layout.bounds)
        gap = np.diff(levels).min(initial=np.inf) if self._layout.is_float else 1
        return _Modality("its rescaling", step, bool(step(bounds).min() < 0), abs(slope) * float(gap))

    def _voi(self, modality: _Modality, levels: np.ndarray, frame: int) -> list[Step]:
        """Returns the VOI LUT or the window, if there is one that leaves something."""
        levels = modality.step(levels)
        group = self._file.attributes.of_frame(frame, "FrameVOILUTSequence")
        tables = group.items("VOILUTSequence")
        if tables:
            table = read_table(self._file.path, tables[0], "VOILUTSequence", modality.may_be_negative)
            if len(levels) == 1 or np.ptp(table.of(levels)) > 0:
                return [table.of]
            self._remark("its VOI LUT", "its VOI LUT leaves nothing of the image and is passed over")
        step = self._window(group, levels, modality.gap)
        return [] if step is None else [step]

    def _window(self, group: Attributes, levels: np.ndarray, gap: float) -> Step | None:
        centers, widths = group.numbers("WindowCenter"), group.numbers("WindowWidth")
        if not centers or not widths:
            return None
        center, width = centers[0], widths[0]
        what = f"its window (center {center:g}, width {width:g})"
        if not (np.isfinite(center) and np.isfinite(width) and width > 0):
            self._remark("its window", f"{what} has no usable width or center and is passed over")
            return None
        function = group.text("VOILUTFunction").upper()
        if function not in ("LINEAR_EXACT", "SIGMOID"):
            is_fine = gap < _COARSE and width < _WIDE
            function = "LINEAR_EXACT" if width < 1 or is_fine else "LINEAR"
        step = partial(window, center=center, width=width, function=function)
        left = len(np.unique(step(levels)))
        ramp = width - 1 if function == "LINEAR" else width
        if left == 2 < len(levels) and function != "SIGMOID" and ramp <= gap:
            self._remark("its window", f"{what} leaves two values of the image and is passed over")
            return None
        if left == 1 < len(levels):
            self._remark("its window", f"{what} leaves nothing of the image and is passed over")
            return None
        return step

    def _remark(self, kind: str, remark: str) -> None:
        if kind not in self._remarked:  # each frame may have a window of its own
            self._remarked.add(kind)
            self._remarks.append(remark)


def window(values: np.ndarray, center: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Maps a window to [0, 1] by the VOI LUT function of DICOM PS3.3 C.11.2.1.

    Args:
        values: Rescaled values of any shape.
        center: WindowCenter.
        width: WindowWidth: at least 1 for LINEAR, else above 0.
        function: VOILUTFunction: LINEAR, LINEAR_EXACT or SIGMOID; others count as LINEAR.

    Returns:
        float64 of the shape of ``values``.
    """
    values = values.astype(np.float64)
    if function == "SIGMOID":
        # tanh does not overflow, and 1 / (1 + exp(-4 t)) = (1 + tanh(2 t)) / 2.
        return (1 + np.tanh(2 * (values - center) / width)) / 2
    if function != "LINEAR_EXACT":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)


def _rescaled(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float64) * slope + intercept


def _levels(stored: np.ndarray, padding: Padding | None) -> np.ndarray:
    """Returns the distinct stored values beside the padding, in order, as float64.

    All of them where they have 16 bits; else those of some pixels, with the smallest and the largest.
    """
    if stored.dtype.kind != "f" and stored.dtype.itemsize <= 2:
        bits = 8 * stored.dtype.itemsize
        present = np.zeros(2**bits, bool)
        for block in _blocks(stored.view(f"u{stored.dtype.itemsize}")):
            present[block] = True
        levels = np.flatnonzero(present).astype(f"u{stored.dtype.itemsize}").view(stored.dtype)
        levels = np.sort(levels)
        return (levels if padding is None else levels[~padding.holds(levels)]).astype(np.float64)
    parts = [stored.ravel()[:: -(-stored.size // _MOST_LEVELS)]]
    for block in _blocks(stored):
        inside = block if padding is None else block[~padding.holds(block)]
        if inside.size:
            parts.append(np.array([inside.min(), inside.max()]))
    levels = np.concatenate(parts)
    return np.unique(levels if padding is None else levels[~padding.holds(levels)]).astype(np.float64)


def _applied(stored: np.ndarray, steps: list[Step]) -> np.ndarray:
    values = np.empty(stored.shape, np.float64)
    for block, into in zip(_blocks(stored), _blocks(values), strict=True):
        shown = block
        for step in steps:
            shown = step(shown)
        into[...] = shown
    return values


def _blocks(values: np.ndarray) -> list[np.ndarray]:
    """Returns views of some rows each."""
    rows = max(1, _BLOCK // values.shape[1])
    return [values[start : start + rows] for start in range(0, len(values), rows)]
