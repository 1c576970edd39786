"""The report on a fitted classifier: what was made, how good its pairs are, and what to do about it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WIDTH = 100
# Figures that a person reads, with their words; the first of them are those that matter.
_SHOWN = {
    "flip_rate": "adversaries across the decision",
    "keep_rate": "stable images with the image's decision",
    "undoing": "stable image shows what the adversary lacks (cosine)",
    "adversary_similarity": "structural similarity of image and adversary",
    "stable_similarity": "structural similarity of image and stable image",
    "adversary_sharpness": "fine detail that the adversaries keep",
    "chequer_ratio": "chequered pattern in the change (1 is none)",
    "alike": "likeness of the changes among images (1 is one change for all)",
    "leaves_classes": "adversaries that are put in a third class",
}


@dataclass(frozen=True)
class StageReport:
    """How a stage was trained.

    Attributes:
        epochs: Number of epochs that were done.
        planned: Number of epochs that the recipe has.
        steps: Number of training steps that were done.
        seconds: Seconds that the epochs took.
        best_epoch: Number of the epoch whose networks were kept, from 1.
    """

    epochs: int
    planned: int
    steps: int
    seconds: float
    best_epoch: int


@dataclass(frozen=True)
class FitReport:
    """The report on a fitted classifier; ``print`` shows it.

    Attributes:
        folder: Folder of the bundle.
        method: Name of the method that explains, such as "syce".
        good: Whether the pairs of images reach all limits, on images that nothing was trained on.
        verdict: Sentences on what a reader of the maps must know, those of ``pair_verdict``; empty where it
            is good.
        advice: Sentences on what to do about it.
        notes: Sentences on what was found in the classifier and the images, and what was assumed.
        images: Numbers of images predicted 0 and 1, by part ("train", "validation", "test").
        figures: Figures on the test images by name: those of ``figures.json``, and "chequer_ratio", "alike"
            and "leaves_classes", see ``pair_facts``.
        stages: Reports of the stages by name, in their order.
        minutes: Minutes that were allowed.
        seconds: Seconds that all of it took, in the call that ended it.
    """

    folder: Path
    method: str
    good: bool
    verdict: tuple[str, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    images: Mapping[str, Sequence[int]]
    figures: Mapping[str, Any]
    stages: Mapping[str, StageReport]
    minutes: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Returns the content of fit.json."""
        return {**dataclasses.asdict(self), "folder": str(self.folder)}

    def __str__(self) -> str:
        counts = ", ".join(f"{part} {zero} + {one}" for part, (zero, one) in self.images.items())
        lines = [
            f"{self.method} for your classifier, in {self.folder}, after {_duration(self.seconds)}",
            f"Images predicted 0 + 1: {counts}",
            *(
                f"{name}: {stage.steps} steps in {_duration(stage.seconds)}, {stage.epochs} of "
                f"{stage.planned} epochs, the best is {stage.best_epoch}"
                for name, stage in self.stages.items()
            ),
            "Measured on the test images:",
            *(f"  {title}: {_number(name, self.figures[name])}" for name, title in self._measured()),
        ]
        if self.good:
            lines.append("Verdict: good. The pairs of images reach all limits; the maps can be read.")
        else:
            lines += ["Verdict: not good enough.", *_items(self.verdict)]
        if self.advice:
            lines += ["What to do:", *_items(self.advice)]
        if self.notes:
            lines += ["What was found and assumed:", *_items(self.notes)]
        return "\n".join(lines)

    def _measured(self) -> list[tuple[str, str]]:
        return [(name, title) for name, title in _SHOWN.items() if self.figures.get(name) is not None]


def _items(sentences: Sequence[str]) -> list[str]:
    shape = {"initial_indent": "- ", "subsequent_indent": "  ", "break_on_hyphens": False}
    return [
        line
        for one in sentences
        for line in textwrap.wrap(one, _WIDTH, break_long_words=False, **shape)  # type: ignore[arg-type]
    ]


def _number(name: str, value: float) -> str:
    return f"{100 * value:.0f} %" if name in ("flip_rate", "keep_rate", "leaves_classes") else f"{value:.2f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
