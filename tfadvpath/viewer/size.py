"""The size of a page: what is left out of one that would be too large to be opened, sent and kept."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tfadvpath.viewer.encoding import COARSE, Precision
from tfadvpath.viewer.scene import Scene

# Bytes of a page's file.
MOST_BYTES = 25_000_000
# With fewer levels an image has steps that are seen.
_COARSER = (Precision(127, 511), Precision(63, 255))


class Cut(NamedTuple):
    """What is left out of a page.

    Attributes:
        precision: Precision of its arrays.
        detail: Whether the finer input is kept.
        factor: Number of rows, and of columns, of which one is made.
    """

    precision: Precision
    detail: bool = True
    factor: int = 1

    def applied(self, scene: Scene) -> Scene:
        """Returns the scene with what is left of it."""
        if not self.detail:
            scene = dataclasses.replace(scene, detail=None)
        if self.factor == 1:
            return scene
        return dataclasses.replace(
            scene,
            images={name: _means(values, self.factor) for name, values in scene.images.items()},
            maps={name: _means(values, self.factor) for name, values in scene.maps.items()},
            masks={
                name: np.asarray(_blocks(values[..., np.newaxis], self.factor).any(axis=(2, 4)))[..., 0]
                for name, values in scene.masks.items()
            },
            proportions=scene.proportions or scene.size,
        )

    def sentences(self, scene: Scene, whole: Precision) -> list[str]:
        """Returns what is said of it on the page.

        Args:
            scene: The scene of which something is left out.
            whole: Precision of a page of which nothing is.
        """
        said = []
        if self.factor > 1:
            rows, columns = scene.size
            said.append(
                f"it shows the mean of each {self.factor} x {self.factor} pixels of {rows} x {columns}, "
                "also of the maps"
            )
        if self.precision not in (whole, COARSE):
            said.append(f"its maps are kept in {self.precision.map_top} steps")
        if not self.detail and scene.detail is not None:
            said.append("the input finer than the classifier sees it is left out")
        if not said:
            return []
        return [
            f"To stay below {MOST_BYTES // 1_000_000} MB this page is coarser than the results: "
            f"{', and '.join(said)}. Measure in explanation.npz."
        ]


def cuts(whole: Precision, scene: Scene) -> Iterator[Cut]:
    """Yields what can be left out of a page, from nothing to nearly all.

    Args:
        whole: Precision of a page of which nothing is left out.
        scene: Scene of the page.
    """
    yield Cut(whole)
    if scene.detail is not None:
        yield Cut(whole, detail=False)
    for precision in _COARSER:
        yield Cut(precision, detail=False)
    for power in itertools.count(1):
        if 2 ** (power - 1) >= max(scene.size):
            return
        for precision in (COARSE, *_COARSER):
            yield Cut(precision, detail=False, factor=2**power)


def _means(values: np.ndarray, factor: int) -> np.ndarray:
    """Returns the means of blocks of [B, H, W, C]; a block with a value that is no number is none."""
    return _blocks(values, factor).mean(axis=(2, 4), dtype=np.float32)


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """Returns [B, H, W, C] as [B, H / factor, factor, W / factor, factor, C], its edges repeated to fit."""
    count, rows, columns, channels = values.shape
    edges = [(0, 0), (0, -rows % factor), (0, -columns % factor), (0, 0)]
    fitted = np.pad(values, edges, mode="edge")
    return fitted.reshape(count, -(-rows // factor), factor, -(-columns // factor), factor, channels)
