"""Options of an evaluation: what a measurement depends on, beside the bundle and its test images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfadvpath.path.lengths import scaled_pixels

SECOND = "_2"  # ending of the figures under the second perturbation
_REGION = 8  # pixels of 224, as in the paper
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
        region: Side in pixels of the squares that AOPC replaces; None is the paper's 8 pixels of 224.
        perturbation: Name of what replaces pixels: "fixed_point_gan", or one of
            ``tfadvpath.metrics.PERTURBATIONS``; "auto" is "fixed_point_gan", as in the paper, of a bundle
            that has these networks, else "blur".
        second_perturbation: Name of what replaces them in a second measurement of AOPC and R, since both
            depend on it; None measures once.
        controls: Whether the maps of ``controls`` are measured as well.
        sigma: Standard deviation in pixels of the kernel that smooths the maps of every method and control
            alike; None is 2 pixels of 224, in proportion to the image's side.
        kernel_size: Number of taps per axis of that kernel; None is twice 7 σ, 28 at 224 pixels.
        subset: Largest number of those images for the sensitivity to noise and the randomised classifier; 0
            leaves both out.
        samples: Number of disturbed copies of each of them.
        radius: Largest disturbance of a pixel.
        percentiles: Percentiles of Table 1; none are those of the data.
        curve: Percentiles where IoU is taken as well, for a chart.
        method_options: Options of explainers by the method's name and their own, such as
            ``{"syce": {"path": "manifold"}}``; the rest have their defaults. Those of the kernel are not
            among them: maps smoothed by different kernels cannot be compared.
        seed: Seed of every choice, not negative.
    """

    images: int = 1000
    steps: int = 224
    region_steps: int = 100
    region: int | None = None
    perturbation: str = "auto"
    second_perturbation: str | None = None
    controls: bool = True
    sigma: float | None = None
    kernel_size: int | None = None
    subset: int = 32
    samples: int = 5
    radius: float = 0.02
    percentiles: tuple[float, ...] = ()
    curve: tuple[float, ...] = _CURVE
    method_options: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    seed: int = 0

    def squares(self, height: int, width: int) -> int:
        """Returns the side in pixels of AOPC's squares.

        Args:
            height: Height of the images in pixels.
            width: Width of the images in pixels.
        """
        return self.region or scaled_pixels(_REGION, height, width)

    @property
    def kernel(self) -> dict[str, Any]:
        """``sigma`` and ``kernel_size`` by name, as ``path.gaussian.gaussian_filter`` takes them."""
        return {"sigma": self.sigma, "kernel_size": self.kernel_size}

    @property
    def perturbations(self) -> dict[str, str]:
        """Names of what replaces pixels, by the ending of what is measured by it: "", and "_2"."""
        names = {"": self.perturbation, SECOND: self.second_perturbation}
        return {ending: name for ending, name in names.items() if name is not None}

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as JSON holds them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }
