"""Healthy anatomy of the chest phantom: how many centimetres of tissue each ray of a frontal X-ray passes.

Coordinates u (to the image's right, the patient's left) and v (down) run from -1 to 1 over the image. Each
part is a thickness on that plane; bone counts more per centimetre, air in the lungs takes away.
"""

from dataclasses import dataclass

import numpy as np

from tfadvpath.datasets.phantoms.chest_vessels import draw_vessel_trees
from tfadvpath.datasets.phantoms.noise import smooth_noise

Plane = tuple[np.ndarray, np.ndarray]  # u and v of every pixel, float32 [H, W]


@dataclass(frozen=True)
class Thorax:
    """One patient's build.

    Attributes:
        girth: Thickness of the trunk in cm.
        width: Factor on the width of the rib cage.
        heart: Factor on the heart's half axes.
        dome: Coordinate v of the right diaphragm's top; deep breath makes it larger.
        rib_angle: Fall of the ribs from the spine to the side.
        breasts: Thickness of the breasts in cm, 0 for none.
        scale: Size of the body in the image.
        shift: Place of the body in the image.
        turn: Rotation of the body in radians.
    """

    girth: float
    width: float
    heart: float
    dome: float
    rib_angle: float
    breasts: float
    scale: float
    shift: tuple[float, float]
    turn: float


@dataclass(frozen=True)
class Layers:
    """Layers that the rays pass, each float32 [H, W].

    Attributes:
        tissue: Centimetres of soft tissue and bone, in units of soft tissue, without the lungs' air taken
            away.
        air: Centimetres of air that the lungs hold in front of and behind each pixel.
        lungs: Fraction of the pixel that lies in the right and in the left lung, not behind the heart,
            [2, H, W].
    """

    tissue: np.ndarray
    air: np.ndarray
    lungs: np.ndarray


def draw_thorax(rng: np.random.Generator, female: bool, large_heart: bool = False) -> Thorax:
    """Draws a patient's build and position."""
    return Thorax(
        girth=rng.uniform(17, 24),
        width=rng.uniform(0.92, 1.06),
        heart=rng.uniform(1.3, 1.5) if large_heart else rng.uniform(0.85, 1.1),
        dome=rng.uniform(0.27, 0.43),
        rib_angle=rng.uniform(0.08, 0.2),
        breasts=rng.uniform(1.0, 4.0) if female else 0.0,
        scale=rng.uniform(0.88, 1.06),
        shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06)),
        turn=rng.uniform(-0.05, 0.05),
    )


def body_plane(rng: np.random.Generator, thorax: Thorax, size: int) -> Plane:
    """Returns every pixel's coordinates in the body's own frame, warped: no outline is a perfect curve."""
    axis = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    column, row = np.meshgrid(axis - np.float32(thorax.shift[0]), axis - np.float32(thorax.shift[1]))
    cos, sin = np.cos(thorax.turn) / thorax.scale, np.sin(thorax.turn) / thorax.scale
    millimetres = (axis * 100, axis * 100)
    u = float(cos) * column + float(sin) * row + 0.012 * smooth_noise(rng, millimetres, 45.0)
    v = float(cos) * row - float(sin) * column + 0.012 * smooth_noise(rng, millimetres, 45.0)
    return u, v


def build_layers(rng: np.random.Generator, thorax: Thorax, plane: Plane) -> Layers:
    """Projects the parts of the chest onto the image plane."""
    u, v = plane
    right, left = (_lung(thorax, u, v, side) for side in (-1, 1))
    lungs = np.stack([_rise(right, 0.012), _rise(left, 0.012)])
    # The lung is deepest in its middle: an ellipsoid's profile.
    depth = np.sqrt(np.clip(np.maximum(right, left) / 0.22, 0, 1))
    air = lungs.max(axis=0) * (0.3 + 0.7 * depth) * 0.56 * thorax.girth
    behind_heart = _heart(thorax, u, v)
    air = air * (1 - 0.75 * behind_heart)
    lungs = lungs * (1 - behind_heart)
    trunk = _trunk(thorax, u, v)
    tissue = trunk * thorax.girth + 1.3 * behind_heart
    tissue += 3.0 * _belly(thorax, u, v, lungs.max(axis=0)) * trunk
    tissue += _mediastinum(thorax, u, v)
    tissue += _spine(u, v) + _ribs(rng, thorax, u, v) + _shoulders(thorax, u, v)
    tissue += _breasts(thorax, u, v) * trunk
    tissue += 1.7 * draw_vessel_trees(rng, u.shape[0], thorax.scale, thorax.shift) * lungs.max(axis=0)
    if rng.random() < 0.6:
        bubble = _rise(_oval(u, v, (0.36, thorax.dome + 0.27), (0.13, 0.09)), 0.03)
        tissue -= rng.uniform(2, 6) * bubble
    return Layers(np.maximum(tissue, 0), air, lungs)


