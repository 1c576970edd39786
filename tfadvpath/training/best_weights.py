"""Keeping the weights of the best epoch."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from tfadvpath.errors import InputError


class BestWeights(keras.callbacks.Callback):
    """Remembers, in memory, the trainable and other variables of the epoch with the lowest value of a figure.

    Args:
        monitor: The name in the logs.
    """

    def __init__(self, monitor: str):
        super().__init__()
        self.monitor = monitor
        self.lowest = np.inf
        self.values: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = (logs or {})[self.monitor]
        if value < self.lowest:
            self.lowest = value
            self.values = [variable.numpy() for variable in self.model.variables]

    def restore(self) -> None:
        """Puts the best values back.

        Raises:
            InputError: No epoch had a finite value.
        """
        if not self.values:
            raise InputError(self.monitor, "was never a number", "Lower the learning rate in the recipe")
        for variable, value in zip(self.model.variables, self.values, strict=True):
            variable.assign(value)
