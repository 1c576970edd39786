"""From the figures of every image to those of every column, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfadvpath import metrics
from tfadvpath.evaluation.columns import GENERATORS, Column, columns_of, main_column
from tfadvpath.evaluation.held_out import HeldOut
from tfadvpath.evaluation.measure import Arrays
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.resampling import Estimate, Resampling
from tfadvpath.metrics.replacement import Grid

# Images by the classifier's decision.
CLASSES = ("all", "class_0", "class_1")
# Steps of a hundredth of the image: AOPC is given after so many, and after all.
SHORT = 16
# What every map is measured by.
_OF_A_MAP = ".most"


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """The figures of one column.

    Attributes:
        column: Which.
        estimates: By name: "iou", "fnr" [P, 2], "share" [P], "curve" [Q], "pointing", "average_precision";
            "relevance" [3] and "aopc" [3, region_steps + 1] by ``CLASSES``, AOPC relative to random orders
            after 0, 1, … steps; "sensitivity" [2], "randomised", "other_image", "same_pixels" where a subset
            was drawn; "crossed", "kept" where there is a path.
        survives: The map outlives the randomisation of its classifier: ``metrics.survives``, and it is nearer
            to the map of the randomised classifier than to that of another image, by the paired interval.
            Maps of one background correlate without that. None where it was not tried, all maps are
            constant, or there is one patient.
        seconds: To explain one image.
    """

    column: Column
    estimates: Mapping[str, Estimate]
    survives: bool | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Summary:
    """The figures of a measurement.

    Attributes:
        columns: By key, in the order of the table.
        random: What random orders reach: "relevance" [3], "aopc" [3, region_steps + 1], not relative to
            anything; "flipped", how many decisions the perturbation turns.
        options: By which it was measured.
        counts: "images", "patients", "localised", "localised_patients", "without_mask", "relevance",
            "relevance_patients", "relevance_class_1" (by the classifier's decision), "subset"; and "squares"
            of an image.
    """

    columns: Mapping[str, ColumnSummary]
    random: Mapping[str, Estimate]
    options: EvaluationOptions
    counts: Mapping[str, int]

    def differences(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Returns how far columns are above others, paired over patients, by both keys and figure.

        A generator's weighted maps are compared with its ``difference``, all other columns with the
        ``difference`` of every generator; and every column with the main one, which stands for all.
        """
        bases = [key for key in (f"{method}_difference" for method in GENERATORS) if key in self.columns]
        main = main_column(self.columns)
        found = {}
        for key, column in self.columns.items():
            method = column.column.method
            own = [f"{method}_difference"] if method in GENERATORS else bases
            for against in dict.fromkeys((*own, main)):
                if against != key:
                    found[key, against] = {
                        figure: column.estimates[figure] - estimate
                        for figure, estimate in self.columns[against].estimates.items()
                        if figure not in ("crossed", "kept")
                    }
        return found


def summarise(
    measured: Mapping[str, Arrays],
    random: Arrays,
    held_out: HeldOut,
    options: EvaluationOptions,
    repeats: int = 1000,
) -> Summary:
    """Averages over images, and resamples the patients.

    R and AOPC are those of mean curves: in every resampling the curves are averaged anew.

    Args:
        measured: By method, of ``measure``.
        random: Of ``measure_random``.
        held_out: The test images that were measured.
        options: By which.
        repeats: Resamplings of the patients.
    """
    patients = np.asarray(held_out.images.patients)
    groups = {
        "localised": patients[held_out.localised],
        "relevance": patients[held_out.relevance],
        "subset": patients[held_out.relevance][held_out.subset],
    }
    draws = {name: Resampling(group.tolist(), repeats) for name, group in groups.items() if len(group)}
    by_class = _ByClass(draws["relevance"], held_out.decisions[held_out.relevance])
    by_chance = {
        "relevance": by_class.relevance(random["pixels"], random["pixels"]),
        "aopc": by_class.aopc(random["regions"]),
        "flipped": draws["relevance"].mean(random["flipped"]),
    }
    columns = {
        column.key: _column(column, measured[column.method], draws, by_class, by_chance["aopc"])
        for column in columns_of({method: _map_names(arrays) for method, arrays in measured.items()})
    }
    counts = {"images": len(patients), "patients": len(set(patients.tolist()))}
    for name, group in groups.items():
        counts |= {name: len(group), f"{name}_patients": len(set(group.tolist()))}
    _, height, width, _ = held_out.images.images.shape
    counts |= {
        "without_mask": held_out.without_mask,
        "relevance_class_1": int(held_out.decisions[held_out.relevance].sum()),
        "squares": Grid.of(height, width, options.region).units,
    }
    return Summary(columns, by_chance, options, counts)


class _ByClass:
    """Figures of mean curves, of all images and of those predicted 0 and 1."""

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


def _map_names(arrays: Arrays) -> list[str]:
    """Returns the maps that were measured, in the order in which they were."""
    return [name.removesuffix(_OF_A_MAP) for name in arrays if name.endswith(_OF_A_MAP)]


def _column(
    column: Column,
    arrays: Arrays,
    draws: Mapping[str, Resampling],
    by_class: _ByClass,
    aopc_by_chance: Estimate,
) -> ColumnSummary:
    own = {
        name.removeprefix(f"{column.map_name}."): values
        for name, values in arrays.items()
        if name.startswith(f"{column.map_name}.")
    }
    estimates: dict[str, Estimate] = {}
    if "localised" in draws:
        for name in ("iou", "fnr", "share", "curve", "pointing", "average_precision"):
            estimates[name] = draws["localised"].mean(own[name])
    estimates["relevance"] = by_class.relevance(own["most"], own["least"])
    estimates["aopc"] = by_class.aopc(own["regions"]) - aopc_by_chance
    for name in ("sensitivity", "randomised", "other_image", "same_pixels"):
        if name in own:
            estimates[name] = draws["subset"].mean(own[name])
    for name in ("crossed", "kept"):
        if name in arrays:
            estimates[name] = draws["relevance"].mean(arrays[name])
    survives = None
    if "randomised" in own:
        low, _ = (estimates["randomised"] - estimates["other_image"]).interval()
        if not np.isnan(low):
            survives = metrics.survives(own["randomised"]) and bool(low > 0)
    return ColumnSummary(column, estimates, survives, float(arrays["seconds"]))


def _stacked(estimates: list[Estimate]) -> Estimate:
    return Estimate(
        np.stack([estimate.value for estimate in estimates]),
        np.stack([estimate.resampled for estimate in estimates], axis=1),
    )
