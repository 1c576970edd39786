"""Explainers by name: the command line and the reports know them by nothing else."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import pathlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tfadvpath.explainers
from tfadvpath.explainers.base import Explainer

_Make = TypeVar("_Make", bound=Callable[..., Explainer])
# A change in one of them can change a map or a figure.
_COMPUTING_ROOMS = (
    "explainers",
    "path",
    "generators",
    "models",
    "metrics",
    "evaluation",
    "datasets",
    "bundle",
)
_MAKERS: dict[str, Callable[..., Explainer]] = {}
# Generator that a bundle must hold beside its classifier, by the explainer's name.
_GENERATORS: dict[str, str] = {}


def register(name: str, generator: str | None = None) -> Callable[[_Make], _Make]:
    """Returns a decorator that gives a class or function that makes an explainer its name.

    Args:
        name: Name of the method, as a person calls it.
        generator: Name of the bundle's generator that it explains with; it is made of that, else of the
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
        models: Bundle, for those that it has the networks for; None is all.
    """
    _load_all()
    held = None if models is None else getattr(models, "generators", {})
    return tuple(
        sorted(
            name for name in _MAKERS if held is None or name not in _GENERATORS or _GENERATORS[name] in held
        )
    )


def get(name: str, models: Any, **given: Any) -> Explainer:
    """Returns the explainer of that name.

    Args:
        name: Name among ``tfadvpath.explainers.names()``.
        models: Bundle, or the model that the method needs: for "syce" a ``tfadvpath.generators.SyCE``, for
            "gradient" a classifier.
        **given: Some of its ``options``.

    Raises:
        ValueError: The name is unknown, or the bundle has no such generator.
    """
    make = _maker(name)
    generators = getattr(models, "generators", None)
    if not isinstance(generators, Mapping):  # no bundle; a SyCE has a pair of them
        return make(models, **given)
    if name not in _GENERATORS:
        return make(models.classifier, **given)
    if _GENERATORS[name] not in generators:
        raise ValueError(f"The bundle has no {_GENERATORS[name]!r} generator, only {sorted(generators)}")
    return make(generators[_GENERATORS[name]], **given)


def generator_of(name: str) -> str | None:
    """Returns the name of the bundle's generator that an explainer is made of; None: of its classifier.

    Raises:
        ValueError: The name is unknown.
    """
    _maker(name)
    return _GENERATORS.get(name)


def code(name: str) -> str:
    """Returns the SHA-256, in hexadecimal, of the source that a method's maps and figures depend on.

    That is the module that makes the explainer and the rooms of this package that compute: it tells the
    measurements of a method from those of an earlier state. Where a method has no source, such as one that
    was typed at a prompt, its maker's name stands for it.

    Raises:
        ValueError: The name is unknown.
    """
    make = _maker(name)
    try:
        text = inspect.getsource(sys.modules[make.__module__])
    except (KeyError, OSError, TypeError):
        text = f"{make.__module__}.{make.__qualname__}"
    return hashlib.sha256((text + computing_code()).encode()).hexdigest()


@functools.cache
def computing_code() -> str:
    """Returns the SHA-256 of the modules that maps and their figures are computed by, in hexadecimal."""
    package = pathlib.Path(tfadvpath.__path__[0])
    digest = hashlib.sha256()
    for room in _COMPUTING_ROOMS:
        for path in sorted((package / room).glob("*.py")):
            digest.update(f"{room}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def options(name: str) -> dict[str, Any]:
    """Returns what ``get`` takes for the explainer of that name beside the models, with the defaults.

    Raises:
        ValueError: The name is unknown.

    Example:
        >>> options("integrated_gradients")["steps"]
        50
    """
    parameters = inspect.signature(_maker(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def _maker(name: str) -> Callable[..., Explainer]:
    _load_all()
    if name not in _MAKERS:
        raise ValueError(f"`name` must be one of {names()}. Received: {name!r}")
    return _MAKERS[name]


def _load_all() -> None:
    """Imports every module of the package: a method's own file is all that names it."""
    for module in pkgutil.iter_modules(tfadvpath.explainers.__path__):
        importlib.import_module(f"tfadvpath.explainers.{module.name}")
