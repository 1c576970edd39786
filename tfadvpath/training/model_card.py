"""The model card of a bundle: what it is, what it is for, how it was made, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from tfadvpath.training.data_options import PhantomBrain, PhantomChest
from tfadvpath.training.recipe import STAGES, Recipe, dump_recipe

_STAGES = {
    "classifier": "Classifier",
    "cyce": "CyCE",
    "syce": "SyCE",
    "sagen": "SAGen",
    "mask_generator": "Mask generator",
    "fixed_point_gan": "Fixed-point GAN",
}
_PARTS = ("validation", "test")
# The card shows how to explain with the first of these that was trained.
_EXPLAINERS = ("syce", "cyce", "sagen")
# Title and digits of a figure, by its name in figures.json.
_FIGURES = {
    "auc": ("Area under the ROC curve", 3),
    "sensitivity": ("Sensitivity at 0.5", 3),
    "specificity": ("Specificity at 0.5", 3),
    "brier": ("Brier score", 4),
    "expected_calibration_error": ("Expected calibration error, 10 bins", 4),
    "flip_rate": ("Changed images on the other side of the decision", 3),
    "keep_rate": ("Stable images on the image's side of the decision", 3),
    "adversary_distance": ("Mean distance of a pixel, image to adversary", 4),
    "stable_distance": ("Mean distance of a pixel, image to stable image", 4),
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
) -> str:
    """Returns a bundle's model card in Markdown.

    Args:
        recipe: What the networks were trained by.
        figures: By part ("validation", "test") and stage, as ``tfadvpath.training.figures`` gives them.
        histories: By stage, the figures of every epoch, with their "seconds".
        about: "versions" (of libraries, by name), "git_revision" (or None), "data" (the fingerprint),
            "generator_data" (likewise, where the recipe has it), "parameters" (a stage's number of weights,
            by name) and, if known, "train": ``part_counts`` of the training images.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfadvpath.training"),
        autoescape=False,  # Markdown, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["grouped"] = lambda number: f"{number:,}".replace(",", " ")
    stages = [name for name in STAGES if name in histories]
    test = figures.get("test", {})
    parts = {"train": about["train"]} if about.get("train") else {}
    parts |= {part: figures[part]["classifier"] for part in _PARTS if "classifier" in figures.get(part, {})}
    return environment.get_template("model_card.md").render(
        recipe=recipe,
        recipe_text=dump_recipe(recipe),
        generated=isinstance(recipe.data, PhantomBrain | PhantomChest),
        stages=[(name, _STAGES[name]) for name in stages],
        others=", ".join(_STAGES[name] for name in stages if name != "classifier"),
        parts=parts,
        tables={_STAGES[name]: _table(name, figures) for name in stages if name in test},
        compared=any("frechet_distance" in test.get(name, {}) for name in stages),
        bins=_bins(test.get("classifier", {})),
        times={name: _duration(sum(epoch["seconds"] for epoch in histories[name])) for name in stages},
        epochs={name: len(histories[name]) for name in stages},
        method=next((name for name in _EXPLAINERS if name in stages), None),
        about=about,
    )


def _table(stage: str, figures: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Returns rows of a title and a text for each part; figures that the stage does not have are left out."""
    of_parts = [figures.get(part, {}).get(stage, {}) for part in _PARTS]
    rows = [
        [title, *(_with_interval(values, name, digits) for values in of_parts)]
        for name, (title, digits) in _FIGURES.items()
        if any(values.get(name) is not None for values in of_parts)
    ]
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


def _frechet(values: Mapping[str, Any], direction: str) -> str:
    distance, floor = (values.get(name, {}).get(direction) for name in ("frechet_distance", "frechet_floor"))
    return "–" if distance is None else f"{distance:.3g} ({'–' if floor is None else f'{floor:.3g}'})"


def _bins(figures: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Returns mean probability, share of class 1 and number of images of each bin that has some."""
    bins = figures.get("reliability", {})
    return (
        [
            (_text(score, 2), _text(share, 2), count)
            for score, share, count in zip(
                *(bins[k] for k in ("mean_score", "positive_share", "images")), strict=True
            )
            if count
        ]
        if bins
        else []
    )


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "< 1 min"
    )
