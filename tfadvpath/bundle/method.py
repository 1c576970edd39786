"""The method by which a bundle explains unless another is named."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.manifest import checked_manifest

AUTO = "auto"
# Of those that a bundle has, the first.
_OF_GENERATORS = ("syce", "cyce", "sagen")
OF_A_CLASSIFIER = "integrated_gradients"


def chosen_method(bundle: Bundle | Path | str, method: str) -> str:
    """Returns the name of a method, in place of "auto" the bundle's own.

    A bundle's own method is "syce" where it has these networks, else "cyce" or "sagen"; without any of them
    it is "integrated_gradients", which needs the classifier alone.

    Args:
        bundle: Bundle, or its folder.
        method: Name of a method, or "auto".

    Raises:
        InputError: The folder is no bundle.
    """
    if method != AUTO:
        return method
    if isinstance(bundle, Bundle):
        has = set(bundle.generators)
    else:
        files = map(PurePosixPath, checked_manifest(Path(bundle))["sha256"])
        has = {file.parts[0] for file in files if len(file.parts) > 1}
    return next((name for name in _OF_GENERATORS if name in has), OF_A_CLASSIFIER)
