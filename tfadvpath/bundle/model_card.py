"""The model card of a bundle: its purpose, data, training, figures and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.generators.registry import GENERATORS, path_generators
from tfadvpath.recipes.recipe import Recipe, dump_recipe
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.writers.templating import render

_TITLES = {CLASSIFIER: "Classifier", **{name: row.title for name, row in GENERATORS.items()}}
_PARTS = ("validation", "test")
# The card shows how to explain with SyCE where it was trained, else with another path across the decision.
_PATHS = ("syce", *(name for name in path_generators() if name != "syce"))
# Title and digits of a number, by its name in figures.json.
_NUMBERS = {
    "auc": ("Area under the ROC curve", 3),
    "sensitivity": ("Sensitivity at 0.5", 3),
    "specificity": ("Specificity at 0.5", 3),
    "brier": ("Brier score", 4),
    "expected_calibration_error": ("Expected calibration error, 10 bins", 4),
    "flip_rate": ("Changed images on the other side of the decision", 3),
    "keep_rate": ("Stable images on the image's side of the decision", 3),
    "undoing": ("Cosine of image - adversary and stable image - adversary", 3),
    "adversary_distance": ("Mean distance of a pixel, image to adversary", 4),
    "stable_distance": ("Mean distance of a pixel, image to stable image", 4),
    "adversary_similarity": ("Structural similarity, image to adversary", 3),
    "stable_similarity": ("Structural similarity, image to stable image", 3),
    "adversary_sharpness": ("High-frequency energy, median of adversary / image", 2),
    "stable_sharpness": ("High-frequency energy, median of stable image / image", 2),
    "adversary_similarity_outside": ("Structural similarity, image to adversary, outside the findings", 3),
    "transfer_rate": ("Adversaries that cross a second classifier's decision, too", 3),
    "chequer_ratio": ("Power of a chequer in the change, relative to that beside it", 2),
    "completeness_residual": ("Change of the decision that the gradients miss, of it", 3),
    "perturbation_distance": ("Mean distance of a pixel, image to changed image", 4),
    "mask_area": ("Mean area of the mask", 3),
    "preserve_rate": ("Decision kept with all but the mask blurred", 3),
    "destroy_rate": ("Decision lost with the mask blurred", 3),
}
_DIRECTIONS = {"zero_to_one": "0 to 1", "one_to_zero": "1 to 0", "mean": "mean of both"}


def model_card(
    recipe: Recipe,
    figures: Mapping[str, Mapping[str, Any]],
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    about: Mapping[str, Any],
    folder: Path | None = None,
) -> str:
    """Returns a bundle's model card in Markdown.

    Args:
        recipe: Recipe that the networks were trained by.
        figures: Measurements by part ("validation", "test") and stage, as ``tfadvpath.bundle.figures`` gives
            them.
        histories: Numbers that every epoch logged, by stage, with their "seconds".
        about: Facts by name: "versions" (of libraries, by name), "git_revision" (or None), "data" (the
            fingerprint), "generator_data" (its fingerprint, where the recipe has it), "parameters" (a stage's
            number of weights, by name) and, if known, "train": ``part_counts`` of the training images; and
            "control", a sentence, where the classifier was made as one that must know nothing.
        folder: Folder that gets the card, to which paths in the recipe are relative; None leaves them.
    """
    stages = [name for name in _TITLES if name in histories]
    test = figures.get("test", {})
    parts = {"train": about["train"]} if about.get("train") else {}
    parts |= {part: figures[part][CLASSIFIER] for part in _PARTS if CLASSIFIER in figures.get(part, {})}
    return render(
        "tfadvpath.bundle",
        "model_card.md",
        {"grouped": lambda number: f"{number:,}".replace(",", " ")},
        recipe=recipe,
        recipe_text=dump_recipe(recipe, folder),
        generated=recipe.data.GENERATED,
        stages=[(name, _TITLES[name]) for name in stages],
        others=", ".join(_TITLES[name] for name in stages if name != CLASSIFIER),
        parts=parts,
        tables={_TITLES[name]: _table(name, figures) for name in stages if name in test},
        verdicts={_TITLES[name]: pair_verdict(test[name]) for name in path_generators() if name in test},
        compared=any("frechet_distance" in test.get(name, {}) for name in stages),
        bins=_bins(test.get(CLASSIFIER, {})),
        times={name: _duration(sum(epoch["seconds"] for epoch in histories[name])) for name in stages},
        epochs={name: len(histories[name]) for name in stages},
        method=next((name for name in _PATHS if name in stages), None),
        about=about,
    )


def _table(stage: str, figures: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Returns rows of a title and a text for each part; figures that the stage does not have are left out."""
    of_parts = [figures.get(part, {}).get(stage, {}) for part in _PARTS]
    rows = [
        [title, *(_with_interval(values, name, digits) for values in of_parts)]
        for name, (title, digits) in _NUMBERS.items()
        if any(values.get(name) is not None for values in of_parts)
    ]
    for title, direction in (("0", "zero_to_one"), ("1", "one_to_zero")):
        if any("flip_rate_by_class" in values for values in of_parts):
            texts = (
                _with_interval(_of_direction(values, direction), "flip_rate_by_class", 3)
                for values in of_parts
            )
            rows.append([f"Changed images on the other side, of those predicted {title}", *texts])
    if any("frechet_distance" in values for values in of_parts):
        rows += [
            [f"Fréchet distance to real images, {title} (floor)", *(_frechet(v, key) for v in of_parts)]
            for key, title in _DIRECTIONS.items()
        ]
    return rows


def _with_interval(values: Mapping[str, Any], name: str, digits: int) -> str:
    low, high = values.get(f"{name}_interval") or (None, None)
    interval = "" if low is None else f" [{_text(low, digits)}, {_text(high, digits)}]"
    return _text(values.get(name), digits) + interval


def _of_direction(values: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Returns the figures that are given by direction, for one of them."""
    return {name: value.get(direction) for name, value in values.items() if isinstance(value, Mapping)}


def _frechet(values: Mapping[str, Any], direction: str) -> str:
    distance, floor = (values.get(name, {}).get(direction) for name in ("frechet_distance", "frechet_floor"))
    if "frechet_images" not in values:  # of an earlier version, whose floor is of sets of another size
        floor = None
    return "–" if distance is None else f"{distance:.3g} ({'–' if floor is None else f'{floor:.3g}'})"


def _bins(figures: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Returns mean probability, share of class 1 and number of images of each bin that has some."""
    bins = figures.get("reliability")
    if not bins:
        return []
    columns = (bins[name] for name in ("mean_score", "positive_share", "images"))
    rows = zip(*columns, strict=True)
    return [(_text(score, 2), _text(share, 2), count) for score, share, count in rows if count]


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return "< 1 min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
