"""Images that replace pixels in the metrics of relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfadvpath import metrics
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError

FIXED_POINT_GAN = "fixed_point_gan"
PERTURBATIONS = (FIXED_POINT_GAN, *metrics.PERTURBATIONS)
_AUTO, _WITHOUT_NETWORKS = "auto", "blur"
_BATCH = 32


def chosen_perturbation(bundle: Bundle, name: str) -> str:
    """Returns the name of a perturbation, in place of "auto" the fixed-point GAN, or blur without one.

    Args:
        bundle: Bundle that is evaluated.
        name: Name of the perturbation, or "auto".
    """
    if name != _AUTO:
        return name
    return FIXED_POINT_GAN if FIXED_POINT_GAN in bundle.generators else _WITHOUT_NETWORKS


def check_perturbation(bundle: Bundle, name: str) -> None:
    """Checks that a bundle can perturb images that way.

    Args:
        bundle: Bundle that is evaluated.
        name: Name of the perturbation.

    Raises:
        InputError: The name is unknown, or the bundle has no such generator.
    """
    if name not in PERTURBATIONS:
        raise InputError(
            "`perturbation`", f"{name!r} is not known", f"Choose from {', '.join(PERTURBATIONS)}"
        )
    if name == FIXED_POINT_GAN and name not in bundle.generators:
        raise InputError(
            "`perturbation`",
            f"the bundle {bundle.recipe.name} has no {FIXED_POINT_GAN}",
            f"Train that stage, or let `perturbation` be blur (or {', '.join(metrics.PERTURBATIONS[1:])})",
        )


def perturbed_images(
    bundle: Bundle, name: str, images: np.ndarray, seed: int
) -> np.ndarray | Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns what ``metrics.perturbation_curves`` takes as ``perturbed``.

    Args:
        bundle: Bundle for which ``check_perturbation`` finds nothing wrong.
        name: One of ``PERTURBATIONS``.
        images: float32 [B, H, W, C] in [0, 1], B >= 1.
        seed: Seed of the noise.
    """
    if name != FIXED_POINT_GAN:
        perturbed: Any = metrics.perturbation(name, images, seed=seed)
        return perturbed if callable(perturbed) else np.asarray(perturbed)
    translate = tf.function(
        bundle.generators[name].perturb,
        input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32)],
    )
    parts = [translate(tf.constant(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)]
    return np.concatenate([part.numpy() for part in parts])
