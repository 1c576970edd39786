"""Healthy anatomy of the brain phantom: the place of fluid, grey matter and white matter.

Everything is written as distances in mm. The grey matter is a ribbon of constant thickness below the pial
surface; the pial surface is the outer outline together with the sulci, which are the zero sheets of a random
field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from tfadvpath.datasets.phantoms.noise import smooth_noise

CENTRE_Z = 6.0  # mm: height of the cerebrum's centre above the middle of the volume
RIBBON = 3.5  # mm: thickness of the cortex
# Lateral ventricle, one side: |x|, y, z and radius in mm along its horns.
VENTRICLE = [
    [(9, 32, 12, 3.0), (6, 14, 19, 4.2), (9, -12, 23, 4.2), (19, -34, 16, 6.5), (22, -56, 10, 2.0)],
    [(19, -34, 16, 6.0), (33, -18, -8, 2.2), (33, 6, -17, 1.6)],
]
# Deep grey nuclei: centre (|x|, y, z) and half axes in mm: thalamus, caudate head, putamen, pallidum.
NUCLEI = [
    ((11, -10, 8), (8, 14, 9)),
    ((13, 17, 11), (4.5, 9, 8)),
    ((27, 5, 4), (5, 16, 10)),
    ((20, 0, 3), (4, 9, 6)),
]


@dataclass(frozen=True)
class Anatomy:
    """Tissue of a healthy brain on a grid.

    Attributes:
        brain: bool [X, Y, Z], True inside the skull-stripped outline.
        fluid: float32 [X, Y, Z], fraction of each voxel; the three fractions sum to 1.
        grey: float32 [X, Y, Z], fraction of each voxel.
        white: float32 [X, Y, Z], fraction of each voxel.
        depth: float32 [X, Y, Z], mm below the outline, negative outside.
        vessels: float32 [X, Y, Z], fraction of the voxel that is contrast-filled vessel or choroid plexus.
    """

    brain: np.ndarray
    fluid: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    depth: np.ndarray
    vessels: np.ndarray


@dataclass(frozen=True)
class Head:
    """Size of one patient's brain.

    Attributes:
        half_axes: Half width, half length and half height of the cerebrum in mm.
        ventricles: Factor on the ventricles' radii.
        atrophy: Width of the sulci in mm.
    """

    half_axes: tuple[float, float, float]
    ventricles: float
    atrophy: float


def draw_head(rng: np.random.Generator) -> Head:
    """Draws the size of a brain, about as adults' brains vary."""
    half_axes = np.array([66.0, 82.0, 61.0]) * rng.uniform(0.95, 1.04) * rng.uniform(0.975, 1.025, 3)
    return Head(tuple(half_axes.tolist()), rng.uniform(0.75, 1.6), rng.uniform(0.5, 1.3))


def build_anatomy(
    rng: np.random.Generator, head: Head, axes: tuple[np.ndarray, ...], push: np.ndarray
) -> Anatomy:
    """Builds a brain on the grid of three coordinate vectors.

    Args:
        rng: Source of shape and folds.
        head: Size of the brain.
        axes: Coordinates in mm: x (left to right), y (posterior to anterior), z (inferior to superior).
        push: float32 [3, X, Y, Z] or zeros [3, 1, 1, 1], mm by which a mass displaces the inner structures.
    """
    voxel = float(np.mean([axis[1] - axis[0] for axis in axes]))
    grid = np.meshgrid(*(axis.astype(np.float32) for axis in axes), indexing="ij", sparse=True)
    x, y, z = (c + 2.2 * smooth_noise(rng, axes, 45.0) + 0.6 * smooth_noise(rng, axes, 17.0) for c in grid)
    z = z - CENTRE_Z
    hull, cerebrum, cerebellum, stem = _outlines(head, x, y, z)
    depth = np.maximum(np.maximum(cerebrum, cerebellum), stem)
    brain = depth > 0.2

    x, y, z = x - push[0], y - push[1], z - push[2]
    sulcus_depth = np.clip(14 + 4 * smooth_noise(rng, axes, 15.0), 4, 22)
    fold = _sulci(rng, head, (x, y, z))
    fissure = _midline_fissure(head, x, y, z)
    sylvian = _sylvian_fissure(x, y, z)
    pial = np.minimum(
        np.minimum(cerebrum, np.hypot(fold, np.maximum(hull - sulcus_depth, 0))), np.minimum(fissure, sylvian)
    )
    shells = np.sqrt((0.7 * (np.abs(x) - 12)) ** 2 + (y + 28) ** 2 + (z + 30) ** 2)
    folia = 2.5 + 1.3 * np.sin(2 * np.pi * (shells + 1.2 * smooth_noise(rng, axes, 9.0)) / 6.0)
    pial = np.where(cerebrum > 0, pial, np.maximum(np.minimum(cerebellum, folia), stem))

    fluid = _soft(head.atrophy - pial, voxel)
    ventricle = _ventricles(head, x, y, z)
    fluid = np.maximum(fluid, _soft(-ventricle, voxel))
    ribbon = np.where(cerebrum > 0, RIBBON, np.where(cerebellum > 0, 2.4, 0.4)).astype(np.float32)
    grey = _soft(head.atrophy + ribbon - pial, voxel)
    nuclei = np.max([_ellipsoid(np.abs(x), y, z, *nucleus) for nucleus in NUCLEI], axis=0)
    grey = np.maximum(grey, 0.85 * _soft(nuclei, voxel)) * (1 - fluid)
    vessels = _vessels(rng, axes, voxel, pial, ventricle, cerebrum)
    vessels = np.maximum(vessels, _sinuses(x, fissure, cerebrum, cerebellum))
    return Anatomy(brain, fluid, grey, 1 - fluid - grey, depth, vessels * brain)


