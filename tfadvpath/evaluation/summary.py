"""Means of every map's measurements over the images, with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tfadvpath import metrics
from tfadvpath.evaluation.compared_maps import GENERATORS, ComparedMap, compared_maps, main_map
from tfadvpath.evaluation.estimates import Estimate, Resampling
from tfadvpath.evaluation.images import EvaluatedImages
from tfadvpath.evaluation.measure import Arrays, MeasuredMethod, RandomOrders
from tfadvpath.evaluation.options import SECOND, EvaluationOptions
from tfadvpath.evaluation.references import RANDOM_ORDER
from tfadvpath.metrics.replacement import Regions

if TYPE_CHECKING:
    from tfadvpath.evaluation.claims import Claim

# Findings that are averaged apart: those that the classifier found and missed, and the smaller and the larger
# half of them by area.
FINDINGS = ("found", "missed", "small", "large")
# Images by the classifier's decision.
CLASSES = ("all", "class_0", "class_1")
# Maps whose weight alone can be compared, and the map that it is taken from.
_WEIGHTS = {"fi_v1": "fi_v1", "fi_v2": "fi_v2", "fi_v2_smooth": "fi_v2"}
_OF_SUBSET = (
    *("sensitivity", "randomised", "other_image", "same_pixels"),
    *("cascade", "cascade_weight", "other_weight"),
)
# Number of steps, each a hundredth of the image, after which AOPC is given; and after all.
SHORT = 16


@dataclass(frozen=True, eq=False)
class MeasuredMap:
    """Measurements of one map.

    Attributes:
        compared: Map that was measured.
        estimates: Means by name: "iou", "fnr" [P, 2], "share" [P], "curve" [Q], "pointing",
            "average_precision", and "iou_found" and so on [P, 2] by ``FINDINGS``; "relevance" [3] and "aopc"
            [3, region_steps + 1] by ``CLASSES``, AOPC relative to random orders after 0, 1, … steps, and
            both again with the ending "_2" under the second perturbation; "sensitivity" [2], "randomised",
            "other_image", "same_pixels", "cascade" [L, 2], and of v1 and v2 "cascade_weight" [L] and
            "other_weight", where a subset was drawn;
            "short_cuts" [S]; "crossed", "kept" where there is a path.
        survives: Whether the map outlives the randomisation of its classifier: ``metrics.survives``, and it
            is nearer to the map of the randomised classifier than to that of another image, by the paired
            interval. Maps of one background correlate without that. Of v1, v2 and v2 smooth the gradient's
            weight is judged, since the pair, which stays, decides the order of their pixels. None where it
            was not tried, all maps are constant, or there is one patient.
        seconds: Time to explain one image.
    """

    compared: ComparedMap
    estimates: Mapping[str, Estimate]
    survives: bool | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Summary:
    """Measurements of all maps of a bundle.

    Attributes:
        maps: Measured maps by key, in the order of the table.
        random: Results of random orders: "relevance" [3], "aopc" [3, region_steps + 1], not relative to
            anything; "flipped", the share of decisions that the perturbation turns; and the same with the
            ending "_2".
        references: "iou" and "fnr" [P, 2] of the maps of ``references`` and of random orders, means over all
            orders, by name; empty where nothing is annotated.
        options: Options of the measurement.
        counts: "images", "patients", "localised", "localised_patients", "without_mask", "relevance",
            "relevance_patients", "relevance_class_1" (by the classifier's decision), "relevance_labelled_1",
            "subset"; "squares" of
            an image and "square_side" in pixels.
        claims: Claims of the paper, judged by these measurements.
        short_cuts: Figures of ``short_cuts.hidden_figures`` by the place's name.
        pairs: Figures of ``pair_quality`` by the generator's name; empty where pairs were not measured.
        failed: Reasons why methods could not be measured, by the method's name.
    """

    maps: Mapping[str, MeasuredMap]
    random: Mapping[str, Estimate]
    options: EvaluationOptions
    counts: Mapping[str, int]
    references: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    short_cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def differences(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Returns how far maps are above others, paired over patients, by both keys and metric.

        A generator's weighted maps are compared with its ``difference``, all other maps with the
        ``difference`` of every generator; and every map with the main one, which stands for all.
        """
        bases = [key for key in (f"{method}_difference" for method in GENERATORS) if key in self.maps]
        main = main_map(self.maps)
        found = {}
        for key, measured in self.maps.items():
            method = measured.compared.method
            own = [f"{method}_difference"] if method in GENERATORS else bases
            for against in dict.fromkeys((*own, main)):
                if against != key:
                    found[key, against] = {
                        metric: measured.estimates[metric] - estimate
                        for metric, estimate in self.maps[against].estimates.items()
                        if metric not in ("crossed", "kept") and metric in measured.estimates
                    }
        return found


def summarise(
    measured: Mapping[str, MeasuredMethod],
    random: RandomOrders,
    evaluated: EvaluatedImages,
    options: EvaluationOptions,
    repeats: int = 1000,
    references: Mapping[str, np.ndarray] | None = None,
) -> Summary:
    """Averages over images, and resamples the patients.

    R and AOPC are those of mean curves: in every resampling the curves are averaged anew.

    Args:
        measured: Measurements by method.
        random: Measurements of random orders.
        evaluated: Test images that were measured.
        options: Options that they were measured with.
        repeats: Number of resamplings of the patients.
        references: Maps of the localised images that no method made, float [M, H, W], by name.
    """
    patients = np.asarray(evaluated.images.patients)
    groups = {
        "localised": patients[evaluated.localised],
        "relevance": patients[evaluated.relevance],
        "subset": patients[evaluated.relevance][evaluated.subset],
    }
    draws = {name: Resampling(group.tolist(), repeats) for name, group in groups.items() if len(group)}
    by_class = _ByClass(draws["relevance"], evaluated.decisions[evaluated.relevance])
    by_chance: dict[str, Estimate] = {}
    for ending in options.perturbations:
        own = random.second if ending else vars(random)
        by_chance |= {
            f"relevance{ending}": by_class.relevance(own["pixels"], own["pixels"]),
            f"aopc{ending}": by_class.aopc(own["regions"]),
            f"flipped{ending}": draws["relevance"].mean(own["flipped"]),
        }
    compared = compared_maps({method: list(own.maps) for method, own in measured.items()})
    findings = _findings(evaluated)
    maps = {
        one.key: _measured_map(one, measured[one.method], draws, by_class, by_chance, findings)
        for one in compared
    }
    by_reference = _references(references or {}, evaluated, options, draws) if "localised" in draws else {}
    counts = {"images": len(patients), "patients": len(set(patients.tolist()))}
    for name, group in groups.items():
        counts |= {name: len(group), f"{name}_patients": len(set(group.tolist()))}
    _, height, width, _ = evaluated.images.images.shape
    counts |= {
        "without_mask": evaluated.without_mask,
        "relevance_class_1": int(evaluated.decisions[evaluated.relevance].sum()),
        "relevance_labelled_1": int((np.asarray(evaluated.images.labels)[evaluated.relevance] == 1).sum()),
        "squares": Regions.of(height, width, options.squares(height, width)).units,
        "square_side": options.squares(height, width),
    }
    return Summary(maps, by_chance, options, counts, by_reference)


def _findings(evaluated: EvaluatedImages) -> dict[str, np.ndarray]:
    """Returns which of the localised images belong to each of ``FINDINGS``, bool [M]."""
    rows = evaluated.localised
    area = np.asarray(evaluated.images.masks[rows], bool).sum(axis=(1, 2))
    small = area < np.median(area) if len(area) else area > 0
    found = evaluated.decisions[rows]
    return {"found": found, "missed": ~found, "small": small, "large": ~small}


def _references(
    maps: Mapping[str, np.ndarray],
    evaluated: EvaluatedImages,
    options: EvaluationOptions,
    draws: Mapping[str, Resampling],
) -> dict[str, dict[str, Estimate]]:
    masks = np.asarray(evaluated.images.masks[evaluated.localised], bool)

    def localisation(*of: Callable[[float], np.ndarray]) -> np.ndarray:
        return np.stack([np.stack([metric(p) for p in options.percentiles], axis=1) for metric in of])

    # A mask has ties by its nature: the rule that breaks them stands for both.
    measured = {
        name: localisation(
            partial(metrics.iou, values, masks, exact=True),
            partial(metrics.false_negative_rate, values, masks, exact=True),
        )
        for name, values in maps.items()
    }
    measured[RANDOM_ORDER] = localisation(
        partial(metrics.random_iou, masks), lambda _: metrics.random_false_negative_rate(masks)
    )
    return {
        name: {
            metric: draws["localised"].mean(np.stack([own] * 2, axis=2))
            for metric, own in zip(("iou", "fnr"), both, strict=True)
        }
        for name, both in measured.items()
    }


class _ByClass:
    """Numbers of mean curves, of all images and of those predicted 0 and 1."""

    def __init__(self, resampling: Resampling, decisions: np.ndarray):
        self.resampling = resampling
        self.images = (None, ~decisions, decisions)

    def relevance(self, most: np.ndarray, least: np.ndarray) -> Estimate:
        both = np.concatenate([most, least], axis=1)

        def of_means(curves: np.ndarray) -> float:
            return metrics.relevance_from_curves(*np.split(curves[np.newaxis], 2, axis=1))

        return _stacked([self.resampling.mean(both, rows).through(of_means) for rows in self.images])

    def aopc(self, curves: np.ndarray) -> Estimate:
        def of_means(mean: np.ndarray) -> np.ndarray:
            return metrics.aopc_per_step(mean[np.newaxis])

        return _stacked([self.resampling.mean(curves, rows).through(of_means) for rows in self.images])


def _measured_map(
    compared: ComparedMap,
    measured: MeasuredMethod,
    draws: Mapping[str, Resampling],
    by_class: _ByClass,
    by_chance: Mapping[str, Estimate],
    findings: Mapping[str, np.ndarray],
) -> MeasuredMap:
    own = measured.maps[compared.map_name]
    estimates: dict[str, Estimate] = {}
    if "localised" in draws:
        for name in ("iou", "fnr", "share", "curve", "pointing", "average_precision"):
            estimates[name] = draws["localised"].mean(own[name])
        for name, rows in findings.items():
            estimates[f"iou_{name}"] = draws["localised"].mean(own["iou"], rows)
    for ending in ("", SECOND):
        if f"aopc{ending}" in by_chance:
            relevance = by_class.relevance(own[f"most{ending}"], own[f"least{ending}"])
            estimates[f"relevance{ending}"] = relevance
            estimates[f"aopc{ending}"] = by_class.aopc(own[f"regions{ending}"]) - by_chance[f"aopc{ending}"]
    for name in _OF_SUBSET:
        if name in own:
            estimates[name] = draws["subset"].mean(own[name])
    estimates["short_cuts"] = draws["relevance"].mean(own["short_cuts"])
    for name, rate in measured.rates.items():
        estimates[name] = draws["relevance"].mean(rate)
    survives = _survives(own, measured.maps.get(_WEIGHTS.get(compared.map_name, ""), {}), draws)
    return MeasuredMap(compared, estimates, survives, measured.seconds)


def _survives(own: Arrays, weighted: Arrays, draws: Mapping[str, Resampling]) -> bool | None:
    """Judges by the gradient's weight where a map has one, else by the map."""
    if "randomised" not in own:
        return None
    randomised, floor = own["randomised"], own["other_image"]
    if "other_weight" in weighted:
        randomised, floor = weighted["cascade_weight"][:, -1], weighted["other_weight"]
    low, _ = (draws["subset"].mean(randomised) - draws["subset"].mean(floor)).interval()
    return None if np.isnan(low) else metrics.survives(randomised) and bool(low > 0)


def _stacked(estimates: list[Estimate]) -> Estimate:
    return Estimate(
        np.stack([estimate.value for estimate in estimates]),
        np.stack([estimate.resampled for estimate in estimates], axis=1),
    )
