"""Measurements of one method: its maps of the test images, image by image."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tfadvpath import metrics
from tfadvpath.evaluation.cascade import WEIGHTED, cascade, shares, weight_correlation
from tfadvpath.evaluation.controls import control_maps, control_names, needs_random_gradient
from tfadvpath.evaluation.images import EvaluatedImages
from tfadvpath.evaluation.options import SECOND, EvaluationOptions
from tfadvpath.evaluation.short_cuts import PLACES, places, share_within
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import PathExplanation

Arrays = dict[str, np.ndarray]
# Number of images that are explained before their maps are measured and let go.
_CHUNK = 128
_DRAWS = 5  # random orders of each image
TIE_RULES = ("paper", "exact")


@dataclass(frozen=True, eq=False)
class MeasuredMethod:
    """Measurements of one method's maps, image by image.

    M images are localised, R take part in relevance, K of these in what is costly; P are the percentiles of
    the table, Q those of the curve.

    Attributes:
        maps: Arrays by the map's name and the metric's: ``iou`` and ``fnr`` float64 [M, P, 2] by percentile
            and tie rule (the paper's, exact), ``share`` [M, P] of the image that the paper's rule selects,
            ``curve`` [M, Q] of IoU, ``short_cuts`` [R, S] how much of the map lies in each of
            ``short_cuts.PLACES``, ``pointing`` [M] 0 or 1, ``average_precision`` [M]; ``most`` and
            ``least`` float32 [R, steps + 1], ``regions`` [R, region_steps + 1]; ``sensitivity`` float64
            [K, 2] (maximum, mean), ``cascade`` [K, L, 2] and ``cascade_weight`` [K, L] as the function of
            this name returns them, at the first percentile of the table, ``randomised`` and ``same_pixels``
            [K] its last step, the whole classifier with random weights, ``other_image`` [K] the rank
            correlation with the map of another patient's image, and ``other_weight`` [K] that of both maps'
            weights, NaN where there is one patient. Controls have no ``sensitivity`` and none of the
            following. ``most``, ``least`` and ``regions`` stand
            again, with the ending ``_2``, for the second perturbation.
        seconds: Time to explain one image.
        rates: "crossed" and "kept", bool [R], where there is a path across the decision.
    """

    maps: Mapping[str, Arrays]
    seconds: float
    rates: Arrays

    def as_arrays(self) -> Arrays:
        """Returns all of it as arrays by name, for a file."""
        found = {
            f"{name}.{metric}": values for name, own in self.maps.items() for metric, values in own.items()
        }
        return {"maps": np.array(list(self.maps)), "seconds": np.array(self.seconds), **self.rates, **found}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """Returns what ``as_arrays`` was made of."""
        maps = {
            name: {
                key.removeprefix(f"{name}."): values
                for key, values in arrays.items()
                if key.startswith(f"{name}.")
            }
            for name in arrays["maps"].tolist()
        }
        rates: Arrays = {name: arrays[name] for name in ("crossed", "kept") if name in arrays}
        return cls(maps, float(arrays["seconds"]), rates)


@dataclass(frozen=True, eq=False)
class RandomOrders:
    """Measurements of random orders, means over five orders an image.

    Attributes:
        pixels: float32 [R, steps + 1], curves of replaced pixels.
        regions: float32 [R, region_steps + 1], curves of replaced squares.
        flipped: bool [R], whether the image whose pixels are all replaced has the other decision.
        second: The same three under the second perturbation, by name; empty where there is none.
    """

    pixels: np.ndarray
    regions: np.ndarray
    flipped: np.ndarray
    second: Mapping[str, np.ndarray] = field(default_factory=dict)

    def as_arrays(self) -> Arrays:
        """Returns all of it as arrays by name, for a file."""
        first = {"pixels": self.pixels, "regions": self.regions, "flipped": self.flipped}
        return first | {f"{name}{SECOND}": values for name, values in self.second.items()}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """Returns what ``as_arrays`` was made of."""
        names = ("pixels", "regions", "flipped")
        second = {name: arrays[f"{name}{SECOND}"] for name in names if f"{name}{SECOND}" in arrays}
        return cls(arrays["pixels"], arrays["regions"], arrays["flipped"], second)


@dataclass(frozen=True, eq=False)
class Setting:
    """Images that all methods are measured on, and how.

    Attributes:
        classifier: Classifier of the bundle.
        evaluated: Test images.
        perturbed: Replacements of the pixels of ``evaluated.relevance``, as ``metrics.perturbation_curves``
            takes them, by the ending of ``EvaluationOptions.perturbations``.
        options: Options of the measurement.
    """

    classifier: Any
    evaluated: EvaluatedImages
    perturbed: Mapping[str, Any]
    options: EvaluationOptions

    @property
    def region(self) -> int:
        """Side in pixels of the squares that AOPC replaces."""
        return self.options.squares(*self.evaluated.images.images.shape[1:3])

    @property
    def replaced(self) -> np.ndarray:
        """float32 [R, H, W, C], the images whose pixels are replaced."""
        return np.asarray(self.evaluated.images.images[self.evaluated.relevance])


def work(setting: Setting, maps: int, method: str = "") -> int:
    """Returns the units of progress that ``measure`` reports for a method.

    Args:
        setting: Images, and how they are measured.
        maps: Number of the method's maps.
        method: Name of the method.
    """
    evaluated, options = setting.evaluated, setting.options
    subset = len(evaluated.subset) * (options.samples + 2 + len(shares(method)))
    replaced = len(options.perturbations) * len(evaluated.relevance)
    return len(evaluated.explained) + maps * replaced + subset


def work_random(setting: Setting) -> int:
    """Returns the units of progress that ``measure_random`` reports.

    Args:
        setting: Images, and how they are measured.
    """
    return 2 * len(setting.options.perturbations) * len(setting.evaluated.relevance)


def measure(
    explainer: Explainer,
    map_names: Sequence[str],
    setting: Setting,
    make_randomised: Callable[[float], Explainer],
    on_progress: Callable[[float], None] = lambda amount: None,
    method: str = "",
) -> MeasuredMethod:
    """Explains the test images with one method and measures its maps, image by image.

    Args:
        explainer: Explainer of the bundle.
        map_names: Names of the maps to measure.
        setting: Images, and how they are measured.
        make_randomised: Function that returns the same explainer of a classifier with random weights in that
            share of its layers, from the output.
        on_progress: Function that is called with units of ``work``.
        method: Name of the method, by which its controls are found.
    """
    evaluated, options = setting.evaluated, setting.options
    controls = (
        _Controls(method, make_randomised, options) if options.controls and control_names(method) else None
    )
    maps, localised, seconds, rates = _explained(explainer, map_names, setting, on_progress, controls)
    measured = {name: dict(own) for name, own in localised.items()}
    images = setting.replaced
    where = places(images, evaluated.images.masks[evaluated.relevance])
    for name in measured:
        measured[name]["short_cuts"] = np.stack(
            [share_within(np.maximum(maps[name], 0), where[place]) for place in PLACES], axis=1
        )
        for ending, perturbed in setting.perturbed.items():
            curves = metrics.most_and_least_curves(
                setting.classifier, images, maps[name], perturbed, steps=options.steps
            )
            regions = metrics.perturbation_curves(
                setting.classifier,
                images,
                maps[name],
                perturbed,
                steps=options.region_steps,
                region=setting.region,
            )
            found = {"most": curves.most, "least": curves.least, "regions": regions}
            measured[name] |= {f"{metric}{ending}": values for metric, values in found.items()}
            on_progress(len(images))
    if len(evaluated.subset):
        subset = images[evaluated.subset]
        partner = of_another_patient(
            np.asarray(evaluated.images.patients)[evaluated.relevance][evaluated.subset]
        )
        sensitivity = _sensitivity(explainer, subset, map_names, options, on_progress)
        own = explainer.explain(subset, on_progress).maps
        percentile = options.percentiles[0]
        survival = cascade(method, make_randomised, subset, own, map_names, percentile, on_progress)
        for name in map_names:
            whole = survival[name]["cascade"][:, -1]
            measured[name] |= survival[name] | {
                "sensitivity": sensitivity[name],
                "randomised": whole[:, 0],
                "same_pixels": whole[:, 1],
                "other_image": _of_another_image(own[name].sum(axis=3), partner),
            }
            if name in WEIGHTED:
                d = own["difference"]
                floor = weight_correlation(own[name], own[name][partner], d, d[partner])
                measured[name]["other_weight"] = np.where(partner < 0, np.nan, floor)
    return MeasuredMethod(measured, seconds, rates)


def measure_random(
    setting: Setting, on_progress: Callable[[float], None] = lambda amount: None
) -> RandomOrders:
    """Measures what orders drawn at random reach.

    Args:
        setting: Images, and how they are measured.
        on_progress: Function that is called with units of ``work_random``.
    """
    options, images = setting.options, setting.replaced

    def curves(perturbed: Any, steps: int, region: int) -> np.ndarray:
        found = metrics.random_curves(
            setting.classifier,
            images,
            perturbed,
            steps=steps,
            draws=_DRAWS,
            region=region,
            seed=options.seed,
        )
        on_progress(len(images))
        return found

    measured = {}
    for ending, perturbed in setting.perturbed.items():
        pixels = curves(perturbed, options.steps, 1)
        regions = curves(perturbed, options.region_steps, setting.region)
        measured[ending] = {"pixels": pixels, "regions": regions, "flipped": pixels[:, -1] < 0.5}
    return RandomOrders(**measured[""], second=measured.get(SECOND, {}))


class _Controls:
    """The control maps of a method; the explainer of a random classifier is made when it is first needed."""

    def __init__(
        self, method: str, make_randomised: Callable[[float], Explainer], options: EvaluationOptions
    ):
        self.method = method
        self._kernel = options.kernel
        self.names = control_names(method)
        self._make_randomised = make_randomised
        self._randomised: Explainer | None = None

    def of(self, images: np.ndarray, maps: Mapping[str, np.ndarray]) -> Arrays:
        """Returns the control maps of images, float32 [B, H, W, C], beside the method's own ones."""
        if not needs_random_gradient(self.method):
            return control_maps(self.method, maps, kernel=self._kernel)
        if self._randomised is None:
            self._randomised = self._make_randomised(1.0)
        return control_maps(self.method, maps, self._randomised.explain(images).maps, self._kernel)


def _explained(
    explainer: Explainer,
    map_names: Sequence[str],
    setting: Setting,
    on_progress: Callable[[float], None],
    controls: _Controls | None,
) -> tuple[Arrays, dict[str, Arrays], float, Arrays]:
    """Explains the images.

    Returns:
        The maps [R, H, W] of the images of relevance; of every map what is measured on the localised images,
        which does not need all maps at once; the seconds of one image; and the rates.
    """
    evaluated, options = setting.evaluated, setting.options
    rows, images = evaluated.explained, evaluated.images
    shape = (len(evaluated.relevance), *images.images.shape[1:3])
    names = [*map_names, *(controls.names if controls else ())]
    maps = {name: np.zeros(shape, np.float32) for name in names}
    localised: dict[str, list[Arrays]] = {name: [] for name in names}
    rates: dict[str, list[np.ndarray]] = {"crossed": [], "kept": []}
    seconds = 0.0
    explainer.explain(images.images[rows[:1]])  # compiles, which is not what one image takes
    for begin in range(0, len(rows), _CHUNK):
        at = rows[begin : begin + _CHUNK]
        start = time.perf_counter()
        explanation = explainer.explain(images.images[at], on_progress)
        seconds += time.perf_counter() - start
        replaced = np.isin(at, evaluated.relevance)
        if isinstance(explanation, PathExplanation):
            rates["crossed"].append(explanation.crossed[replaced])
            rates["kept"].append(explanation.kept[replaced])
        inside = np.isin(at, evaluated.localised)
        made = dict(explanation.maps)
        if controls:
            made |= controls.of(images.images[at], explanation.maps)
        for name in names:
            values = made[name].sum(axis=3)
            maps[name][np.isin(evaluated.relevance, at)] = values[replaced]
            masks = np.asarray(images.masks[at[inside]])
            localised[name].append(_localisation(values[inside], masks, options))
    joined = {
        name: {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}
        for name, parts in localised.items()
    }
    found = {name: np.concatenate(parts) for name, parts in rates.items() if parts}
    return maps, joined, seconds / len(rows), found


def _localisation(maps: np.ndarray, masks: np.ndarray, options: EvaluationOptions) -> Arrays:
    table = len(options.percentiles)
    if not len(maps):  # the metrics take no empty batch
        shapes = {"iou": (table, 2), "fnr": (table, 2), "share": (table,), "curve": (len(options.curve),)}
        shapes |= {"pointing": (), "average_precision": ()}
        return {name: np.zeros((0, *shape)) for name, shape in shapes.items()}

    def by_rule(metric: Callable[..., np.ndarray], percentile: float) -> np.ndarray:
        return np.stack([metric(maps, masks, percentile, exact=exact) for exact in (False, True)], axis=1)

    return {
        "iou": np.stack([by_rule(metrics.iou, p) for p in options.percentiles], axis=1),
        "fnr": np.stack([by_rule(metrics.false_negative_rate, p) for p in options.percentiles], axis=1),
        "share": np.stack([metrics.selected_share(maps, p) for p in options.percentiles], axis=1),
        "curve": np.stack([metrics.iou(maps, masks, p) for p in options.curve], axis=1),
        "pointing": metrics.pointing_game(maps, masks).astype(np.float64),
        "average_precision": metrics.average_precision(maps, masks),
    }


def _sensitivity(
    explainer: Explainer,
    images: np.ndarray,
    map_names: Sequence[str],
    options: EvaluationOptions,
    on_progress: Callable[[float], None],
) -> Arrays:
    def explain(x: np.ndarray) -> dict[str, np.ndarray]:
        maps = explainer.explain(x, on_progress).maps
        return {name: maps[name] for name in map_names}

    measured = metrics.map_sensitivities(
        explain, images, radius=options.radius, samples=options.samples, seed=options.seed
    )
    return {name: np.stack([one.maximum, one.mean], axis=1) for name, one in measured.items()}


def _of_another_image(maps: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """Returns the rank correlation of every map with that of another patient's image, float64 [K]."""
    return np.where(partner < 0, np.nan, metrics.rank_correlation(maps, maps[partner]))


def of_another_patient(patients: np.ndarray) -> np.ndarray:
    """Returns for every row one of another patient, int64 [N]; -1 where there is one patient.

    Slices of one patient show the same finding: their maps would be alike for a good reason.

    Args:
        patients: Patient of every row, [N].
    """
    count = len(patients)
    found = np.full(count, -1)
    for row in range(count):
        # From half way round, so that the rows of a patient are not all given the same partner.
        candidates = (row + count // 2 + np.arange(count)) % count
        others = candidates[patients[candidates] != patients[row]]
        if len(others):
            found[row] = others[0]
    return found
