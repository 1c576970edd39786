"""The measurement of a generator's pairs at the end of every epoch, on the same few images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfadvpath.bundle.figures import image_figures
from tfadvpath.generators.base import PairGenerator


def pair_measurement(
    generator: PairGenerator, domains: Sequence[np.ndarray]
) -> Callable[[], dict[str, float]]:
    """Returns a function that measures the pairs which a generator makes as it is at the time of the call.

    Of what the verdict on a generator's pairs rests on it gives what needs no annotation and is not logged by
    a step. It changes no weight and draws no random number. The generator runs once, compiled once.

    Args:
        generator: Generator, trained or not.
        domains: Images by predicted class, each float32 [N, H, W, C] in [0, 1].

    Returns:
        Function without arguments. It returns the figures of ``bundle.figures.image_figures`` by name;
        those of a class as "undoing_zero_to_one" and "undoing_one_to_zero". A figure that cannot be given is
        left out.
    """
    images = np.concatenate(domains)
    generate = tf.function(generator.generate, autograph=False)

    def measure() -> dict[str, float]:
        pair = generate(tf.constant(images))
        stable = pair.start.numpy() if generator.STABLE else None
        ones = pair.probability.numpy() >= 0.5
        figures = image_figures(images, pair.adversary.numpy(), stable, ones)
        by_class = figures.pop("undoing_by_class", {})
        figures |= {f"undoing_{direction}": value for direction, value in by_class.items()}
        return {name: value for name, value in figures.items() if value is not None and math.isfinite(value)}

    return measure
