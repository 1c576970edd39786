"""The picture of real chest X-rays that the demonstration shows, and the figures of their networks."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.files import write_json

_FOLDER = Path(__file__).parents[1] / "assets" / "chest_x_rays"
_PICTURE, _FIGURES = _FOLDER / "picture.jpg", _FOLDER / "figures.json"


@dataclass(frozen=True)
class ChestXRays:
    """What is shown of real chest X-rays.

    Attributes:
        picture: Address of the embedded picture: three X-rays of test patients with the annotated boxes,
            their stable images, adversaries, differences and maps.
        images: Number of test images.
        patients: Number of their patients.
        auc: Area under the ROC curve of the classifier.
        flip_rate: Share of SyCE's adversaries that cross the decision.
        keep_rate: Share of SyCE's stable images that keep it.
    """

    picture: str
    images: int
    patients: int
    auc: float
    flip_rate: float
    keep_rate: float


def chest_x_rays() -> ChestXRays:
    """Returns the picture and the figures that come with the package."""
    encoded = base64.b64encode(_PICTURE.read_bytes()).decode("ascii")
    figures = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return ChestXRays(picture=f"data:image/jpeg;base64,{encoded}", **figures)


def write_chest_x_rays(picture: bytes, figures: Mapping[str, Any]) -> None:
    """Puts a picture of chest X-rays into the package.

    Args:
        picture: Content of a JPEG file.
        figures: Figures of the networks on test images, as ``bundle.figures["test"]`` holds them.
    """
    _FOLDER.mkdir(exist_ok=True)
    _PICTURE.write_bytes(picture)
    classifier, syce = figures["classifier"], figures["syce"]
    write_json(
        _FIGURES,
        {
            **{name: classifier[name] for name in ("images", "patients", "auc")},
            **{name: syce[name] for name in ("flip_rate", "keep_rate")},
        },
    )
