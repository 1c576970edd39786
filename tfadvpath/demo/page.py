"""The demonstration's page: slices with truth, generated images and maps, and the measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.demo.chest_x_rays import chest_x_rays
from tfadvpath.demo.measure import PERCENTILE, Measurements, Patient
from tfadvpath.path.lengths import smoothing_kernel
from tfadvpath.writers.page import write_page
from tfadvpath.writers.pictures import display_scale, grey, labelled, montage, outline, overlay, picture_size
from tfadvpath.writers.png import write_png

# Pixels of a picture's longer side.
_LEAST, _MOST = 320, 512
# Pictures are cut to what there is to see: the brain, and every pixel where a map is above this share of its
# scale, with a margin in pixels.
_VISIBLE = 0.1
_MARGIN = 2
_INPUT, _STABLE, _ADVERSARY = "Input x", "Stable image xₛ", "Adversary xₐ"
_MAPS = {
    "difference": "Difference E",
    "fi_v1": "Importance v1",
    "fi_v2": "Importance v2",
    "fi_v2_smooth": "v2 smooth",
}
# OpenCV writes ASCII alone.
_ASCII = ("input x", "stable x_s", "adversary x_a", "E", "v1", "v2", "v2 smooth")
_OVERVIEW = 200  # pixels of a picture's side


def write_demonstration(
    path: Path | str,
    shown: Sequence[tuple[Patient, int]],
    measured: Measurements,
    about: Mapping[str, str],
) -> None:
    """Writes the page.

    Args:
        path: File to write.
        shown: Patients with the index of one of their slices, in the page's order.
        measured: Measurements over all slices.
        about: Entries at the end of the page, by title: command, seed, versions.
    """
    height, width = shown[0][0].explanation.images.shape[1:3]
    write_page(
        path,
        "tfadvpath.demo",
        "demonstration.html",
        rows=[_row(patient, index) for patient, index in shown],
        measured=measured,
        map_titles=_MAPS,
        selected=(100 - PERCENTILE) / 100,
        side=max(height, width),
        sigma=smoothing_kernel((height, width)).sigma,
        colour_bar=_colour_bar(),
        chest=chest_x_rays(),
        about=about,
    )


def write_overview(path: Path, shown: Sequence[tuple[Patient, int]]) -> None:
    """Writes one picture for use elsewhere: a row a slice, its columns named by the page's titles in ASCII.

    Args:
        path: PNG file to write.
        shown: Patients with the index of one of their slices.
    """
    pictures = []
    for patient, index in shown:
        row = _pictures(patient, index, (_OVERVIEW, _OVERVIEW))
        pictures += [labelled(picture, title) for picture, title in zip(row.values(), _ASCII, strict=True)]
    write_png(path, montage(pictures, across=len(_ASCII)))


def _row(patient: Patient, index: int) -> dict[str, Any]:
    one = patient.explanation.take(slice(index, index + 1))
    return {
        "patient": patient.name.split(".")[0],
        "slice": int(patient.slices[index]),
        "tumour_pixels": int(patient.masks[index].sum()),
        "scores": {
            _INPUT: float(one.score[0]),
            _STABLE: float(one.score_start[0]),
            _ADVERSARY: float(one.score_adversary[0]),
        },
        "decision": bool(one.decision[0]),
        "right": bool(one.decision[0] == patient.labels[index]),
        "kept": bool(one.kept[0]),
        "crossed": bool(one.crossed[0]),
        "residual": float(one.completeness_residual[0]),
        "pictures": _pictures(patient, index),
    }


def _pictures(patient: Patient, index: int, size: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    """Returns uint8 RGB pictures of one slice by title: input, start, adversary, maps."""
    one = patient.explanation.take(slice(index, index + 1))
    scales = {name: display_scale(one.maps[name]) for name in _MAPS}
    box = _box(
        np.stack([one.images[0] > 0] + [one.maps[name][0] > _VISIBLE * scales[name] for name in _MAPS])
    )
    mask = patient.masks[index][box]
    size = size or picture_size(mask.shape, _LEAST, _MOST)
    image = grey(one.images[0][box], size)
    pictures = {
        _INPUT: outline(image, mask),
        _STABLE: grey(one.start[0][box], size),
        _ADVERSARY: grey(one.adversary[0][box], size),
    }
    for name, title in _MAPS.items():
        pictures[title] = outline(overlay(image, one.maps[name][0][box], scales[name]), mask)
    return pictures


def _box(visible: np.ndarray) -> tuple[slice, slice]:
    """The square around the visible pixels, bool [K, H, W, C], as far as the image goes."""
    rows, columns = np.nonzero(visible.any(axis=(0, 3)))
    height, width = visible.shape[1:3]
    side = min(max(np.ptp(rows), np.ptp(columns)) + 1 + 2 * _MARGIN, height, width)
    top = int(np.clip((rows.min() + rows.max() + 1 - side) // 2, 0, height - side))
    left = int(np.clip((columns.min() + columns.max() + 1 - side) // 2, 0, width - side))
    return slice(top, top + side), slice(left, left + side)


def _colour_bar() -> np.ndarray:
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (16, 1))
    return overlay(np.full((16, 256, 3), 60, np.uint8), ramp, 1.0)
