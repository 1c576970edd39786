"""Explainers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explainers.base import Explainer

# Every method that explains with a generator of a bundle, by the generator's name.
_ADVERSARIAL_PATHS = ("cyce", "syce", "sagen")
NAMES = _ADVERSARIAL_PATHS


def get(name: str, models: Any, **options: Any) -> Explainer:
    """Returns the explainer of that name.

    Args:
        name: One of ``tfadvpath.explainers.NAMES``.
        models: A bundle, or the model that the method needs (for "syce" a
            ``tfadvpath.generators.SyCE``).
        **options: Of the explainer's constructor.

    Raises:
        ValueError: The name is unknown, or the bundle has no such generator.
    """
    if name not in NAMES:
        raise ValueError(f"`name` must be one of {NAMES}. Received: {name!r}")
    generators = getattr(models, "generators", None)
    if not isinstance(generators, Mapping):  # a SyCE has a pair of them
        return AdversarialPath(models, **options)
    if name not in generators:
        raise ValueError(f"The bundle has no {name!r} generator, only {sorted(generators)}")
    return AdversarialPath(generators[name], **options)


__all__ = ["NAMES", "AdversarialPath", "Explainer", "get"]
