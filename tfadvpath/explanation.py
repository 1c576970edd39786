"""Explanations: of a batch of images, with a path across the decision, and of a whole study."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tfadvpath.viewer.scene import ADVERSARY, INPUT, START, Scene

if TYPE_CHECKING:
    from tfadvpath.studies.study import Study


@dataclass(frozen=True)
class Explanation:
    """Maps for B images. Arrays are float32 unless said.

    Attributes:
        images: [B, H, W, C] in [0, 1], what was explained.
        maps: Arrays by name, [B, H, W, C], or [B, H, W, 1] of methods with one value for all channels; not
            negative: how much each pixel matters to the decision.
        score: [B], the classifier's probability f(x); in an ``AdversarialPair`` it is called ``probability``.
    """

    images: np.ndarray
    maps: dict[str, np.ndarray]
    score: np.ndarray

    @property
    def decision(self) -> np.ndarray:
        """bool [B]: the image is predicted class 1, f(x) >= 0.5."""
        return self.score >= 0.5

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: slice | np.ndarray) -> Self:
        """Returns the explanation of some of the images."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        maps = {name: values[index] for name, values in fields.pop("maps").items()}
        return type(self)(maps=maps, **{name: values[index] for name, values in fields.items()})

    def only(self, map_names: Sequence[str]) -> Self:
        """Returns the explanation with some of its maps, in the order of their names."""
        return dataclasses.replace(self, maps={name: self.maps[name] for name in map_names})

    def scene(self) -> Scene:
        """Returns what the viewer shows of it, an image a slice; ``dataclasses.replace`` adds more to it."""
        return Scene(images={INPUT: self.images}, maps=self.maps, scores={INPUT: self.score})

    def page(self, masks: Mapping[str, np.ndarray] | None = None) -> str:
        """Returns the viewer's page, the text of one HTML file that fetches nothing.

        Args:
            masks: Arrays bool [B, H, W] by name, such as the true findings, whose outlines the page can draw;
                None is none.

        Raises:
            ValueError: There is no image; a mask has another shape; a map is negative or not finite.
        """
        from tfadvpath.viewer.page import page  # jinja2, for those alone who look at a page

        return page(dataclasses.replace(self.scene(), masks=dict(masks or {})))

    def _repr_html_(self) -> str:
        """Returns the viewer's page in a frame: what a notebook shows of an explanation."""
        from tfadvpath.viewer.notebook import frame

        return frame(self.scene()) if len(self) else "<p>The explanation of no image</p>"

    @classmethod
    def of_nothing(cls, image_shape: tuple[int, int, int], map_names: Sequence[str]) -> Self:
        """Returns the explanation of no image, for a study without anything to explain."""
        images, numbers = np.zeros((0, *image_shape), np.float32), np.zeros(0, np.float32)
        names = {field.name for field in dataclasses.fields(cls)} - {"maps"}
        values = {name: images if name in ("images", "start", "adversary") else numbers for name in names}
        return cls(maps=dict.fromkeys(map_names, images), **values)


@dataclass(frozen=True)
class PathExplanation(Explanation):
    """Maps from a path across the decision, with the numbers to judge them by. Arrays are float32.

    Attributes:
        start: [B, H, W, C] in [0, 1], where the path begins: the stable image, or the input.
        adversary: [B, H, W, C] in [0, 1], where the path ends, across the decision.
        score_start: [B], f(start).
        score_adversary: [B], f(adversary).
        completeness_residual: [B], how far the integral is from f(adversary) - f(start), relative to that.
    """

    start: np.ndarray
    adversary: np.ndarray
    score_start: np.ndarray
    score_adversary: np.ndarray
    completeness_residual: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """bool [B]: the start image has the decision of the image."""
        return (self.score_start >= 0.5) == self.decision

    @property
    def crossed(self) -> np.ndarray:
        """bool [B]: the adversary has the other decision. Where it has not, the maps explain no change."""
        return (self.score_adversary >= 0.5) != self.decision

    def scene(self) -> Scene:
        return dataclasses.replace(
            super().scene(),
            images={INPUT: self.images, START: self.start, ADVERSARY: self.adversary},
            scores={INPUT: self.score, START: self.score_start, ADVERSARY: self.score_adversary},
            crossed=self.crossed,
            kept=self.kept,
            residual=self.completeness_residual,
        )


def check_images(images: Any) -> np.ndarray:
    """Returns images as every explainer takes them, on this machine and on a server: float32.

    Args:
        images: Numbers [B, H, W, C] in [0, 1], B >= 1.

    Raises:
        ValueError: Another shape, no image, or values that are not finite or outside [0, 1].
    """
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not len(images):
        raise ValueError(f"`images` must be [B, H, W, C] with B >= 1. Received: shape {images.shape}")
    if not (images.min() >= 0.0 and images.max() <= 1.0):  # NaN is in no range
        raise ValueError(
            f"`images` must be in [0, 1]. Received: values from {images.min():.3g} to {images.max():.3g}"
        )
    return images


@dataclass(frozen=True, eq=False)
class StudyExplanation:
    """A study and its explanation.

    Attributes:
        study: N slices.
        explanation: Explanation of the slices that are not blank, in their order.
        made_with: All that the results depend on besides the study's files, such as the method and the
            bundle's digest; empty where it is not known.
    """

    study: Study
    explanation: Explanation
    made_with: Mapping[str, Any] = field(default_factory=dict)
