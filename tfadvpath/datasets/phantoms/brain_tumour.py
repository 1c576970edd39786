"""Tumours of the brain phantom: a ragged enhancing rim around a core, in a halo of oedema."""

from dataclasses import dataclass

import numpy as np

from tfadvpath.datasets.phantoms.brain_anatomy import CENTRE_Z, Anatomy, Head
from tfadvpath.datasets.phantoms.noise import smooth_noise

OEDEMA, NON_ENHANCING, ENHANCING = 1, 2, 3


@dataclass(frozen=True)
class Focus:
    """One tumour focus.

    Attributes:
        centre: float64 [3] in mm.
        half_axes: float64 [3] in mm.
        core: Share of the radius that the core takes.
    """

    centre: np.ndarray
    half_axes: np.ndarray
    core: float


def draw_foci(rng: np.random.Generator, head: Head) -> list[Focus]:
    """Draws one focus, sometimes with a smaller second one near it.

    The radius is 6 to 20 % of the brain's width, the place anywhere deep enough in the cerebrum.
    """
    axes = np.array(head.half_axes)
    radius = 2 * axes[0] * (rng.uniform(0.06, 0.11) if rng.random() < 0.2 else rng.uniform(0.10, 0.20))
    while True:
        place = rng.uniform(-1, 1, 3)
        inside = np.linalg.norm(place * axes / (axes - 0.9 * radius)) < 0.95
        centre = place * axes
        if inside and abs(centre[0]) > 0.55 * radius and centre[2] > -14 + 0.5 * radius:
            break
    centre[2] += CENTRE_Z
    core = rng.uniform(0.2, 0.5) if radius < 12 else rng.uniform(0.45, 0.75)
    foci = [Focus(centre, radius * rng.uniform(0.85, 1.15, 3), core)]
    if rng.random() < 0.3:
        # A satellite lies on the way to the middle, so that it stays inside the brain.
        inward = rng.normal(0, 0.5, 3) - centre / np.linalg.norm(centre)
        away = 1.2 * radius * inward / np.linalg.norm(inward)
        foci.append(Focus(centre + away, radius * rng.uniform(0.3, 0.5, 3), rng.uniform(0.1, 0.4)))
    return foci


def mass_effect(foci: list[Focus], axes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Returns the displacement of the tissue around the first focus, float32 [3, X, Y, Z] in mm."""
    offset = _offset(foci[0].centre, axes)
    radius = float(foci[0].half_axes.mean())
    squared = sum(c * c for c in offset)
    size = 0.3 * np.exp(-squared / (2 * (1.6 * radius) ** 2))
    return np.stack([c * size for c in offset]).astype(np.float32)


def grow_tumour(
    rng: np.random.Generator, foci: list[Focus], anatomy: Anatomy, axes: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Grows the foci into the tissue.

    Returns:
        uint8 [X, Y, Z]: 0 healthy, 1 oedema, 2 non-enhancing core, 3 enhancing rim.
    """
    radius = float(foci[0].half_axes.mean())
    ragged = smooth_noise(rng, axes, 0.55 * radius)
    fine = smooth_noise(rng, axes, max(0.22 * radius, 3.0))
    fingers = smooth_noise(rng, axes, 11.0)
    spread = rng.uniform(1.35, 2.1)
    labels = np.zeros(anatomy.brain.shape, np.uint8)
    outer = np.full(anatomy.brain.shape, np.inf, np.float32)
    core = np.zeros(anatomy.brain.shape, bool)
    for focus in foci:
        offset = _offset(focus.centre, axes)
        reach = np.sqrt(sum((c / a) ** 2 for c, a in zip(offset, focus.half_axes.tolist(), strict=True)))
        # The noise fades near the centre: a focus stays in one piece.
        reach = reach + (0.13 * ragged + 0.05 * fine) * np.minimum(reach, 1.2)
        outer = np.minimum(outer, reach)
        core |= reach + 0.10 * fine + 0.06 * ragged < focus.core
    inside = anatomy.brain & (anatomy.depth > 1.0)
    # Oedema runs along white matter; cortex and fluid hold it up.
    halo = outer + 0.16 * fingers + 0.6 * anatomy.grey < spread
    labels[halo & inside & (anatomy.fluid < 0.3)] = OEDEMA
    labels[(outer < 1) & inside] = ENHANCING
    labels[core & (outer < 1) & inside] = NON_ENHANCING
    return labels


def _offset(centre: np.ndarray, axes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    offsets = ((axis - c).astype(np.float32) for axis, c in zip(axes, centre, strict=True))
    return np.meshgrid(*offsets, indexing="ij", sparse=True)
