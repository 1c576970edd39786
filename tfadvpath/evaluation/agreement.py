"""Agreement of the maps that bundles, trained apart, make of the same images.

Bundles of other seeds tell whether maps are repeatable, one with another classifier whether they are
reproducible, and one whose classifier was trained on shuffled labels whether they show what was learned.

Source: Arun et al. 2021, "Assessing the trustworthiness of saliency maps for localizing abnormalities in
medical imaging".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath import explainers, metrics
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.errors import InputError
from tfadvpath.evaluation.compared_maps import COSTLY, ComparedMap, compared_maps, in_order
from tfadvpath.evaluation.estimates import Estimate, Resampling
from tfadvpath.evaluation.images import balanced
from tfadvpath.evaluation.measure import of_another_patient
from tfadvpath.evaluation.same_images import check_own_images, may_know_test_images
from tfadvpath.files import finite, make_folder, write_json, write_text
from tfadvpath.writers.tables import Cell, Heading, Number, Table, comma_separated, latex, markdown

_FORMATS = {".md": markdown, ".tex": latex, ".csv": comma_separated}
REPORT_FILE = "agreement.json"


@dataclass(frozen=True, eq=False)
class MapAgreement:
    """Agreement of one map of two bundles, over the images that both classifiers decide alike.

    Attributes:
        compared: Map that is compared.
        first: Place of the first bundle.
        second: Place of the second bundle.
        images: Number of images N.
        numbers: Means with intervals over patients. "rank_correlation" is that of both maps of an image, and
            "same_pixels" the IoU of the pixels that both select. Both have a floor, with the ending
            "_other_image": the first bundle's map against the second's of another patient's image.
    """

    compared: ComparedMap
    first: int
    second: int
    images: int
    numbers: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of the maps of two bundles or more.

    Attributes:
        bundles: Names of the bundles, in the order given: those of their recipes, with the seed, whether
            their classifiers were trained on shuffled labels, and the beginning of their digests.
        maps: Agreement of every map of every two bundles.
        images: Number of test images of the first bundle that were explained.
        patients: Number of their patients.
        percentile: Percentile above which pixels are selected.
    """

    bundles: Sequence[str]
    maps: Sequence[MapAgreement]
    images: int
    patients: int
    percentile: float


def measure_agreement(
    bundles: Sequence[Bundle | Path | str],
    out: Path | str,
    *,
    methods: Sequence[str] | None = None,
    images: int = 200,
    percentile: float | None = None,
    batch_size: int = 16,
    seed: int = 0,
    command: str | None = None,
    listener: Callable[[str], None] = lambda line: None,
) -> Agreement:
    """Measures how far the maps of bundles agree on the test images of the first one.

    Images that two classifiers decide differently are left out for these two: a map of a generator explains
    the way to the other decision.

    Args:
        bundles: Two bundles or more, or their folders, of the same data; they may be of different seeds.
        out: Folder that gets agreement.json, and the table as Markdown, LaTeX and CSV.
        methods: Names of explainers; None is all that every bundle has networks for, but for mask
            perturbation, which takes hundreds of passes for an image.
        images: Largest number of images, as many of each class; 2 or more.
        percentile: Percentile above which pixels are selected; None is the first of the data's.
        batch_size: Number of images explained at once.
        seed: Seed of the choice of images, and of methods that draw, not negative.
        command: Command that the report names; None names this function.
        listener: Function that is told what is done, a sentence each.

    Raises:
        InputError: There are fewer than two bundles; they are of other data or other image sizes; the first
            one's images are missing, or others than it was trained on; a method is unknown or one of the
            bundles has no network for it.
    """
    if len(bundles) < 2:
        raise InputError("`bundles`", "one bundle agrees with itself", "Name two or more")
    loaded = [one if isinstance(one, Bundle) else load_bundle(one) for one in bundles]
    _check_data(loaded)
    chosen = _methods(loaded, methods)
    out = Path(out)
    make_folder(out)
    first = loaded[0]
    part = first.recipe.data.load("test", first.recipe.seed)
    labels = np.asarray(part.labels)
    rows = balanced(labels == 1, images, seed)
    if not len(rows):
        raise InputError(first.recipe.name, "has test images of one class alone", "Name other bundles")
    x, patients = np.asarray(part.images[rows]), np.asarray(part.patients)[rows]
    decisions = [scores_of(bundle.classifier, x) >= 0.5 for bundle in loaded]
    chosen_percentile = percentile or float(first.recipe.data.percentiles[0])
    found: list[MapAgreement] = []
    for method in chosen:
        maps = [_maps(bundle, method, x, batch_size, seed) for bundle in loaded]
        for i, j in itertools.combinations(range(len(loaded)), 2):
            alike = np.flatnonzero(decisions[i] == decisions[j])
            for compared in compared_maps({method: list(maps[i])}):
                own, other = (maps[k][compared.map_name][alike] for k in (i, j))
                numbers = _agreement(own, other, patients[alike], chosen_percentile) if len(alike) else {}
                found.append(MapAgreement(compared, i, j, len(alike), numbers))
        listener(f"{method}: measured")
    names = [_name(bundle) for bundle in loaded]
    agreement = Agreement(names, found, len(rows), len(set(patients.tolist())), chosen_percentile)
    _write(out, agreement, command or "tfadvpath.measure_agreement(…)")
    return agreement


