"""Advice on a generator whose pairs are not good enough: what is measured of them beside, and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.files import finite
from tfadvpath.generators.base import PairGenerator
from tfadvpath.metrics.chequer import SMALLEST_SIDE, chequer_ratio

_BATCH = 32
_ENOUGH_FLIPS, _ENOUGH_KEPT = 0.85, 0.9  # the limits of the pair's verdict
_SHARP, _NEAR, _FAITHFUL, _CHEQUERED = 0.9, 0.9, 0.97, 3.0
_ALIKE = 0.9
_UNDONE = 0.5
_FIRST_STEPS = 100  # of a stage, in which a generator has found nothing yet but one change for all
_FEW_IMAGES = 100  # of a decision, in training
ENOUGH_STEPS = 1500  # of a stage, after which more time alone hardly helps
_LEAVES = 0.1
_NAMES = {"zero_to_one": 0, "one_to_zero": 1}


@dataclass(frozen=True)
class Training:
    """What was spent on a training.

    Attributes:
        folder: Folder of the bundle, as a person writes it.
        enough: Minutes in which each stage would have 1500 steps on this machine.
        steps: Number of training steps by stage.
        images: Numbers of the training images predicted 0 and 1.
        weights: Weights of the loss's terms by stage, as they were before they were raised.
    """

    folder: str
    enough: float
    steps: Mapping[str, int]
    images: Sequence[int]
    weights: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)


def pair_facts(
    generator: PairGenerator,
    images: np.ndarray,
    concerns: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, float | None]:
    """Returns what is measured of pairs beside ``pair_figures``.

    Args:
        generator: Trained generator.
        images: Images, float32 [N, H, W, C] in [0, 1], or a memory map of them.
        concerns: Function of images that tells whether the classifier puts them in one of the two classes,
            bool [N]; None where it has no others.

    Returns:
        "chequer_ratio": the median of ``chequer_ratio`` of x_a - x. "alike": the mean cosine between a change
        x_a - x and the mean change of the images of its decision, the larger one of both decisions: 1 where
        one change is made in all images. "leaves_classes": the share of adversaries that are put in a third
        class; None where there is none.
    """
    changes, one, left = [], [], []
    for i in range(0, len(images), _BATCH):
        batch = np.asarray(images[i : i + _BATCH])
        pair = generator.generate(tf.constant(batch))
        adversary = pair.adversary.numpy()
        changes.append(adversary - batch)
        one.append(pair.probability.numpy() >= 0.5)
        if concerns is not None:
            left.append(~concerns(adversary))
    change, decision = np.concatenate(changes), np.concatenate(one)
    flat = change.reshape(len(change), -1).astype(np.float64)
    alike = [_alike(flat[decision == k]) for k in (False, True) if np.sum(decision == k) > 2]
    ratio = None
    if min(change.shape[1:3]) >= SMALLEST_SIDE:
        ratios = chequer_ratio(change)
        known = ratios[~np.isnan(ratios)]
        ratio = finite(float(np.median(known))) if len(known) else None
    return {
        "chequer_ratio": ratio,
        "alike": max(alike) if alike else None,
        "leaves_classes": float(np.mean(np.concatenate(left))) if left else None,
    }


def _alike(changes: np.ndarray) -> float:
    """Returns the mean cosine between each change, float64 [N, D], and the mean of the others."""
    total = changes.sum(axis=0)
    others = total - changes
    lengths = np.linalg.norm(changes, axis=1) * np.linalg.norm(others, axis=1)
    cosines = np.einsum("nd,nd->n", changes, others) / np.maximum(lengths, 1e-12)
    return float(cosines.mean())


def advice(figures: Mapping[str, Any], training: Training) -> tuple[str, ...]:
    """Returns what to do about pairs that are not good enough, in sentences; nothing where they are.

    Args:
        figures: Figures of the pairs, as ``bundle.figures["test"]["syce"]`` holds them, with ``pair_facts``.
        training: Training that they come from.
    """
    longer = _longer(training)
    stages = list(training.steps) or ["cyce"]
    first, last = stages[0], stages[-1]
    found: list[str] = []
    keys: list[str] = []  # of the recipe, that are named

    def value(name: str, otherwise: float) -> float:
        number = figures.get(name)
        return otherwise if number is None else float(number)

    def weight(stage: str, term: str) -> str:
        now = training.weights.get(stage, {}).get(term)
        return named(f"{stage}.loss_weights.{term}") + ("" if now is None else f" (now {now:g})")

    def named(key: str) -> str:
        keys.append(key)
        return key

    def residuals() -> str:
        return " and ".join(named(f"{stage}.residual") for stage in stages)

    flips = value("flip_rate", 1.0)
    by_class = figures.get("flip_rate_by_class") or {}
    behind = [
        k for name, k in _NAMES.items() if (by_class.get(name) is not None and by_class[name] < _ENOUGH_FLIPS)
    ]
    if flips < _ENOUGH_FLIPS or behind:
        of = f" of images predicted {behind[0]}" if len(behind) == 1 else ""
        found.append(
            f"Too few adversaries{of} cross the decision: {longer}, or raise {weight(first, 'flip')}."
        )
    elif value("keep_rate", 1.0) < _ENOUGH_KEPT:
        # A heavier `keep` would let SyCE paint something else that keeps the decision.
        raised = weight(last, "keep") if last == "sagen" else named(f"{last}.warm_up_steps")
        found.append(
            "The adversaries cross, but the stable images do not keep the decision: "
            f"{longer}, or raise {raised}."
        )
    by_cyce = ", and until then explain by CyCE (`--method cyce`)" if stages[:-1] == ["cyce"] else ""
    by_class = figures.get("undoing_by_class") or {}
    undone = [number for number in (figures.get("undoing"), *by_class.values()) if number is not None]
    if min(undone, default=1.0) < _UNDONE:
        found.append(f"The stable images do not show what the adversaries lack: {longer}{by_cyce}.")
    if value("alike", 0.0) > _ALIKE and min(training.steps.values(), default=0) >= _FIRST_STEPS:
        found.append(
            "The adversaries are all alike: one and the same change is made in every image "
            f"(likeness {value('alike', 0.0):.2f}). Either the training has collapsed: lower "
            f"{named(f'{first}.learning_rate')}, or give more images. Or the classifier decides by such a "
            "thing, as the brightness or a mark: look at the adversaries."
        )
    if value("chequer_ratio", 0.0) > _CHEQUERED:
        found.append(
            f"The change is chequered: raise {residuals()}, so that it is made at a lower resolution, or "
            "train longer."
        )
    if min(value("adversary_sharpness", 1.0), value("stable_sharpness", 1.0)) < _SHARP:
        found.append(
            f"The images that are made are blurred: {longer}, or raise {residuals()}: a change that is made "
            "at a lower resolution cannot blur."
        )
    if value("adversary_similarity", 1.0) < _NEAR:
        found.append(
            f"The adversaries change too much of the image: {longer}, or raise "
            f"{weight(first, 'stable' if first == 'sagen' else 'near')}."
        )
    if value("stable_similarity", 1.0) < _FAITHFUL:
        found.append(
            f"The stable images are no faithful copies: {longer}, or raise {weight(last, 'stable')}."
        )
    if keys:
        found.append(
            "Values are changed by another training: "
            f"`tfadvpath train {training.folder}/recipe.yaml --out NEW --set {keys[0]}=NUMBER`. "
            f"Do not write into {training.folder}: it is sealed."
        )
    if value("leaves_classes", 0.0) > _LEAVES:
        found.append(
            f"{value('leaves_classes', 0.0):.0%} of the adversaries are put in a third class: their maps "
            "show what decides between the two classes, not what makes an image one of the other. Name "
            "classes that are nearer to each other by `target` and `against`."
        )
    rarer = int(np.argmin(training.images))
    if found and training.images[rarer] < _FEW_IMAGES:
        found.append(
            f"Only {training.images[rarer]} training images are predicted {rarer}: add images of that class, "
            f"{_FEW_IMAGES} or more."
        )
    return tuple(found)


def first_stage_instead(syce: Mapping[str, Any], cyce: Mapping[str, Any]) -> str | None:
    """Returns the advice to explain by the CyCE that SyCE began with, where it misses fewer limits.

    Args:
        syce: Figures of SyCE's pairs.
        cyce: Figures of CyCE's pairs, on the same images.
    """
    own, first = pair_verdict(syce), pair_verdict(cyce)
    if len(first.sentences) >= len(own.sentences):
        return None
    said = (
        f"Explain by CyCE, which was trained on the way: {cyce['flip_rate']:.0%} of its adversaries cross "
        "the decision, and its path begins at the image itself. It is `--method cyce`, in Python "
        '`explainer.explain(images, method="cyce")`.'
    )
    return " ".join([said, *(f"But: {sentence}" for sentence in first.sentences)])


def _longer(training: Training) -> str:
    """Returns the advice to train longer, and how long, by the steps that were done."""
    least = min(training.steps.values(), default=0)
    if least >= ENOUGH_STEPS:
        return "give more images"
    return (
        f"train longer (a stage had {least} steps; {ENOUGH_STEPS} take `minutes` of about "
        f"{max(1, round(training.enough))} on this machine)"
    )
