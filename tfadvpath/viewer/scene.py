"""The arrays that a page shows, and what is said of each of its slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

INPUT, START, ADVERSARY = "input", "start", "adversary"


@dataclass(frozen=True, eq=False)
class Scene:
    """B images of a page and their maps; the B slices that are not blank among the N of a study.

    Attributes:
        images: Arrays float [B, H, W, C] in [0, 1] by name: "input", and of a path "start" and "adversary".
            Of C channels the page shows the mean.
        maps: Arrays float [B, H, W, C] by name, none infinite. Of C channels the page shows the sum; NaN is
            shown as nothing, and a map with negative values in colours that meet at 0.
        scores: Arrays float [B] by an image's name: the classifier's probability.
        crossed: bool [B]: the adversary has the other decision; None without an adversary.
        kept: bool [B]: the start image has the decision of the input; None without one.
        residual: float [B], how far the path's integral is from the change of the probability, relative to
            that; None without a path.
        blank: bool [N] with B times False: slices with nothing to explain; None is no slice.
        masks: Arrays bool [N, H, W] by name, whose outlines can be drawn.
        detail: float [N, h, w] or [N, h, w, C] in [0, 1], the input at another resolution; None without.
        proportions: Rows and columns of the picture whose proportions are shown; None is H and W.
        opens_at: Index among the N that the page shows first.
        noun: Noun for one of the N, such as "slice".
        title: Heading of the page.
        remarks: Sentences on all of the page.
        about: Entries at the end of the page, by title.
    """

    images: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    crossed: np.ndarray | None = None
    kept: np.ndarray | None = None
    residual: np.ndarray | None = None
    blank: np.ndarray | None = None
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    detail: np.ndarray | None = None
    proportions: tuple[int, int] | None = None
    opens_at: int = 0
    noun: str = "image"
    title: str = "Where the classifier's decision comes from"
    remarks: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images[INPUT].shape[:3]
        for name, values in (*self.images.items(), *self.maps.items()):
            if values.ndim != 4 or values.shape[:3] != shape:
                raise ValueError(f"{name!r} must be {[*shape, 'C']}. Received: {list(values.shape)}")
        for name, values in self.maps.items():
            if np.isinf(values).any():
                raise ValueError(f"the map {name!r} must not be infinite. Received: infinite values")
        if self.blank is not None and (~self.blank).sum() != shape[0]:
            raise ValueError(f"`blank` must leave {shape[0]} slices. Received: {(~self.blank).sum()}")
        for name, values in self.masks.items():
            if values.shape != (len(self), *shape[1:]):
                wanted = [len(self), *shape[1:]]
                raise ValueError(f"the mask {name!r} must be {wanted}. Received: {list(values.shape)}")

    def __len__(self) -> int:
        return len(self.images[INPUT]) if self.blank is None else len(self.blank)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of an image."""
        rows, columns = self.images[INPUT].shape[1:3]
        return rows, columns

    @property
    def rows(self) -> list[int | None]:
        """Place among the images of each of the N slices; None of a blank one."""
        if self.blank is None:
            return list(range(len(self)))
        places = np.cumsum(~self.blank) - 1
        return [None if is_blank else int(place) for place, is_blank in zip(places, self.blank, strict=True)]

    def first(self, count: int) -> Scene:
        """Returns the scene of the first images, for a scene without blank slices."""

        def cut(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: values[:count] for name, values in arrays.items()}

        def cut_one(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[:count]

        return dataclasses.replace(
            self,
            images=cut(self.images),
            maps=cut(self.maps),
            scores=cut(self.scores),
            masks=cut(self.masks),
            crossed=cut_one(self.crossed),
            kept=cut_one(self.kept),
            residual=cut_one(self.residual),
            detail=cut_one(self.detail),
        )
