"""The state of a stage on disk: whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.files import replacing_file
from tfadvpath.generators.base import AgainstClassifier


@dataclass
class Progress:
    """How far a stage is.

    Attributes:
        epochs: Number of epochs that are done.
        lowest: Lowest number so far of those that ``Stage.rank`` gives the epochs.
        best_epoch: Index of the epoch that has it, from 0; -1 before the first.
        since_change: Number of epochs since then, or since the learning rate was lowered.
        history: Numbers that every epoch logged, by name.
        warm_up_seconds: Seconds that the warm-up took, which the first epoch's "seconds" hold as well.
    """

    epochs: int = 0
    lowest: float = float("inf")
    best_epoch: int = -1
    since_change: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    warm_up_seconds: float = 0.0


def state_of(model: keras.Model) -> list[keras.Variable]:
    """Returns every variable that training changes: weights, optimizers' states, random seeds' states.

    The frozen classifier's variables and the logs' means are not among them.
    """
    left_out = {id(variable) for metric in model.metrics for variable in metric.variables}
    if isinstance(model, AgainstClassifier):
        left_out |= {id(variable) for variable in model.classifier.variables}
    optimizers = [model.optimizer, getattr(model, "discriminator_optimizer", None)]
    everything = list(model.variables)
    everything += [variable for optimizer in optimizers if optimizer for variable in optimizer.variables]
    unique = {id(variable): variable for variable in everything}
    return [variable for key, variable in unique.items() if key not in left_out]


def save_checkpoint(path: Path, progress: Progress, now: list[np.ndarray], best: list[np.ndarray]) -> None:
    """Writes the progress, the state, and the state of the best epoch; whole or not at all."""
    arrays = {f"now_{i}": value for i, value in enumerate(now)}
    arrays |= {f"best_{i}": value for i, value in enumerate(best)}
    with replacing_file(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, progress=np.array(json.dumps(asdict(progress))), **arrays)


def load_checkpoint(path: Path) -> tuple[Progress, list[np.ndarray], list[np.ndarray]]:
    """Returns the progress, the state, and the state of the best epoch, as ``save_checkpoint`` wrote them.

    Raises:
        InputError: The file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            values: dict[str, Any] = dict(file)
        progress = Progress(**json.loads(str(values.pop("progress"))))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            path, f"the checkpoint is damaged ({error})", "Delete it: the stage starts anew"
        ) from error

    def part(prefix: str) -> list[np.ndarray]:
        count = sum(name.startswith(prefix) for name in values)
        return [values[f"{prefix}{i}"] for i in range(count)]

    return progress, part("now_"), part("best_")
