"""Where in a medical image a classifier's decision comes from, and how much each pixel matters to it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfadvpath import explainers, generators, metrics, models
    from tfadvpath.bundle import Bundle, load_bundle
    from tfadvpath.errors import InputError
    from tfadvpath.explanation import Explanation, PathExplanation
    from tfadvpath.gaussian import gaussian_filter
    from tfadvpath.importance import PathImportance, feature_importance
    from tfadvpath.paths import LinearPath, ManifoldPath
    from tfadvpath.saved_model.export import export_saved_model

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "Explanation",
    "InputError",
    "LinearPath",
    "ManifoldPath",
    "PathExplanation",
    "PathImportance",
    "explainers",
    "export_saved_model",
    "feature_importance",
    "gaussian_filter",
    "generators",
    "load_bundle",
    "metrics",
    "models",
]

_HOMES = {
    "Bundle": "bundle",
    "Explanation": "explanation",
    "InputError": "errors",
    "LinearPath": "paths",
    "ManifoldPath": "paths",
    "PathExplanation": "explanation",
    "PathImportance": "importance",
    "export_saved_model": "saved_model.export",
    "feature_importance": "importance",
    "gaussian_filter": "gaussian",
    "load_bundle": "bundle",
}


def __getattr__(name: str) -> Any:
    # On first use: the readers need no TensorFlow, the command line answers --help without waiting for it
    # and sets its log level before, and who explains a model of their own needs no bundle.
    if name in _HOMES:
        value = getattr(importlib.import_module(f"tfadvpath.{_HOMES[name]}"), name)
    elif name in __all__:
        value = importlib.import_module(f"tfadvpath.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
