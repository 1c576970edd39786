"""The viewer's page as a browser reads it: the arrays in it, decoded as its program does; studies to show."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib

import numpy as np

from tfadvpath.explanation import PathExplanation


def content(html: str) -> dict:
    """What the page's program knows but the arrays."""
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', html)[1])


def script(html: str) -> str:
    """The page's program."""
    return re.search(r'<script type="module">(.*?)</script>', html, re.DOTALL)[1]


def arrays(html: str) -> dict[str, np.ndarray]:
    """The images, maps, masks and "detail" of a page by name, [N, H, W] each, as values."""
    known = content(html)
    names = [*(each["name"] for each in known["images"]), *(each["name"] for each in known["maps"])]
    names += [each["name"] for each in known["masks"]]
    shape = (known["rows"], known["columns"])
    levels = {name: [] for name in names}
    for index in range(known["count"]):
        data = inflated(html, f"slice-{index}")
        assert len(data) == len(names) * 2 * shape[0] * shape[1]
        parts = np.frombuffer(data, np.uint8).reshape(len(names), 2, *shape)
        unpacked = [levels_of(low, high) for low, high in parts]
        for place in range(1, len(known["images"])):  # they are kept as differences from the input
            unpacked[place] += unpacked[0]
        for name, one in zip(names, unpacked, strict=True):
            levels[name].append(one)
    stacks = {name: np.stack(values) for name, values in levels.items()}
    for each in known["images"]:
        stacks[each["name"]] = stacks[each["name"]] / known["image_top"]
    for each in known["maps"]:
        zero = known["map_top"] if each["signed"] else 0
        levels_of_map = stacks[each["name"]]
        steps = (levels_of_map - zero) / known["map_top"]
        values = each["largest"] * np.sign(steps) * steps**2
        stacks[each["name"]] = np.where(levels_of_map == zero + known["map_top"] + 1, np.nan, values)
    if known["detail"]:
        size = (known["detail"]["rows"], known["detail"]["columns"])
        details = [inflated(html, f"detail-{index}") for index in range(known["count"])]
        parts = [np.frombuffer(data, np.uint8).reshape(2, *size) for data in details]
        stacks["detail"] = np.stack([levels_of(*each) for each in parts]) / known["detail"]["top"]
    return stacks


def inflated(html: str, name: str) -> bytes:
    text = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', html)[1]
    return zlib.decompress(base64.b64decode(text, validate=True))


def levels_of(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """int [H, W] of the low and high bytes of the changes from the mean of left and upper neighbour."""
    codes = low.astype(int) + 256 * high.astype(int)
    values = np.zeros((codes.shape[0] + 1, codes.shape[1] + 1), int)  # with a border of 0
    for row in range(codes.shape[0]):
        for column in range(codes.shape[1]):
            code = int(codes[row, column])
            change = -(code // 2) - 1 if code % 2 else code // 2
            values[row + 1, column + 1] = change + (values[row + 1, column] + values[row, column + 1]) // 2
    return values[1:, 1:]


def with_checks(explanation: PathExplanation, kept, crossed, residual) -> PathExplanation:
    """That explanation with other checks: sequences of a truth, a truth and a share for each image."""
    decided = explanation.score >= 0.5
    return dataclasses.replace(
        explanation,
        score_start=np.where(np.equal(decided, kept), 0.75, 0.25).astype(np.float32),
        score_adversary=np.where(np.equal(decided, crossed), 0.25, 0.75).astype(np.float32),
        completeness_residual=np.asarray(residual, np.float32),
    )


def uneven(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """float32 values of which most are far below the largest, as those of maps are; some are 0."""
    values = np.random.default_rng(seed).exponential(size=shape) ** 4
    values[values < np.percentile(values, 20)] = 0
    return values.astype(np.float32)


def explanation_to_show(count: int, size: tuple[int, int], seed: int = 0) -> PathExplanation:
    """Random images with a path and two uneven maps; the first image's checks are good."""
    draw = np.random.default_rng(seed)
    images, start, adversary = draw.random((3, count, *size, 1)).astype(np.float32)
    maps = {"fi_v1": uneven(images.shape, seed), "difference": np.abs(start - adversary)}
    ones = np.ones(count, np.float32)
    known = PathExplanation(images, maps, 0.9 * ones, start, adversary, ones, ones, ones)
    places = np.arange(count)
    return with_checks(known, places % 3 != 2, places % 4 != 3, 0.04 * (places % 5))