def _soft(distance: np.ndarray, voxel: float) -> np.ndarray:
    """Returns the fraction of a voxel on the positive side of a surface."""
    return np.clip(0.5 + distance / max(voxel, 1.2), 0, 1).astype(np.float32)


def _ellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: Sequence[float], half_axes: Sequence[float]
) -> np.ndarray:
    """Returns the first-order distance to an ellipsoid's surface, positive inside, in mm."""
    u, v, w = ((c - m) / a for c, m, a in zip((x, y, z), centre, half_axes, strict=True))
    radius = np.sqrt(u * u + v * v + w * w) + 1e-6
    slope = np.sqrt((u / half_axes[0]) ** 2 + (v / half_axes[1]) ** 2 + (w / half_axes[2]) ** 2) + 1e-6
    return (1 - radius) * radius / slope


def _capsule(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, start: Sequence[float], end: Sequence[float]
) -> np.ndarray:
    """Returns the distance to a tapering rod, negative inside, in mm."""
    (ax, ay, az, ra), (bx, by, bz, rb) = start, end
    dx, dy, dz = bx - ax, by - ay, bz - az
    along = np.clip(((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / (dx * dx + dy * dy + dz * dz), 0, 1)
    gap = np.sqrt((x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 + (z - az - along * dz) ** 2)
    return gap - (ra + along * (rb - ra))


def _outlines(head: Head, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns depths in mm below the surfaces of the hemispheres' hull, cerebrum, cerebellum and stem."""
    a, b, c = head.half_axes
    side = np.abs(x) * (1 + 0.08 * y / b)  # narrower in front
    main = _ellipsoid(side, y, z, (0, 0, 0), (a, b, c))
    floor = (
        z + 16 + 8 * np.clip(y / b, -1, 1) - 20 * np.clip(y / b - 0.1, 0, 1)
    )  # the skull base rises in front
    lobe = _ellipsoid(np.abs(x), y, z, (0.58 * a, 10, -22), (0.38 * a, 42, 26))
    cerebrum = np.maximum(np.minimum(main, floor), lobe)
    cerebellum = _ellipsoid(np.abs(x), y, z, (0.32 * a, -0.55 * b, -39), (0.5 * a, 0.37 * b, 22))
    cerebellum = np.where(cerebrum > -1.5, np.minimum(cerebellum, -1.5 - cerebrum), cerebellum)
    stem = -_capsule(x, y, z, (0, -12, -8, 15), (0, -24, -50, 12))
    stem = np.maximum(stem, -_capsule(x, y, z, (0, -24, -50, 10), (0, -28, -64, 8)))
    return main, cerebrum, cerebellum, stem


def _sulci(rng: np.random.Generator, head: Head, place: tuple[np.ndarray, ...]) -> np.ndarray:
    """Returns the distance to the nearest sulcus in mm.

    Sulci are the zero sheets of noise that hardly varies along the radius.
    """
    step = 2.0
    axis = np.arange(-96, 97, step)
    field = smooth_noise(rng, (axis,) * 3, 6.5)
    slope = np.sqrt(sum(g * g for g in np.gradient(field, step)))
    field = field / np.hypot(slope, 0.35 * slope.mean())
    radius = np.sqrt(sum((c / a) ** 2 for c, a in zip(place, head.half_axes, strict=True))) + 1e-3
    shrink = radius**-0.7
    lattice = [c * shrink / step + (axis.size - 1) / 2 for c in place]
    return np.abs(ndimage.map_coordinates(field, np.stack(lattice), order=1, mode="nearest"))


def _midline_fissure(head: Head, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Returns the distance to the sheet between the hemispheres, which ends at the corpus callosum."""
    inner = _ellipsoid(0 * x, y, z, (0, -2, 2), (30, 0.56 * head.half_axes[1], 27))
    return np.hypot(x, np.maximum(inner, 0) * 1.5)


def _sylvian_fissure(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Returns the distance to the slit between the frontal and the temporal lobe, out from the insula."""
    sheet = 0.8 * (z + 2) - 0.5 * (8 - y)
    beyond = np.maximum(np.maximum(42 - np.abs(x), 0), np.maximum(np.abs(y - 8) - 28, 0))
    slit = np.hypot(sheet, beyond) - 0.4
    insula = np.hypot(np.abs(x) - 39 - 0.011 * (y - 8) ** 2, np.maximum(np.hypot(y - 8, z - 2) - 16, 0)) - 0.3
    return np.minimum(slit, insula)


def _ventricles(head: Head, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Returns the distance to the ventricles, negative inside."""
    side = np.abs(x)
    pieces = [
        _capsule(side, y, z, (*start[:3], start[3] * head.ventricles), (*end[:3], end[3] * head.ventricles))
        for horn in VENTRICLE
        for start, end in pairwise(horn)
    ]
    third = np.hypot(x, np.maximum(np.hypot(y + 6, z - 4) - 11, 0)) - 1.4 * head.ventricles
    fourth = _capsule(x, y, z, (0, -36, -32, 4.5), (0, -36, -46, 2.5))
    # The septum keeps the two lateral ventricles apart.
    lateral = np.maximum(np.min(pieces, axis=0), 1.0 - side)
    return np.minimum(np.minimum(lateral, third), fourth)


def _vessels(
    rng: np.random.Generator,
    axes: tuple[np.ndarray, ...],
    voxel: float,
    pial: np.ndarray,
    ventricle: np.ndarray,
    cerebrum: np.ndarray,
) -> np.ndarray:
    """Returns contrast-filled vessels on the cortex and the choroid plexus in the ventricles."""
    wall = np.hypot(
        smooth_noise(rng, axes, 13.0), smooth_noise(rng, axes, 13.0)
    )  # small along lines in space
    patches = smooth_noise(rng, axes, 24.0)
    tube = _soft(1.1 - 11 * wall, voxel) * np.clip(patches + 0.3, 0, 1)
    surface = np.clip(1.3 - np.abs(pial) / 2.5, 0, 1) * (cerebrum > -2)
    plexus = np.clip(1 + (-4.5 - ventricle) / 1.5, 0, 1) * (smooth_noise(rng, axes, 6.0) > 0.2)
    return np.maximum.reduce([tube, 0.8 * surface * tube, 0.7 * plexus]).astype(np.float32)


def _sinuses(x: np.ndarray, fissure: np.ndarray, cerebrum: np.ndarray, cerebellum: np.ndarray) -> np.ndarray:
    """Returns venous sinuses: the sagittal one on the midline's edge, transverse ones beside the cerebellum.

    Nearly every slice meets one, so its largest value does not tell whether it has a tumour.
    """
    sagittal = np.clip(1.8 - fissure / 2.2, 0, 1) * np.clip(1.7 - np.abs(cerebrum) / 4, 0, 1)
    transverse = np.clip(1.7 - np.abs(cerebellum - 1) / 3, 0, 1) * np.clip((np.abs(x) - 34) / 4, 0, 1)
    return np.maximum(sagittal, transverse).astype(np.float32)
