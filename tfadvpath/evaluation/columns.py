"""The methods and maps that the paper compares, in the order of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """One map of one method.

    Attributes:
        method: Name of the explainer.
        map_name: Name of its map.
        title: What tables and figures call it.
    """

    method: str
    map_name: str
    title: str

    @property
    def key(self) -> str:
        """The column's name in files: the method's, with the map's behind it where that has another one."""
        return self.method if self.map_name == self.method else f"{self.method}_{self.map_name}"


_MAPS = {"difference": "E", "fi_v1": "v1", "fi_v2": "v2", "fi_v2_smooth": "v2 smooth"}
# Source: Charachon et al. 2021, table 1.
COLUMNS = (
    Column("gradient", "gradient", "Gradient"),
    Column("integrated_gradients", "integrated_gradients", "Integrated gradients"),
    Column("grad_cam", "grad_cam", "GradCAM"),
    Column("mask_perturbation", "mask_perturbation", "Mask perturbation"),
    Column("mask_generator", "mask_generator", "Mask generator"),
    Column("sagen", "difference", "SAGen"),
    *(Column("cyce", name, f"CyCE {title}") for name, title in _MAPS.items()),
    *(Column("syce", name, f"SyCE {title}") for name, title in _MAPS.items()),
)
METHODS = tuple(dict.fromkeys(column.method for column in COLUMNS))
# What the paper's maps are compared with, and the generators that they are made of.
BASELINES = tuple(column.key for column in COLUMNS[:6])
GENERATORS = ("cyce", "syce")
# Its maps that weigh the difference with the classifier's gradient.
WEIGHTED = ("fi_v1", "fi_v2", "fi_v2_smooth")
# Of the methods that a run measured, the first of these stands for it.
_MAIN = ("syce_fi_v2_smooth", "cyce_fi_v2_smooth")


def columns_of(maps: Mapping[str, Iterable[str]]) -> tuple[Column, ...]:
    """Returns the columns of some methods: the paper's in the order of its table, then those of others.

    Args:
        maps: By method, the names of the maps that it makes. The paper's methods have the paper's maps.
    """
    papers = tuple(column for column in COLUMNS if column.method in maps)
    return papers + tuple(
        Column(method, name, _title(method) if name == method else f"{_title(method)}, {name}")
        for method, names in maps.items()
        if method not in METHODS
        for name in names
    )


def in_order(methods: Iterable[str]) -> list[str]:
    """Returns methods in the order of the paper's table, those that it does not have behind it."""
    return sorted(methods, key=lambda name: (METHODS.index(name) if name in METHODS else len(METHODS), name))


def _title(method: str) -> str:
    return method.replace("_", " ").capitalize()


def main_column(keys: Iterable[str]) -> str:
    """Returns the column that examples are chosen by: SyCE's smoothed map, else CyCE's, else the last one.

    Args:
        keys: Of the columns that were measured, at least one.
    """
    measured = list(keys)
    return next((key for key in _MAIN if key in measured), measured[-1])
