"""Options of an evaluation: what a measurement depends on, beside the bundle and its test images."""

from __future__ import annotations

import dataclasses
from typing import Any

# Percentiles of the curve of IoU, beside those of the table.
_CURVE = (80.0, 85.0, 90.0, 92.5, 95.0, 97.0, 98.0, 99.0, 99.5)


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Options by which test images are drawn and maps measured.

    Attributes:
        images: Largest number of images for AOPC and R, as many of each class; 2 or more.
        steps: Number of steps of R, up to the whole image.
        region_steps: Number of steps of AOPC, up to the whole image: each of 100 replaces a hundredth of the
            squares, as nearly as whole ones can.
        region: Side in pixels of the squares that AOPC replaces.
        perturbation: Name of what replaces pixels: "fixed_point_gan", or one of
            ``tfadvpath.metrics.PERTURBATIONS``.
        subset: Largest number of those images for the sensitivity to noise and the randomised classifier; 0
            leaves both out.
        samples: Number of disturbed copies of each of them.
        radius: Largest disturbance of a pixel.
        percentiles: Percentiles of Table 1; none are those of the data.
        curve: Percentiles where IoU is taken as well, for a chart.
        seed: Seed of every choice, not negative.
    """

    images: int = 1000
    steps: int = 224
    region_steps: int = 100
    region: int = 8
    perturbation: str = "fixed_point_gan"
    subset: int = 32
    samples: int = 5
    radius: float = 0.02
    percentiles: tuple[float, ...] = ()
    curve: tuple[float, ...] = _CURVE
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as JSON holds them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }
