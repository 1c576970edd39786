"""Numbers that the paper publishes, to stand beside those of a measurement.

Source: Charachon, Cournède, Hudelot and Ardon 2021, "Visual explanation by unifying adversarial generation
and feature importance attributions", tables 1 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfadvpath.evaluation.claims import ClaimedNumber, Comparison
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS
from tfadvpath.recipes.data import DataSet


@dataclass(frozen=True)
class PaperTask:
    """One of the paper's two tasks.

    Attributes:
        title: Name of the task in text.
        numbers: Values that the paper gives, by what is claimed and by the map's key.
        random_relevance: R of random orders: of all images, of class 0 and of class 1.
    """

    title: str
    numbers: Mapping[ClaimedNumber, Mapping[str, float]]
    random_relevance: tuple[float, float, float]

    def value(self, number: ClaimedNumber, key: str) -> float | None:
        """Returns a map's value, None where the paper gives none."""
        return self.numbers.get(number, {}).get(key)

    def advantage(self, comparison: Comparison) -> float | None:
        """Returns how much better the paper found a comparison's map; None where it gives no value."""
        values = self.numbers.get(comparison.number)
        if values is None:
            return None
        if not {comparison.key, comparison.against} <= values.keys():  # the paper has no controls
            return None
        advantage = values[comparison.key] - values[comparison.against]
        return -advantage if comparison.number.metric == "fnr" else advantage

    def as_json(self) -> list[dict[str, Any]]:
        """Returns every number with its metric, percentile and map, as JSON can hold them."""
        random = {
            "metric": "relevance",
            "percentile": None,
            "map": "random",
            "value": self.random_relevance[0],
        }
        return [
            {**number._asdict(), "map": key, "value": value}
            for number, values in self.numbers.items()
            for key, value in values.items()
        ] + [random]


def paper_task(data: DataSet) -> PaperTask | None:
    """Returns the paper's task of the same organ as a recipe's data; None where there is none."""
    return _OF_ORGAN.get(data.pictured_organ or "")


def about_paper(data: DataSet) -> str:
    """Returns the sentence on how the columns named paper compare with these; "" where there are none."""
    task = paper_task(data)
    if task is None:
        return ""
    if data.ORGAN is not None and not data.GENERATED:
        return f"Columns named paper hold the published numbers of the same task, {task.title}."
    return (
        f"Columns named paper hold the published numbers on {task.title}: another data set, other networks "
        "and a longer training. They give orientation, and cannot be compared number by number."
    )


def _row(*values: float) -> dict[str, float]:
    return dict(zip((compared.key for compared in COMPARED_MAPS), values, strict=True))


_BRAIN = PaperTask(
    "brain tumours (MRI)",
    {
        ClaimedNumber("iou", 98): _row(
            *(0.154, 0.238, 0.173, 0.290, 0.318, 0.330),
            *(0.322, 0.337, 0.376, 0.428),
            *(0.411, 0.404, 0.426, 0.432),
        ),
        ClaimedNumber("iou", 99): _row(
            *(0.131, 0.196, 0.115, 0.263, 0.274, 0.284),
            *(0.270, 0.288, 0.322, 0.363),
            *(0.348, 0.338, 0.357, 0.364),
        ),
        ClaimedNumber("fnr", 98): _row(
            *(0.744, 0.621, 0.715, 0.580, 0.534, 0.525),
            *(0.542, 0.518, 0.481, 0.433),
            *(0.462, 0.462, 0.446, 0.441),
        ),
        ClaimedNumber("relevance"): _row(
            *(0.563, 0.599, 0.714, 0.631, 0.689, 0.736),
            *(0.638, 0.675, 0.693, 0.703),
            *(0.754, 0.766, 0.778, 0.788),
        ),
    },
    random_relevance=(0.066, 0.077, 0.055),
)
_CHEST = PaperTask(
    "pneumonia (X-rays)",
    {
        ClaimedNumber("iou", 90): _row(
            *(0.187, 0.170, 0.195, 0.204, 0.208, 0.232),
            *(0.221, 0.269, 0.300, 0.321),
            *(0.299, 0.289, 0.323, 0.335),
        ),
        ClaimedNumber("iou", 95): _row(
            *(0.152, 0.136, 0.138, 0.154, 0.169, 0.173),
            *(0.191, 0.232, 0.259, 0.278),
            *(0.244, 0.242, 0.271, 0.285),
        ),
        ClaimedNumber("iou", 98): _row(
            *(0.097, 0.086, 0.070, 0.087, 0.103, 0.097),
            *(0.116, 0.149, 0.163, 0.175),
            *(0.151, 0.150, 0.165, 0.177),
        ),
        ClaimedNumber("fnr", 90): _row(
            *(0.639, 0.698, 0.645, 0.623, 0.620, 0.584),
            *(0.596, 0.532, 0.494, 0.471),
            *(0.492, 0.507, 0.469, 0.457),
        ),
        ClaimedNumber("relevance"): _row(
            *(0.483, 0.385, 0.473, 0.475, 0.339, 0.463),
            *(0.636, 0.672, 0.686, 0.686),
            *(0.593, 0.657, 0.679, 0.712),
        ),
    },
    random_relevance=(0.118, 0.172, 0.049),
)
# Phantoms imitate the paper's images: its numbers give orientation there, and are no target.
_OF_ORGAN = {"brain": _BRAIN, "chest": _CHEST}
