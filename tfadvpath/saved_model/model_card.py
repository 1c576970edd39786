"""The model card of an export: what it answers, to what, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from tfadvpath.bundle import Bundle
from tfadvpath.datasets.readers import MAX_PIXELS
from tfadvpath.training.data_options import PhantomBrain, PhantomChest


def model_card(bundle: Bundle, about: Mapping[str, Any]) -> str:
    """Returns the card in Markdown.

    Args:
        bundle: What was exported.
        about: The manifest but for the files.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfadvpath.saved_model"),
        autoescape=False,  # Markdown, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["tensors"] = lambda tensors: ", ".join(
        f"`{name}` {each['dtype']} {each['shape']}" for name, each in tensors.items()
    )
    height, width = bundle.image_size
    return environment.get_template("model_card.md").render(
        about=about,
        height=height,
        width=width,
        max_pixels=MAX_PIXELS,
        figures=_figures(bundle.figures.get("test", {}), about["method"]),
        task=bundle.recipe.data.task,
        generated=isinstance(bundle.recipe.data, PhantomBrain | PhantomChest),
    )


def _figures(test: Mapping[str, Any], method: str) -> dict[str, float]:
    """Returns the test images' figures of the classifier and the method that are one number each."""
    return {
        f"{stage}, {name.replace('_', ' ')}": value
        for stage in ("classifier", method)
        for name, value in test.get(stage, {}).items()
        if isinstance(value, int | float)
    }
