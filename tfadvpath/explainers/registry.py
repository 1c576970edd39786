"""Explainers by name: the command line and the reports know them by nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tfadvpath.explainers
from tfadvpath.explainers.base import Explainer

_Make = TypeVar("_Make", bound=Callable[..., Explainer])
_MAKERS: dict[str, Callable[..., Explainer]] = {}
# What a bundle must hold beside its classifier, by the explainer's name.
_GENERATORS: dict[str, str] = {}


def register(name: str, generator: str | None = None) -> Callable[[_Make], _Make]:
    """Gives what makes an explainer its name.

    Args:
        name: What a person calls the method.
        generator: The name of the bundle's generator that it explains with; it is made of that, else of the
            classifier.
    """

    def keep(make: _Make) -> _Make:
        if name in _MAKERS:
            raise ValueError(f"two explainers are called {name!r}")
        _MAKERS[name] = make
        if generator is not None:
            _GENERATORS[name] = generator
        return make

    return keep


def names(models: Any = None) -> tuple[str, ...]:
    """Returns the methods' names in alphabetical order.

    Args:
        models: A bundle: only those that it has the networks for. None is all.
    """
    _load_all()
    held = None if models is None else getattr(models, "generators", {})
    return tuple(
        sorted(
            name for name in _MAKERS if held is None or name not in _GENERATORS or _GENERATORS[name] in held
        )
    )


def get(name: str, models: Any, **options: Any) -> Explainer:
    """Returns the explainer of that name.

    Args:
        name: One of ``tfadvpath.explainers.names()``.
        models: A bundle, or the model that the method needs: for "syce" a ``tfadvpath.generators.SyCE``, for
            "gradient" a classifier.
        **options: Of the explainer's constructor.

    Raises:
        ValueError: The name is unknown, or the bundle has no such generator.
    """
    _load_all()
    if name not in _MAKERS:
        raise ValueError(f"`name` must be one of {names()}. Received: {name!r}")
    generators = getattr(models, "generators", None)
    if not isinstance(generators, Mapping):  # no bundle; a SyCE has a pair of them
        return _MAKERS[name](models, **options)
    if name not in _GENERATORS:
        return _MAKERS[name](models.classifier, **options)
    if _GENERATORS[name] not in generators:
        raise ValueError(f"The bundle has no {_GENERATORS[name]!r} generator, only {sorted(generators)}")
    return _MAKERS[name](generators[_GENERATORS[name]], **options)


def _load_all() -> None:
    """Imports every module of the package: a method's own file is all that names it."""
    for module in pkgutil.iter_modules(tfadvpath.explainers.__path__):
        importlib.import_module(f"tfadvpath.explainers.{module.name}")
