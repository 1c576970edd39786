"""The page: its parts put together into one HTML file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup

from tfadvpath.viewer.colours import OUTLINES, colour_tables, diverging_tables
from tfadvpath.viewer.encoding import Precision, as_text, image_levels, map_levels, packed, precision_of
from tfadvpath.viewer.flags import flags
from tfadvpath.viewer.scene import ADVERSARY, INPUT, START, Scene
from tfadvpath.viewer.size import MOST_BYTES, cuts

# Bytes that are kept for the program, the style and the words of a page.
_ROOM = 300_000
# Letters around the text of an array.
_TAGS = 64
# Slices by which the size of a page is guessed, and the guess from which it is surely too large.
_SAMPLES = 8
_SURELY = 1.3
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

    The same scene gives the same text. The page's own policy forbids it to reach any other place. It has less
    than 25 MB: a larger one is made coarser until it fits, and says so.

    Raises:
        ValueError: There is no image.
    """
    if not len(scene):
        raise ValueError("a page shows at least one image. Received: none")
    rows, columns = scene.size
    values = len(scene) * rows * columns * (len(scene.images) + len(scene.maps))
    whole = precision_of(values)
    for cut in cuts(whole, scene):
        smaller = cut.applied(scene)
        content = _content(smaller, cut.precision)
        room = MOST_BYTES - _ROOM - len(json.dumps(content).encode())
        texts = _texts(smaller, cut.precision, content["maps"], room)
        if texts is not None:
            break
    else:
        raise ValueError(f"a page holds no more than {MOST_BYTES:,} bytes. Received: {len(scene):,} images")
    return _rendered(smaller, content, cut.precision, texts, [*scene.remarks, *cut.sentences(scene, whole)])


class _Texts(NamedTuple):
    slices: list[str]
    details: list[str]


def _texts(scene: Scene, precision: Precision, about_maps: list[dict[str, Any]], room: int) -> _Texts | None:
    """Returns the texts of all slices; None as soon as they have more letters than there is room for."""
    some = range(0, len(scene), -(-len(scene) // _SAMPLES))
    sample = sum(map(len, _slices(scene, precision, about_maps, some)))
    sample += sum(map(len, _details(scene, some)))
    # Slices in between have about as much in them; where they have less, all are tried.
    if sample / len(some) * len(scene) > _SURELY * room:
        return None
    texts = _Texts([], [])
    every = range(len(scene))
    for into, made in (
        (texts.slices, _slices(scene, precision, about_maps, every)),
        (texts.details, _details(scene, every)),
    ):
        for text in made:
            into.append(text)
            room -= len(text) + _TAGS
            if room < 0:
                return None
    return texts


def _rendered(
    scene: Scene, content: dict[str, Any], precision: Precision, texts: _Texts, remarks: list[str]
) -> str:
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.from_string(_asset("page.html")).render(
        scene=scene,
        remarks=remarks,
        content=content,
        precision=precision,
        style=Markup(_asset(_STYLE)),
        script=Markup(script),
        script_digest=digest,
        slices=texts.slices,
        details=texts.details,
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
        "diverging": diverging_tables(),
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
    numbers = [one[~np.isnan(one)] for one in np.abs(single)]
    largest = max((float(one.max()) for one in numbers if one.size), default=0.0)
    highest = (float(np.percentile(one, _BRIGHTEST_PERCENTILE)) for one in numbers if one.size)
    brightest = max(highest, default=0.0)
    return {
        "name": name,
        "title": _MAP_TITLES.get(name, name),
        "signed": bool((single < 0).any()),
        "largest": largest,
        "brightest": brightest or largest,
    }


def _one_channel(values: np.ndarray) -> np.ndarray:
    return values[..., 0] if values.shape[3] == 1 else values.sum(axis=3)


def _slices(
    scene: Scene, precision: Precision, about_maps: list[dict[str, Any]], chosen: Iterable[int]
) -> Iterator[str]:
    """Yields the text of each chosen slice: its images, maps and masks, in their order."""
    blank = np.zeros(scene.size, np.int32)
    empty = np.zeros(scene.size, np.float32)
    maps = {name: _one_channel(values) for name, values in scene.maps.items()}
    rows = scene.rows
    for index in chosen:
        row = rows[index]
        parts = []
        reference = None
        for values in scene.images.values():
            levels = blank if row is None else image_levels(values[row], precision.image_top)
            parts.append(packed(levels, reference))
            reference = levels if reference is None else reference  # the input, which the others resemble
        for about in about_maps:
            values = empty if row is None else maps[about["name"]][row]
            parts.append(
                packed(map_levels(values, about["largest"], precision.map_top, signed=about["signed"]))
            )
        parts += [packed(np.asarray(mask[index], np.int32)) for mask in scene.masks.values()]
        yield as_text(parts)


def _details(scene: Scene, chosen: Iterable[int]) -> Iterator[str]:
    """Yields the text of each chosen slice's finer input."""
    if scene.detail is not None:
        for index in chosen:
            yield as_text([packed(image_levels(scene.detail[index], _DETAIL_TOP))])
