"""The page: its parts put together into one HTML file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import itertools
import math
from collections.abc import Iterator
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from tfadvpath.viewer.colours import OUTLINES, colour_tables
from tfadvpath.viewer.encoding import Precision, as_text, image_levels, map_levels, packed, precision_of
from tfadvpath.viewer.flags import flags
from tfadvpath.viewer.scene import ADVERSARY, INPUT, START, Scene

# Percentile of each slice's values, whose largest among the slices is shown in the brightest colour.
_BRIGHTEST_PERCENTILE = 99.5
# Level of 1 of the finer input: it is for the eye, numbers are those of the input.
_DETAIL_TOP = 255
_IMAGE_TITLES = {INPUT: "Input x", START: "Start image xₛ", ADVERSARY: "Adversary xₐ"}
_MAP_TITLES = {
    "fi_v2_smooth": "Importance v2, smoothed",
    "fi_v2": "Importance v2",
    "fi_v1": "Importance v1",
    "difference": "Difference of xₛ and xₐ",
}
_STYLE = "style.css"
# In the order in which they stand in the page.
_SCRIPTS = (
    "decode.js",
    "state.js",
    "colour.js",
    "outline.js",
    "draw.js",
    "bars.js",
    "words.js",
    "save.js",
    "controls.js",
    "keys.js",
    "start.js",
)


def page(scene: Scene) -> str:
    """Returns the page as HTML: the images and the maps over them, with everything that shows them.

    The same scene gives the same text. The page's own policy forbids it to reach any other place.

    Raises:
        ValueError: There is no image.
    """
    if not len(scene):
        raise ValueError("a page shows at least one image. Received: none")
    rows, columns = scene.size
    values = len(scene) * rows * columns * (len(scene.images) + len(scene.maps))
    precision = precision_of(values)
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    content = _content(scene, precision)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.from_string(_asset("page.html")).render(
        scene=scene,
        content=content,
        precision=precision,
        style=Markup(_asset(_STYLE)),
        script=Markup(script),
        script_digest=digest,
        colour_names=list(colour_tables()),
        slices=_slices(scene, precision, content["maps"]),
        details=_details(scene),
    )


def _asset(name: str) -> str:
    folder = importlib.resources.files("tfadvpath.viewer") / "assets"
    return (folder / name).read_text(encoding="utf-8")


def _content(scene: Scene, precision: Precision) -> dict[str, Any]:
    """Returns all that the page's program knows but the arrays."""
    rows, columns = scene.size
    spread = scene.rows

    def numbers(values: np.ndarray | None) -> list[float | None] | None:
        if values is None:
            return None
        return [None if row is None else _rounded(float(values[row])) for row in spread]

    def truths(values: np.ndarray | None) -> list[bool | None] | None:
        return None if values is None else [None if row is None else bool(values[row]) for row in spread]

    return {
        "noun": scene.noun,
        "count": len(scene),
        "first": scene.opens_at,
        "rows": rows,
        "columns": columns,
        "proportions": list(scene.proportions or (rows, columns)),
        "image_top": precision.image_top,
        "map_top": precision.map_top,
        "images": [{"name": name, "title": _IMAGE_TITLES.get(name, name)} for name in scene.images],
        "detail": None
        if scene.detail is None
        else {"rows": scene.detail.shape[1], "columns": scene.detail.shape[2], "top": _DETAIL_TOP},
        "maps": [_about_map(name, values) for name, values in scene.maps.items()],
        "masks": [
            {"name": name, "colour": colour}
            for name, colour in zip(scene.masks, itertools.cycle(OUTLINES), strict=False)
        ],
        "colours": colour_tables(),
        "flags": [[list(flag) for flag in each] for each in flags(scene)],
        "scores": {name: numbers(values) for name, values in scene.scores.items()},
        "residual": numbers(scene.residual),
        "crossed": truths(scene.crossed),
        "kept": truths(scene.kept),
        "blank": [row is None for row in spread],
    }


def _rounded(value: float) -> float | None:
    # Six digits: float32 has no more.
    return round(value, 6) if math.isfinite(value) else None


def _about_map(name: str, values: np.ndarray) -> dict[str, Any]:
    single = _one_channel(values)
    largest = float(single.max()) if single.size else 0.0
    brightest = 0.0
    if single.size:
        brightest = float(np.percentile(single, _BRIGHTEST_PERCENTILE, axis=(1, 2)).max())
    return {
        "name": name,
        "title": _MAP_TITLES.get(name, name),
        "largest": largest,
        "brightest": brightest or largest,
    }


def _one_channel(values: np.ndarray) -> np.ndarray:
    return values[..., 0] if values.shape[3] == 1 else values.sum(axis=3)


def _slices(scene: Scene, precision: Precision, about_maps: list[dict[str, Any]]) -> Iterator[str]:
    """Yields the text of each slice: its images, maps and masks, in their order."""
    blank = np.zeros(scene.size, np.int32)
    maps = {name: _one_channel(values) for name, values in scene.maps.items()}
    largest = {each["name"]: each["largest"] for each in about_maps}
    for index, row in enumerate(scene.rows):
        parts = []
        reference = None
        for values in scene.images.values():
            levels = blank if row is None else image_levels(values[row], precision.image_top)
            parts.append(packed(levels, reference))
            reference = levels if reference is None else reference  # the input, which the others resemble
        for name, values in maps.items():
            levels = blank if row is None else map_levels(values[row], largest[name], precision.map_top)
            parts.append(packed(levels))
        parts += [packed(np.asarray(mask[index], np.int32)) for mask in scene.masks.values()]
        yield as_text(parts)


def _details(scene: Scene) -> Iterator[str]:
    """Yields the text of each slice's finer input."""
    if scene.detail is not None:
        for image in scene.detail:
            yield as_text([packed(image_levels(image, _DETAIL_TOP))])
