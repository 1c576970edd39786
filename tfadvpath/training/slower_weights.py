"""An optimizer that moves some of the weights more slowly than the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfadvpath.models.keras_internals import index_in_optimizer


def slowed(
    optimizer: keras.Optimizer,
    weights: Sequence[keras.Variable],
    slow: Sequence[keras.Variable],
    share: float,
) -> keras.Optimizer:
    """Returns an optimizer of the same kind, built for weights; some of them it moves more slowly.

    The decay of weights is that of the whole rate for all of them.

    Args:
        optimizer: Optimizer that has moved nothing yet.
        weights: Weights to move.
        slow: Those of them to move more slowly.
        share: Share of the rate, in (0, 1).
    """
    kind = type(optimizer)
    places = {id(weight) for weight in slow}
    indices = {index for index, weight in enumerate(weights) if id(weight) in places}

    class Slowed(kind):  # type: ignore[misc, valid-type]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            slower = index_in_optimizer(self, variable) in indices
            super().update_step(gradient, variable, learning_rate * share if slower else learning_rate)

    made = Slowed.from_config(optimizer.get_config())
    made.build(weights)
    return made
