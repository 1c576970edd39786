"""Where in a medical image a classifier's decision comes from, and how much each pixel matters to it."""

from typing import TYPE_CHECKING, Any

from tfadvpath import explainers, generators, models
from tfadvpath.errors import InputError
from tfadvpath.explanation import Explanation
from tfadvpath.gaussian import gaussian_filter
from tfadvpath.importance import PathImportance, feature_importance
from tfadvpath.paths import LinearPath, ManifoldPath

if TYPE_CHECKING:
    from tfadvpath.bundle import Bundle, load_bundle

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "Explanation",
    "InputError",
    "LinearPath",
    "ManifoldPath",
    "PathImportance",
    "explainers",
    "feature_importance",
    "gaussian_filter",
    "generators",
    "load_bundle",
    "models",
]


def __getattr__(name: str) -> Any:
    # A bundle brings the recipe's checks (pydantic, YAML), which who explains a model of their own need not wait for.
    if name in ("Bundle", "load_bundle"):
        from tfadvpath import bundle

        return getattr(bundle, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
