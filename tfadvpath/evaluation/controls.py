"""Controls: the maps that could give a method's figures without what the method is praised for.

A smoothed map finds more of a large finding than one that is not, whatever it shows. And a difference that
lies on the finding needs no gradient to find it. So each map stands beside the same without the gradient,
smoothed by the same kernel, and beside the same with the gradient of a classifier that has learned nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfadvpath.evaluation.compared_maps import CONTROLS, GENERATORS
from tfadvpath.path.gaussian import gaussian_filter

OF_RANDOM_GRADIENT = "_of_random_gradient"


def control_names(method: str) -> tuple[str, ...]:
    """Returns the names of the control maps of a method, in the order of the tables.

    Args:
        method: Name of the explainer.
    """
    return tuple(control.map_name for control in CONTROLS if control.method == method)


def needs_random_gradient(method: str) -> bool:
    """Returns whether a method's controls take its maps of a classifier with random weights.

    Args:
        method: Name of the explainer.
    """
    return method in GENERATORS


def control_maps(
    method: str,
    maps: Mapping[str, np.ndarray],
    of_random: Mapping[str, np.ndarray] | None = None,
    kernel: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Makes the control maps of a method.

    Args:
        method: Name of the explainer.
        maps: Its maps of some images, float32 [B, H, W, C], by name.
        of_random: The same by the gradient of a classifier with random weights; None where
            ``needs_random_gradient`` does not ask for them.
        kernel: ``sigma`` and ``kernel_size`` of the kernel that smooths; what is None or not named is in
            proportion to the image.

    Returns:
        Maps float32 [B, H, W, C] by the names of ``control_names``: the gradient, integrated gradients, the
        difference E and E² smoothed by the kernel of v2 smooth; v2 and v2 smooth of the random gradient.
    """
    made = {}
    for name in control_names(method):
        if name.endswith(OF_RANDOM_GRADIENT):
            if of_random is not None:
                made[name] = of_random[name.removesuffix(OF_RANDOM_GRADIENT)]
            continue
        base = name.removesuffix("_smooth")
        base_map = maps["difference"] ** 2 if base == "difference_squared" else maps[base]
        made[name] = np.asarray(gaussian_filter(tf.constant(base_map), **kernel or {}))
    return made