def _rise(distance: np.ndarray, width: float) -> np.ndarray:
    """Returns a smooth step from 0 to 1 over +-width around distance 0."""
    t = np.clip(distance / (2 * width) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _oval(
    u: np.ndarray,
    v: np.ndarray,
    centre: tuple[float, float],
    half_axes: tuple[float, float],
    power: float = 2.0,
) -> np.ndarray:
    """Returns about the distance to an oval's outline, positive inside."""
    a, b = half_axes
    radius = (np.abs((u - centre[0]) / a) ** power + np.abs((v - centre[1]) / b) ** power) ** (1 / power)
    return (1 - radius) * min(a, b)


def _dome(thorax: Thorax, u: np.ndarray, side: int) -> np.ndarray:
    """Returns the height v of the diaphragm, higher on the right side where the liver lies."""
    top = thorax.dome + (0.05 if side > 0 else 0.0)
    out = side * u - 0.30 * thorax.width
    return top + np.where(out > 0, 1.5, 0.8) * out * out


def _lung(thorax: Thorax, u: np.ndarray, v: np.ndarray, side: int) -> np.ndarray:
    """Returns about the distance to the outline of one lung (side -1 right, 1 left), positive inside."""
    w = thorax.width
    # The outer wall leans inwards towards the apex.
    lean = np.clip(0.15 - v, 0, 1) ** 2 * 0.22
    shape = _oval(side * u + lean, v, (0.37 * w, 0.04), (0.34 * w, 0.72), 2.3)
    return np.minimum(shape, np.minimum(0.8 * (_dome(thorax, u, side) - v), side * u - 0.06))


def _trunk(thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns the fraction of the trunk's thickness: neck, shoulders, chest, arms."""
    side = np.abs(u)
    chest = _oval(u, v, (0, 0.55), (0.83 * thorax.width, 1.28), 2.8)
    chest = np.sqrt(np.clip(chest / 0.35, 0, 1))
    neck = np.clip((0.23 + 0.5 * np.clip(v + 0.72, 0, 1) - side) / 0.23, 0, 1)
    neck = 0.62 * np.sqrt(neck) * _rise(-0.45 - v, 0.2)
    slope = v + 0.79 - 0.23 * np.clip(side - 0.2, 0, 1) + 0.25 * np.exp(-np.clip(side - 0.15, 0, 1) / 0.08)
    shoulder = 0.62 * np.sqrt(np.clip(np.minimum(slope, 1.12 - side) / 0.16, 0, 1)) * _rise(-0.22 - v, 0.2)
    arm = np.sqrt(np.clip(0.15 - np.abs(side - 0.98 - 0.05 * v), 0, 0.15) / 0.15)
    arm = 0.42 * arm * _rise(v + 0.42, 0.15)
    return np.maximum(np.maximum(chest, neck), np.maximum(shoulder, arm))


def _heart(thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    size = thorax.heart
    x, y = u - 0.09 * size, v - (thorax.dome - 0.16)
    along, across = 0.70 * x + 0.71 * y, -0.71 * x + 0.70 * y
    ventricles = _oval(along, across, (0, 0), (0.33 * size, 0.21 * size), 2.2)
    atrium = _oval(u, v, (-0.06, thorax.dome - 0.14), (0.12 * size, 0.2), 2.0)
    trunk = _oval(u, v, (0.07, -0.06), (0.085, 0.2), 2.0)
    return _rise(np.maximum(np.maximum(ventricles, atrium), trunk), 0.03)


def _belly(thorax: Thorax, u: np.ndarray, v: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Returns liver, spleen and stomach below the diaphragm."""
    share = np.clip(u / 0.16 + 0.5, 0, 1)
    below = v - (1 - share) * _dome(thorax, u, -1) - share * _dome(thorax, u, 1)
    return _rise(below, 0.012) * _rise(0.72 * thorax.width - np.abs(u), 0.06) * (1 - lungs)


def _mediastinum(thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    wide = 0.105 + 0.03 * np.clip(-0.3 - v, 0, 0.3)
    middle = 2.2 * _rise(wide - np.abs(u), 0.03)
    knob = 1.6 * _rise(_oval(u, v, (0.105, -0.25), (0.06, 0.075)), 0.02)
    aorta = 1.0 * _rise(0.035 - np.abs(u - 0.085), 0.02) * _rise(v + 0.2, 0.1)
    hilum = 1.3 * _rise(_oval(u, v, (-0.15, -0.02), (0.05, 0.09)), 0.035)
    hilum += 1.3 * _rise(_oval(u, v, (0.15, -0.06), (0.05, 0.09)), 0.035)
    trachea = 2.6 * _rise(0.03 - np.abs(u + 0.012), 0.012) * _rise(-0.18 - v, 0.05)
    return middle + knob + aorta + hilum - trachea


def _spine(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    height = 0.085 + 0.012 * v
    phase = np.cos(2 * np.pi * v / height)
    column = _rise(0.072 + 0.005 * phase - np.abs(u), 0.008)
    plates = 0.5 + 0.1 * phase
    process = 0.5 * _rise(_oval(u, 0.5 * np.sin(np.pi * v / height) * height, (0, 0), (0.012, 0.03)), 0.006)
    wings = 0.5 * _rise(0.12 - np.abs(u), 0.02) * np.clip(phase, 0, 1)
    return 2.6 * column * plates + process + wings


def _ribs(rng: np.random.Generator, thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns ten rings a side: the bright upper arc runs in the back, the faint lower arc in front."""
    total = np.zeros_like(u)
    side = np.abs(u)
    lean = np.clip(0.1 - v, 0, 1) ** 2 * 0.22
    for number in range(10):
        level = -0.60 + 0.128 * number + 0.004 * rng.normal()
        reach = 1 + float(np.sqrt(max(0.08, 1 - (min(level, 0.1) - 0.1) ** 2 / 0.62)))
        half = thorax.width * 0.1725 * reach
        t = np.clip((side + 0.4 * lean - 0.03 - half) / half, -1, 1)
        bow = np.sqrt(1 - t * t)
        fall = thorax.rib_angle * (t + 1)
        inside = _rise(0.03 + 2 * half - 0.4 * lean - side, 0.012)
        back = v - (level + fall - 0.055 * bow)
        front = v - (level + fall + (0.10 + 0.012 * number) * bow + 0.05 * (1 - t))
        total += 2.4 * _bar(back, 0.018) * inside * _rise(side - 0.05, 0.02)
        if 1 <= number <= 6:
            total += 1.0 * _bar(front, 0.021) * inside * _rise(t + 0.45, 0.25)
    return total


def _bar(distance: np.ndarray, half: float) -> np.ndarray:
    """Returns the profile of a rib: a tube with a denser wall."""
    filled = _rise(half - np.abs(distance), 0.005)
    return filled * (0.65 + 0.35 * (distance / half) ** 2)


def _shoulders(thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns clavicles, shoulder blades and heads of the upper arms."""
    side = np.abs(u)
    curve = v + 0.44 + 0.22 * (side - 0.06) - 0.035 * np.sin(6.0 * (side - 0.06))
    clavicle = 2.8 * _bar(curve, 0.022) * _rise(side - 0.075, 0.012) * _rise(0.70 - side, 0.03)
    tilt = side - 0.70 * thorax.width - 0.16 * (v + 0.25)
    outline = _oval(tilt, v, (0, -0.28), (0.12, 0.30), 1.6)
    blade = 0.5 * _rise(outline, 0.01) + 0.9 * np.exp(-((outline / 0.012) ** 2)) * _rise(tilt + 0.1, 0.02)
    head = 2.2 * _rise(_oval(side, v, (0.87, -0.48), (0.095, 0.105)), 0.015)
    shaft = 1.8 * _bar(side - 0.96 - 0.05 * v, 0.045) * _rise(v + 0.46, 0.05)
    return clavicle + blade + head + shaft


def _breasts(thorax: Thorax, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    if thorax.breasts == 0:
        return np.zeros_like(u)
    droop = 0.30 + 0.04 * thorax.breasts
    oval = _oval(np.abs(u), v, (0.46, droop - 0.08), (0.26, 0.26), 2.0)
    return thorax.breasts * np.sqrt(np.clip(oval / 0.24, 0, 1)) * _rise(v - droop + 0.3, 0.3)
