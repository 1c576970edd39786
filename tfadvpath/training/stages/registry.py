"""The registry of the stages by name: a stage's own file is all that names it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

import tfadvpath.training.stages
from tfadvpath.recipes.stages import Training
from tfadvpath.training.stage import Stage

_Kind = TypeVar("_Kind", bound=type[Stage])
_STAGES: list[type[Stage]] = []


def register(stage: _Kind) -> _Kind:
    """Adds a stage, known by its ``name``."""
    _STAGES.append(stage)
    return stage


def stage_class(name: str, options: Training) -> type[Stage]:
    """Returns the class that trains a stage of a recipe.

    Args:
        name: Name of the stage.
        options: Options of the stage in the recipe.

    Raises:
        ValueError: No class, or more than one, trains that stage.
    """
    for module in pkgutil.iter_modules(tfadvpath.training.stages.__path__):
        importlib.import_module(f"tfadvpath.training.stages.{module.name}")
    found = [stage for stage in _STAGES if stage.name == name and stage.takes(options)]
    if len(found) != 1:
        raise ValueError(f"one class must train the stage {name!r}. Found: {found}")
    return found[0]
