"""Panels to watch a training by: a few images, the images that the networks make of them, and the maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfadvpath.generators.base import PairGenerator
from tfadvpath.writers.pictures import display_scale, grey, labelled, montage, overlay, picture_size

# Pixels of a picture's longer side, and of the line above each column.
_LEAST, _MOST = 160, 256
_HEADER = 20


def pair_panel(images: np.ndarray, generator: PairGenerator) -> np.ndarray:
    """Returns a row an image: x, x_s, x_a with the classifier's probability, and |x_s - x_a|.

    Where the generator's path starts at the image itself there is no x_s, and the map is |x - x_a|.

    Args:
        images: Images, float32 [N, H, W, 1] in [0, 1], N >= 1.
        generator: Generator, trained or not.

    Returns:
        uint8 RGB [rows, columns, 3].
    """
    pair = generator.generate(tf.constant(images))
    columns = {"x": images, "x_s": pair.start.numpy(), "x_a": pair.adversary.numpy()}
    if not generator.STABLE:
        del columns["x_s"]
    scores = {
        name: generator.classifier(tf.constant(column), training=False).numpy().reshape(-1)
        for name, column in columns.items()
    }
    start = "x_s" if generator.STABLE else "x"
    return panel(columns, {f"|{start} - x_a|": np.abs(columns[start] - columns["x_a"])}, scores)


def panel(
    columns: Mapping[str, np.ndarray],
    maps: Mapping[str, np.ndarray] | None = None,
    scores: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Returns a row an image, a column a kind of picture, and a line with the columns' names.

    Args:
        columns: Images by name (ASCII), float [N, H, W, 1] in [0, 1]; N >= 1 and H, W are the same
            everywhere.
        maps: Maps by name, float [N, H, W, C], not negative; shown on black, inferno's yellow where they
            reach the scale. It is one for all rows of a map, and stands behind its name.
        scores: Probabilities by a column's name, float [N], written into its pictures.

    Returns:
        uint8 RGB [rows, columns, 3].

    Raises:
        ValueError: There is no column, or another number or size of images in one.
    """
    maps, scores = maps or {}, scores or {}
    shapes = {name: np.shape(values)[:3] for name, values in {**columns, **maps}.items()}
    if not columns or len(set(shapes.values())) != 1 or 0 in next(iter(shapes.values())):
        raise ValueError(f"Columns and maps must be [N >= 1, H, W, C] of one size. Received: {shapes}")
    count, height, width = next(iter(shapes.values()))
    size = picture_size((height, width), _LEAST, _MOST)
    black = np.zeros((*size, 3), np.uint8)
    scales = {name: display_scale(values) for name, values in maps.items()}
    pictures = []
    for i in range(count):
        for name, values in columns.items():
            picture = grey(values[i], size)
            pictures.append(labelled(picture, f"f {scores[name][i]:.2f}") if name in scores else picture)
        pictures += [overlay(black, values[i], scales[name]) for name, values in maps.items()]
    names = [*columns, *(f"{name} to {scale:.2g}" for name, scale in scales.items())]
    header = [labelled(black[:_HEADER], name) for name in names]
    return np.concatenate([montage(header, across=len(names)), montage(pictures, across=len(names))])
