"""One method's maps of the test images, and what every metric says of each image."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadvpath import metrics
from tfadvpath.evaluation.held_out import HeldOut
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import PathExplanation

Arrays = dict[str, np.ndarray]
# Images explained before their maps are measured and let go.
_CHUNK = 128
_DRAWS = 5  # orders of each image for the random curves
TIE_RULES = ("paper", "exact")


@dataclass(frozen=True, eq=False)
class Setting:
    """What all methods are measured on.

    Attributes:
        classifier: The bundle's.
        held_out: The test images.
        perturbed: What pixels of ``held_out.relevance`` are replaced with, as ``metrics.perturbation_curves``
            takes it.
        options: How.
    """

    classifier: Any
    held_out: HeldOut
    perturbed: Any
    options: EvaluationOptions

    @property
    def replaced(self) -> np.ndarray:
        """float32 [R, H, W, C], the images whose pixels are replaced."""
        return np.asarray(self.held_out.images.images[self.held_out.relevance])


def work(setting: Setting, maps: int) -> int:
    """Returns how many units of progress ``measure`` reports for a method with so many maps."""
    held_out, options = setting.held_out, setting.options
    subset = len(held_out.subset) * (options.samples + 2)
    return len(held_out.explained) + maps * len(held_out.relevance) + subset


def work_random(setting: Setting) -> int:
    """Returns how many units of progress ``measure_random`` reports."""
    return 2 * len(setting.held_out.relevance)


def measure(
    explainer: Explainer,
    map_names: Sequence[str],
    setting: Setting,
    make_randomised: Callable[[], Explainer],
    on_progress: Callable[[float], None] = lambda amount: None,
) -> Arrays:
    """Explains the test images with one method and measures its maps, image by image.

    Args:
        explainer: Of the bundle.
        map_names: Which of its maps.
        setting: What on, and how.
        make_randomised: Returns the same explainer of a classifier with random weights.
        on_progress: Called with units of ``work``.

    Returns:
        For every map, under "map.name": of the M localised images ``iou`` and ``fnr`` float64 [M, P, 2] by
        percentile and tie rule (the paper's, exact), ``share`` [M, P] of the image that the paper's rule
        selects, ``curve`` [M, Q] of IoU, ``pointing`` [M] 0 or 1, ``average_precision`` [M]; of the R images
        of relevance ``most`` and ``least`` float32 [R, steps + 1], ``regions`` [R, region_steps + 1]; of its
        K images ``sensitivity`` float64 [K, 2] (maximum, mean), ``randomised`` [K] the rank correlation with
        the map of the randomised classifier, ``other_image`` [K] that with the map of another patient's
        image, NaN where there is one patient, ``same_pixels`` [K] the IoU of what both maps select at the
        first percentile of the table.
        Of the method: ``seconds`` of one image, float64; where there is a path ``crossed`` and ``kept``, bool
        [R].
    """
    held_out, options = setting.held_out, setting.options
    maps, measured = _explained(explainer, map_names, setting, on_progress)
    images = setting.replaced
    for name in map_names:
        curves = metrics.most_and_least_curves(
            setting.classifier, images, maps[name], setting.perturbed, steps=options.steps
        )
        measured |= {f"{name}.most": curves.most, f"{name}.least": curves.least}
        measured[f"{name}.regions"] = metrics.perturbation_curves(
            setting.classifier,
            images,
            maps[name],
            setting.perturbed,
            steps=options.region_steps,
            region=options.region,
        )
        on_progress(len(images))
    if len(held_out.subset):
        subset = images[held_out.subset]
        own = {name: maps[name][held_out.subset] for name in map_names}
        measured |= _sensitivity(explainer, subset, map_names, options, on_progress)
        patients = np.asarray(held_out.images.patients)[held_out.relevance][held_out.subset]
        measured |= _survival(make_randomised(), subset, own, patients, options, on_progress)
    return measured


def measure_random(setting: Setting, on_progress: Callable[[float], None] = lambda amount: None) -> Arrays:
    """Measures what orders drawn at random reach.

    Args:
        setting: What on, and how.
        on_progress: Called with units of ``work_random``.

    Returns:
        ``pixels`` float32 [R, steps + 1] and ``regions`` float32 [R, region_steps + 1], means over five
        orders an image; ``flipped`` bool [R], the image whose pixels are all replaced has the other decision.
    """
    options, images = setting.options, setting.replaced

    def curves(steps: int, region: int) -> np.ndarray:
        found = metrics.random_curves(
            setting.classifier,
            images,
            setting.perturbed,
            steps=steps,
            draws=_DRAWS,
            region=region,
            seed=options.seed,
        )
        on_progress(len(images))
        return found

    pixels = curves(options.steps, 1)
    regions = curves(options.region_steps, options.region)
    return {"pixels": pixels, "regions": regions, "flipped": pixels[:, -1] < 0.5}


def _explained(
    explainer: Explainer, map_names: Sequence[str], setting: Setting, on_progress: Callable[[float], None]
) -> tuple[Arrays, Arrays]:
    """Returns the maps [R, H, W] of the images of relevance, and what does not need them all at once."""
    held_out, options = setting.held_out, setting.options
    rows, images = held_out.explained, held_out.images
    shape = (len(held_out.relevance), *images.images.shape[1:3])
    maps = {name: np.zeros(shape, np.float32) for name in map_names}
    localised: dict[str, list[Arrays]] = {name: [] for name in map_names}
    rates: dict[str, list[np.ndarray]] = {"crossed": [], "kept": []}
    seconds = 0.0
    explainer.explain(images.images[rows[:1]])  # compiles, which is not what one image takes
    for begin in range(0, len(rows), _CHUNK):
        at = rows[begin : begin + _CHUNK]
        start = time.perf_counter()
        explanation = explainer.explain(images.images[at], on_progress)
        seconds += time.perf_counter() - start
        replaced = np.isin(at, held_out.relevance)
        if isinstance(explanation, PathExplanation):
            rates["crossed"].append(explanation.crossed[replaced])
            rates["kept"].append(explanation.kept[replaced])
        inside = np.isin(at, held_out.localised)
        for name in map_names:
            values = explanation.maps[name].sum(axis=3)
            maps[name][np.isin(held_out.relevance, at)] = values[replaced]
            masks = np.asarray(images.masks[at[inside]])
            localised[name].append(_localisation(values[inside], masks, options))
    measured = {"seconds": np.array(seconds / len(rows))}
    measured |= {name: np.concatenate(parts) for name, parts in rates.items() if parts}
    for name, parts in localised.items():
        measured |= {
            f"{name}.{figure}": np.concatenate([part[figure] for part in parts]) for figure in parts[0]
        }
    return maps, measured


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
    # One explanation gives all maps, but the metric asks for those of one: each further map is read from what
    # the first one's calls left, in their order. The disturbances are the same, they come from the seed.
    kept: list[dict[str, np.ndarray]] = []

    def explain(name: str, calls: Iterator[int]) -> Callable[[np.ndarray], np.ndarray]:
        def maps_of(x: np.ndarray) -> np.ndarray:
            call = next(calls)
            if call == len(kept):
                kept.append(explainer.explain(x, on_progress).maps)
            return kept[call][name]

        return maps_of

    measured = {}
    for name in map_names:
        result = metrics.map_sensitivity(
            explain(name, itertools.count()),
            images,
            radius=options.radius,
            samples=options.samples,
            seed=options.seed,
        )
        measured[f"{name}.sensitivity"] = np.stack([result.maximum, result.mean], axis=1)
    return measured


def _survival(
    randomised: Explainer,
    images: np.ndarray,
    maps: Arrays,
    patients: np.ndarray,
    options: EvaluationOptions,
    on_progress: Callable[[float], None],
) -> Arrays:
    partner = _of_another_patient(patients)
    others = randomised.explain(images, on_progress).maps
    percentile = options.percentiles[0]
    measured = {}
    for name, own in maps.items():
        measured[f"{name}.randomised"] = metrics.rank_correlation(own, others[name].sum(axis=3))
        with_partner = metrics.rank_correlation(own, own[partner])
        measured[f"{name}.other_image"] = np.where(partner < 0, np.nan, with_partner)
        selected = metrics.most_important(others[name], percentile, exact=True)
        measured[f"{name}.same_pixels"] = metrics.iou(own, selected, percentile, exact=True)
    return measured


def _of_another_patient(patients: np.ndarray) -> np.ndarray:
    """Returns for every row one of another patient, int64 [N]; -1 where there is one patient.

    Slices of one patient show the same finding: their maps would be alike for a good reason.
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
