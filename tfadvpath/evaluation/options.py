"""What a measurement depends on, beside the bundle and its test images."""

from __future__ import annotations

import dataclasses
from typing import Any

# Where the curve of IoU by percentile is taken, beside those of the table.
_CURVE = (80.0, 85.0, 90.0, 92.5, 95.0, 97.0, 98.0, 99.0, 99.5)


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """How test images are drawn and maps measured.

    Attributes:
        images: At most so many for AOPC and R, as many of each class; 2 or more.
        steps: Of R, up to the whole image.
        region_steps: Of AOPC, up to the whole image: each replaces a hundredth of the squares, as nearly as
            whole ones can.
        region: Side in pixels of the squares that AOPC replaces.
        perturbation: "fixed_point_gan", or one of ``tfadvpath.metrics.PERTURBATIONS``.
        subset: At most so many of those images for the sensitivity to noise and the randomised classifier; 0
            leaves both out.
        samples: Disturbed copies of each of them.
        radius: The disturbance of a pixel is at most that.
        percentiles: Of Table 1.
        curve: Percentiles where IoU is taken as well, for a figure.
        seed: Of every choice.
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
