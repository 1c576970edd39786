"""The work that a run does on each of its studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """What a run does with each study, as its bundle and its options say.

    Two processes that have the same job write the same results.

    Attributes:
        size: Height and width that the classifier takes.
        channel: Index of the channel of 4-D NIfTI files.
        batch_size: Number of images that are explained at once.
        maps: Names of the maps to write.
        formats: Names of the formats to write.
        made_with: All that the results depend on besides the studies' files; it goes into each study.json.
        pair: Sentences on what the quality of the generator's pairs means for a reader of the maps.
    """

    size: tuple[int, int]
    channel: int | None
    batch_size: int
    maps: Sequence[str]
    formats: Sequence[str]
    made_with: Mapping[str, Any]
    pair: Sequence[str]
