"""Model card of an export: its answers, to what, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.path.lengths import SmoothingKernel, described_kernel
from tfadvpath.writers.templating import render


def model_card(bundle: Bundle, about: Mapping[str, Any]) -> str:
    """Returns the card in Markdown.

    Args:
        bundle: Bundle that was exported.
        about: Manifest without the files' digests.
    """
    height, width = bundle.image_size
    return render(
        "tfadvpath.saved_model",
        "model_card.md",
        {"tensors": _described},
        about=about,
        height=height,
        width=width,
        smoothing=_smoothing(about, bundle.image_size),
        figures=_figures(bundle.figures.get("test", {}), about["method"]),
        task=bundle.recipe.data.task,
        generated=bundle.recipe.data.GENERATED,
    )


def _described(tensors: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {each['dtype']} {each['shape']}" for name, each in tensors.items())


def _smoothing(about: Mapping[str, Any], size: tuple[int, int]) -> str | None:
    """Returns the kernel that smooths the map, in words; None where none does."""
    smoothing = about["smoothing"]
    if smoothing is None:
        return None
    return described_kernel(SmoothingKernel(smoothing["sigma"], smoothing["kernel_size"]), size)


def _figures(test: Mapping[str, Any], method: str) -> dict[str, float]:
    """Returns the test images' figures of the classifier and the method that are one number each."""
    return {
        f"{stage}, {name.replace('_', ' ')}": value
        for stage in ("classifier", method)
        for name, value in test.get(stage, {}).items()
        if isinstance(value, int | float)
    }