def _check_data(bundles: Sequence[Bundle]) -> None:
    first = bundles[0]
    check_own_images(first)
    for bundle in bundles[1:]:
        if bundle.classifier.input_shape != first.classifier.input_shape:
            raise InputError(
                bundle.recipe.name,
                f"takes images of shape {tuple(bundle.classifier.input_shape[1:])}, and the first bundle "
                f"{tuple(first.classifier.input_shape[1:])}",
                "Name bundles of the same images",
            )
        if may_know_test_images(first, bundle.recipe, bundle.manifest):
            raise InputError(
                bundle.recipe.name,
                "was trained on other images than the first bundle, perhaps on its test patients",
                "Name bundles of the same data",
            )


def _name(bundle: Bundle) -> str:
    """Returns a name that tells bundles of one recipe apart."""
    recipe = bundle.recipe
    control = ", shuffled labels" if recipe.classifier.shuffle_labels else ""
    return f"{recipe.name}, seed {recipe.seed}{control}, {bundle.digest[:8]}"


def _methods(bundles: Sequence[Bundle], names: Sequence[str] | None) -> list[str]:
    available = [
        method
        for method in in_order(explainers.names())
        if all(method in explainers.names(bundle) for bundle in bundles)
    ]
    if names is None:
        return [method for method in available if method not in COSTLY]
    for name in names:
        if name not in available:
            raise InputError(
                "`methods`",
                f"{name!r} is not known, or a bundle has no network for it",
                f"Choose from {', '.join(available)}",
            )
    return [method for method in available if method in names]


def _maps(bundle: Bundle, method: str, x: np.ndarray, batch_size: int, seed: int) -> dict[str, np.ndarray]:
    """Returns a method's maps of images, summed over channels, float32 [N, H, W], by name."""
    keras.utils.set_random_seed(seed)
    given = {"batch_size": batch_size}
    if "seed" in explainers.options(method):
        given["seed"] = seed
    maps = explainers.get(method, bundle, **given).explain(x).maps
    return {name: values.sum(axis=3) for name, values in maps.items()}


def _agreement(
    own: np.ndarray, other: np.ndarray, patients: np.ndarray, percentile: float
) -> dict[str, Estimate]:
    resampling = Resampling(patients.tolist())
    partner = of_another_patient(patients)
    numbers = {}
    for ending, others in (("", other), ("_other_image", other[partner])):
        selected = metrics.most_important(others, percentile, exact=True)
        alone = (partner < 0) & bool(ending)
        for name, values in (
            ("rank_correlation", metrics.rank_correlation(own, others)),
            ("same_pixels", metrics.iou(own, selected, percentile, exact=True)),
        ):
            numbers[f"{name}{ending}"] = resampling.mean(np.where(alone, np.nan, values))
    return numbers


def agreement_table(agreement: Agreement) -> Table:
    """Returns the agreement of every map of every two bundles, a row each.

    Args:
        agreement: Agreement that was measured.
    """
    titles = {
        "rank_correlation": "rank correlation",
        "rank_correlation_other_image": "with another image",
        "same_pixels": "same pixels",
        "same_pixels_other_image": "of another image",
    }
    headings = [Heading("map"), Heading("bundles"), Heading("images", 0)]
    headings += [Heading(title) for title in titles.values()]
    rows: list[list[Cell]] = []
    for one in agreement.maps:
        row: list[Cell] = [one.compared.title, f"{one.first + 1}, {one.second + 1}", Number(one.images)]
        for name in titles:
            estimate = one.numbers.get(name)
            if estimate is None:
                row.append(Number(float("nan")))
                continue
            low, high = estimate.interval()
            row.append(Number(float(estimate.value), float(low), float(high)))
        rows.append(row)
    listed = "; ".join(f"{place}: {name}" for place, name in enumerate(agreement.bundles, start=1))
    notes = [
        f"Bundles: {listed}. {agreement.images} test images of the first one, of {agreement.patients} "
        "patients; images that two classifiers decide differently are left out. Rank correlation: "
        "Spearman's, of the maps that two bundles make of an image. Same pixels: IoU of the "
        f"{100 - agreement.percentile:g} % that both select. The columns behind each compare the first "
        "bundle's map with the second's of another patient's image: maps that agree no better than that "
        "agree about images in general. Brackets: intervals of 95 % by bootstrap over patients."
    ]
    return Table("agreement", "Agreement of maps between bundles", headings, rows, notes)


def as_markdown(agreement: Agreement) -> str:
    """Returns the table of ``agreement_table`` as Markdown.

    Args:
        agreement: Agreement that was measured.
    """
    return markdown(agreement_table(agreement))


def _write(out: Path, agreement: Agreement, command: str) -> None:
    table = agreement_table(agreement)
    for ending, text in _FORMATS.items():
        write_text(out / f"{table.name}{ending}", text(table))
    write_json(out / REPORT_FILE, {**_as_json(agreement), "command": command})


def _as_json(agreement: Agreement) -> dict[str, Any]:
    maps = []
    for one in agreement.maps:
        numbers = {}
        for name, estimate in one.numbers.items():
            low, high = estimate.interval()
            ends = {"value": estimate.value, "low": low, "high": high}
            numbers[name] = {end: finite(float(value)) for end, value in ends.items()}
        maps.append(
            {
                "map": one.compared.key,
                "bundles": [one.first, one.second],
                "images": one.images,
                "numbers": numbers,
            }
        )
    return {
        "bundles": list(agreement.bundles),
        "images": agreement.images,
        "patients": agreement.patients,
        "percentile": agreement.percentile,
        "maps": maps,
    }
