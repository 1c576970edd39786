"""Explanations: of a batch of images, with a path across the decision, and of a whole study."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.files import make_folder, replacing_file, write_text
from tfadvpath.viewer.scene import ADVERSARY, INPUT, START, Scene

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

    from tfadvpath.studies.study import Study

_FORMATS = ("npz", "png", "html", "gif")
_SHOWN = 8  # images of a figure, unless others are chosen


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
        maps = {name: values[index] for name, values in self.maps.items()}
        return type(self)(maps=maps, **{name: values[index] for name, values in self._fields().items()})

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
            ValueError: There is no image; a mask has another shape; a map has infinite values.
        """
        from tfadvpath.viewer.page import page  # jinja2, for those alone who look at a page

        return page(dataclasses.replace(self.scene(), masks=dict(masks or {})))

    def plot(self, images: Sequence[int] | None = None, maps: Sequence[str] | None = None) -> Figure:
        """Draws images with what was made of them and their maps; a notebook shows what it returns.

        Args:
            images: Places of the images to draw, at most 32; None is the first eight.
            maps: Names of the maps to draw; None is the first one.

        Raises:
            InputError: There is no such image or map, or matplotlib is not installed.
        """
        from tfadvpath.plots.figure import figure  # matplotlib, for those alone who draw

        rows = list(range(min(_SHOWN, len(self)))) if images is None else [int(one) for one in images]
        for row in rows:
            self._check_place(row)
        names = list(self.maps)[:1] if maps is None else list(maps)
        for name in names:
            self._check_map(name)
        scene = self.scene()
        remarks = [self._remark(row) for row in rows]
        return figure(scene.images, {name: self.maps[name] for name in names}, scene.scores, rows, remarks)

    def save(
        self, folder: Path | str, formats: Iterable[str] = ("npz", "png", "html"), name: str = "explanation"
    ) -> list[Path]:
        """Writes the explanation into a folder.

        Args:
            folder: Folder that gets the files; it is made if it is not there.
            formats: Names of formats. "npz": every array by its name, readable by ``np.load``; "png": the
                figure of ``plot``; "html": the page of ``page``; "gif": the animation of ``animate``.
            name: Name of the files without their endings.

        Returns:
            Files that were written.

        Raises:
            InputError: There is no such format, no path for a GIF, or the folder cannot be written to.
        """
        chosen = list(dict.fromkeys([formats] if isinstance(formats, str) else formats))
        for one in chosen:
            if one not in _FORMATS:
                raise InputError("`formats`", f"{one!r} is not known", f"Choose from {', '.join(_FORMATS)}")
        folder = Path(folder)
        make_folder(folder)
        files = {one: folder / f"{name}.{one}" for one in chosen}
        if "npz" in files:
            with replacing_file(files["npz"]) as partial:
                np.savez_compressed(partial, allow_pickle=False, **self._arrays())
        if "png" in files:
            with replacing_file(files["png"]) as partial:
                self.plot().savefig(partial, format="png")
        if "html" in files:
            write_text(files["html"], self.page())
        if "gif" in files:
            self.animate(path=files["gif"])
        return list(files.values())

    def animate(
        self,
        image: int = 0,
        map_name: str | None = None,
        path: Path | str | None = None,
        frames: int = 20,
        frames_per_second: int = 10,
    ) -> FuncAnimation:
        """Draws the way from the start image to the adversary and back, beside the image and its map.

        Args:
            image: Place of the image.
            map_name: Name of the map; None is the first one.
            path: File that gets it as GIF; None writes none.
            frames: Number of steps from one end to the other, positive.
            frames_per_second: Number of frames shown in a second, positive.

        Returns:
            Animation of matplotlib; ``to_jshtml()`` shows it in a notebook.

        Raises:
            InputError: The method has no path, there is no such image or map, or matplotlib is not installed.
        """
        raise InputError(
            "`method`", "has no path from a start image to an adversary", "Explain by syce, cyce or sagen"
        )

    def _check_place(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise InputError("`images`", f"{row} is none of the {len(self)} images", "Count them from 0")

    def _check_map(self, name: str) -> None:
        if name not in self.maps:
            raise InputError("`maps`", f"{name!r} is not known", f"Choose from {', '.join(self.maps)}")

    def _remark(self, row: int) -> str:
        """Returns what is to be said beside a drawn image; "" where nothing is."""
        return ""

    def _arrays(self) -> dict[str, np.ndarray]:
        """Returns every array by the name that it has in a file."""
        return {**self.maps, **self._fields(), "decision": self.decision}

    def _fields(self) -> dict[str, np.ndarray]:
        """Returns the arrays that it has beside the maps, by their names."""
        fields = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {name: values for name, values in fields.items() if name != "maps" and values is not None}

    def _repr_html_(self) -> str:
        """Returns the viewer's page in a frame: what a notebook shows of an explanation."""
        from tfadvpath.viewer.notebook import frame

        return frame(self.scene()) if len(self) else "<p>The explanation of no image</p>"

    @classmethod
    def of_nothing(cls, image_shape: tuple[int, int, int], map_names: Sequence[str]) -> Self:
        """Returns the explanation of no image, for a study without anything to explain."""
        images, numbers = np.zeros((0, *image_shape), np.float32), np.zeros(0, np.float32)
        names = {one.name for one in dataclasses.fields(cls)} - {"maps", "steps", "map_error"}
        values = {name: images if name in ("images", "start", "adversary") else numbers for name in names}
        return cls(maps=dict.fromkeys(map_names, images), **values)


@dataclass(frozen=True)
class PathExplanation(Explanation):
    """Maps from a path across the decision, with the numbers to judge them by.

    Arrays are float32 unless said.

    Attributes:
        start: [B, H, W, C] in [0, 1], where the path begins: the stable image, or the input.
        adversary: [B, H, W, C] in [0, 1], where the path ends, across the decision.
        score_start: [B], f(start).
        score_adversary: [B], f(adversary).
        completeness_residual: [B], how far the integral is from f(adversary) - f(start), relative to that.
        steps: int32 [B], points of each path where the gradient was taken, where each image had as many as it
            needed; None where the number was fixed.
        map_error: [B], estimated relative L1 error of the map that these steps were to make exact; None as
            above.
    """

    start: np.ndarray
    adversary: np.ndarray
    score_start: np.ndarray
    score_adversary: np.ndarray
    completeness_residual: np.ndarray
    steps: np.ndarray | None = None
    map_error: np.ndarray | None = None

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

    def animate(
        self,
        image: int = 0,
        map_name: str | None = None,
        path: Path | str | None = None,
        frames: int = 20,
        frames_per_second: int = 10,
    ) -> FuncAnimation:
        from tfadvpath.plots.animation import animation, write_gif

        self._check_place(image)
        name = next(iter(self.maps)) if map_name is None else map_name
        self._check_map(name)
        for parameter, value in (("frames", frames), ("frames_per_second", frames_per_second)):
            if not value > 0:
                raise InputError(f"`{parameter}`", f"{value:g} is not positive", "Give a larger number")
        moving = animation(
            self.images[image],
            self.start[image],
            self.adversary[image],
            self.maps[name][image],
            (float(self.score[image]), float(self.score_start[image]), float(self.score_adversary[image])),
            name,
            frames,
            frames_per_second,
        )
        if path is not None:
            write_gif(path, moving, frames_per_second)
        return moving

    def _remark(self, row: int) -> str:
        said = [] if self.crossed[row] else ["the adversary does not cross"]
        said += [] if self.kept[row] else ["the start is not kept"]
        return ", ".join(said)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**super()._arrays(), "kept": self.kept, "crossed": self.crossed}


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
        remarks: Sentences on all maps of the bundle, such as how far the generator's pairs can be trusted.
    """

    study: Study
    explanation: Explanation
    made_with: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()
