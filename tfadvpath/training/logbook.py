"""The logbook of a training: scalars and pictures for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf


class Logbook:
    """Writes the numbers that every epoch logs; ``tensorboard --logdir FOLDER`` shows them.

    Args:
        folder: Folder that gets one for every stage.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.writers: dict[str, tf.summary.SummaryWriter] = {}

    def write(
        self, stage: str, epoch: int, logs: Mapping[str, float], panel: np.ndarray | None = None
    ) -> None:
        """Adds an epoch.

        Args:
            stage: Name of the stage.
            epoch: Index of the epoch, from 0.
            logs: Scalars by name; those of validation begin with ``val_``.
            panel: Picture, uint8 [H, W, 3], or None.
        """
        if stage not in self.writers:
            self.writers[stage] = tf.summary.create_file_writer(str(self.folder / stage))
        with self.writers[stage].as_default(step=epoch):
            for name, value in logs.items():
                if name == "epoch":
                    continue
                part, plain = ("validation", name[4:]) if name.startswith("val_") else ("training", name)
                tf.summary.scalar(f"{plain}/{part}", value)
            if panel is not None:
                tf.summary.image("x, x_s, x_a, difference", panel[np.newaxis])
        self.writers[stage].flush()
