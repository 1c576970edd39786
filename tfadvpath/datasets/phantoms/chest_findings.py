"""Findings of the chest phantom beyond healthy anatomy: opacities and their harmless look-alikes."""

import cv2
import numpy as np

from tfadvpath.datasets.phantoms.chest_anatomy import Layers, Plane, Thorax
from tfadvpath.datasets.phantoms.noise import smooth_noise

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


def draw_opacities(
    rng: np.random.Generator, layers: Layers, thorax: Thorax, plane: Plane
) -> tuple[np.ndarray, list[Box]]:
    """Fills parts of one or both lungs with fluid.

    Returns:
        float32 [H, W], the share of the lungs' air that is gone, and a box around each filled part.
    """
    first = int(rng.integers(2))
    lungs = [first, 1 - first] if rng.random() < 0.4 else [first]
    if rng.random() < 0.12:
        lungs.append(first)
    filled = np.zeros_like(plane[0])
    boxes = []
    for lung in lungs:
        share, box = _opacity(rng, layers.lungs[lung], thorax, plane, -1 if lung == 0 else 1, filled)
        filled = np.maximum(filled, share)
        boxes.append(box)
    return filled, boxes


def _opacity(
    rng: np.random.Generator, lung: np.ndarray, thorax: Thorax, plane: Plane, side: int, filled: np.ndarray
) -> tuple[np.ndarray, Box]:
    """Returns one soft-edged, patchy opacity in one lung, apart from what is filled already, and its box."""
    u, v = plane
    axis = np.linspace(-100, 100, u.shape[0])
    ragged = smooth_noise(rng, (axis, axis), 14.0)
    patchy = smooth_noise(rng, (axis, axis), 5.0)
    strength = rng.uniform(0.4, 0.9)
    while True:
        place = side * rng.uniform(0.18, 0.52) * thorax.width, rng.uniform(-0.40, thorax.dome)
        half_axes = rng.uniform(0.11, 0.24), rng.uniform(0.13, 0.32)
        radius = np.hypot((u - place[0]) / half_axes[0], (v - place[1]) / half_axes[1]) + 0.14 * ragged
        share = np.clip(1.45 - radius, 0, 1) ** 1.5 * lung
        share = strength * share * np.clip(0.85 + 0.2 * patchy, 0.3, 1.15)
        seen = (share > 0.3 * strength) & (filled < 0.1)
        # Most of it lies in the lung, and it is large enough for a radiologist to draw a box.
        if seen.sum() > 0.55 * np.pi * half_axes[0] * half_axes[1] * u.size / 4:
            break
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    x, y = float(columns[0]), float(rows[0])
    return share.astype(np.float32), (x, y, float(columns[-1] + 1 - x), float(rows[-1] + 1 - y))


def draw_look_alikes(rng: np.random.Generator, layers: Layers, thorax: Thorax, plane: Plane) -> np.ndarray:
    """Draws harmless bright things: skin folds, nipples, bone islands, vessels, electrodes, a marker.

    Returns:
        float32 [H, W], cm to add to the tissue.
    """
    u, v = plane
    extra = np.zeros_like(u)
    if rng.random() < 0.35:
        for side in (-1, 1):
            place = (side * 0.42 + rng.normal(0, 0.02), 0.22 + rng.normal(0, 0.02))
            extra += 0.8 * np.exp(-(((u - place[0]) ** 2 + (v - place[1]) ** 2) / 0.018**2))
    for _ in range(rng.poisson(0.8)):
        place, radius = (rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.3)), rng.uniform(0.008, 0.02)
        extra += rng.uniform(1, 3) * (np.hypot(u - place[0], v - place[1]) < radius)
    if rng.random() < 0.4:
        extra += _thick_hila(rng, plane) * layers.lungs.max(axis=0)
    if rng.random() < 0.25:
        # The edge of a skin fold: dense on one side, fading on the other.
        across = u - rng.choice([-1, 1]) * rng.uniform(0.3, 0.5) + 0.25 * v
        extra += 0.9 * np.exp(-np.clip(across, 0, 1) / 0.05) * (across > 0)
    if rng.random() < 0.35:
        extra += _electrodes(rng, u.shape[0])
    return extra + _side_marker(rng, u.shape[0])


def _thick_hila(rng: np.random.Generator, plane: Plane) -> np.ndarray:
    u, v = plane
    extra = np.zeros_like(u)
    for side in (-1, 1):
        for _ in range(4):
            place = side * (0.16 + rng.uniform(0, 0.07)), rng.uniform(-0.1, 0.12)
            extra += rng.uniform(0.8, 2) * np.exp(-(((u - place[0]) ** 2 + (v - place[1]) ** 2) / 0.028**2))
    return extra


def _electrodes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws round electrodes on the skin with their leads, at least as dense as bone."""
    canvas = np.zeros((size, size), np.uint8)
    leave = np.array([rng.uniform(0.2, 0.8), 1.02])
    for _ in range(int(rng.integers(2, 5))):
        end = np.array([rng.choice([rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85)]), rng.uniform(0.2, 0.75)])
        bend = (end + leave) / 2 + rng.normal(0, 0.12, 2)
        t = np.linspace(0, 1, 40)[:, None]
        curve = (1 - t) ** 2 * end + 2 * t * (1 - t) * bend + t**2 * leave
        pixels = (curve * size * 16).round().astype(np.int32)[:, None]
        cv2.polylines(canvas, [pixels], False, 170, max(1, size // 340), cv2.LINE_AA, 4)
        centre = tuple((end * size * 16).round().astype(int).tolist())
        cv2.circle(canvas, centre, round(0.016 * size * 16), 130, -1, cv2.LINE_AA, 4)
        cv2.circle(canvas, centre, round(0.006 * size * 16), 255, -1, cv2.LINE_AA, 4)
    return canvas * np.float32(7 / 255)


def _side_marker(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws the lead letter that tells left from right, in a corner."""
    canvas = np.zeros((size, size), np.uint8)
    letter, column = ("L", rng.uniform(0.84, 0.92)) if rng.random() < 0.7 else ("R", rng.uniform(0.06, 0.12))
    place = (round(column * size), round(rng.uniform(0.08, 0.2) * size))
    cv2.putText(
        canvas, letter, place, cv2.FONT_HERSHEY_SIMPLEX, size / 700, 255, max(1, size // 200), cv2.LINE_AA
    )
    return canvas * np.float32(rng.uniform(12, 25) / 255)
