"""The methods and maps that the paper compares, in the order of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ComparedMap(NamedTuple):
    """One map of one method.

    Attributes:
        method: Name of the explainer.
        map_name: Name of the map among the explainer's.
        title: Name in tables and charts.
        is_control: Whether it is a control of the others and no method by itself.
    """

    method: str
    map_name: str
    title: str
    is_control: bool = False

    @property
    def key(self) -> str:
        """Name of the map in files: the method's, with the map's own behind it where that is another."""
        return self.map_name if self.map_name.startswith(self.method) else f"{self.method}_{self.map_name}"


_MAPS = {"difference": "E", "fi_v1": "v1", "fi_v2": "v2", "fi_v2_smooth": "v2 smooth"}
# Source: Charachon et al. 2021, table 1.
COMPARED_MAPS = (
    ComparedMap("gradient", "gradient", "Gradient"),
    ComparedMap("integrated_gradients", "integrated_gradients", "Integrated gradients"),
    ComparedMap("grad_cam", "grad_cam", "GradCAM"),
    ComparedMap("mask_perturbation", "mask_perturbation", "Mask perturbation"),
    ComparedMap("mask_generator", "mask_generator", "Mask generator"),
    ComparedMap("sagen", "difference", "SAGen"),
    *(ComparedMap("cyce", name, f"CyCE {title}") for name, title in _MAPS.items()),
    *(ComparedMap("syce", name, f"SyCE {title}") for name, title in _MAPS.items()),
)
METHODS = tuple(dict.fromkeys(compared.method for compared in COMPARED_MAPS))
# What each map is without the gradient, or with one that has learned nothing: see ``controls``.
_CONTROLS = {
    "difference_smooth": "E smooth",
    "difference_squared_smooth": "E² smooth",
    "fi_v2_of_random_gradient": "v2, random gradient",
    "fi_v2_smooth_of_random_gradient": "v2 smooth, random gradient",
}
CONTROLS = (
    ComparedMap("gradient", "gradient_smooth", "Gradient smooth", True),
    ComparedMap("integrated_gradients", "integrated_gradients_smooth", "Integrated gradients smooth", True),
    *(ComparedMap("cyce", name, f"CyCE {title}", True) for name, title in _CONTROLS.items()),
    *(ComparedMap("syce", name, f"SyCE {title}", True) for name, title in _CONTROLS.items()),
)
# What the paper's maps are compared with, and the generators that they are made of.
BASELINES = tuple(compared.key for compared in COMPARED_MAPS[:6])
GENERATORS = ("cyce", "syce")
# Its maps that weigh the difference with the classifier's gradient.
WEIGHTED = ("fi_v1", "fi_v2", "fi_v2_smooth")
# Methods whose every map takes hundreds of passes.
COSTLY = ("mask_perturbation",)
# Of the methods that a run measured, the first of these stands for it.
_MAIN = ("syce_fi_v2_smooth", "cyce_fi_v2_smooth")


def compared_maps(maps: Mapping[str, Iterable[str]]) -> tuple[ComparedMap, ...]:
    """Returns the maps of some methods: the paper's in the order of its table, those of others, controls.

    Args:
        maps: Names of the maps that a method makes, by the method's. The paper's methods have the paper's
            maps, and the controls that are named.
    """
    papers = tuple(compared for compared in COMPARED_MAPS if compared.method in maps)
    others = tuple(
        ComparedMap(method, name, _title(method) if name == method else f"{_title(method)}, {name}")
        for method, names in maps.items()
        if method not in METHODS
        for name in names
    )
    named = {method: set(names) for method, names in maps.items()}
    controls = tuple(one for one in CONTROLS if one.map_name in named.get(one.method, ()))
    return papers + others + controls


def in_order(methods: Iterable[str]) -> list[str]:
    """Returns methods in the order of the paper's table, those that it does not have behind it.

    Args:
        methods: Names of explainers.
    """
    return sorted(methods, key=lambda name: (METHODS.index(name) if name in METHODS else len(METHODS), name))


def _title(method: str) -> str:
    return method.replace("_", " ").capitalize()


def main_map(keys: Iterable[str]) -> str:
    """Returns the key of the map that examples are chosen by: SyCE's or CyCE's smoothed map, else the last.

    Args:
        keys: Keys of the maps that were measured, at least one.
    """
    controls = {control.key for control in CONTROLS}
    measured = [key for key in keys if key not in controls]
    return next((key for key in _MAIN if key in measured), measured[-1])
