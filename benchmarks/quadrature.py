"""How far maps are from those of 1000 midpoints: by the number of steps, with steps="auto", and in bfloat16.

    python benchmarks/quadrature.py [--bundle DIR] [--generators syce,cyce] [--part test] [--images 64]

On held-out images of the bundle's data. Errors are relative in L1, each image by itself; IoU is that of the
top 2 % of the pixels. "In tolerance" is the share of images whose error is at most the tolerance that was
asked for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import results
from scipy.stats import spearmanr

import tfadvpath as tap
from bundles import PHANTOM_BRAIN
from tfadvpath.path.importance import INTEGRATED

EXACT = 1000
TOP = 0.02


def error(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(values - exact).sum(axis=(1, 2, 3)) / np.abs(exact).sum(axis=(1, 2, 3))


def top_iou(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    found = []
    for value, other in zip(values, others, strict=True):
        count = max(1, round(TOP * value.size))
        one, two = (set(np.argsort(each, axis=None)[-count:]) for each in (value, other))
        found.append(len(one & two) / len(one | two))
    return np.array(found)


def correlation(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.array(
        [spearmanr(one.ravel(), two.ravel()).statistic for one, two in zip(values, others, strict=True)]
    )


def spread(values: np.ndarray) -> dict[str, float]:
    """Median, mean and the fifth worst of a hundred."""
    return {
        "median": round(float(np.median(values)), 4),
        "mean": round(float(np.mean(values)), 4),
        "from": round(float(np.quantile(values, 0.05)), 4),
        "to": round(float(np.quantile(values, 0.95)), 4),
    }


def measured(bundle: tap.Bundle, generator: str, images: np.ndarray, given: argparse.Namespace) -> dict:
    pair = bundle.generators[generator].generate(images)
    start, adversary = np.asarray(pair.start), np.asarray(pair.adversary)

    def maps(**options) -> dict[str, np.ndarray]:
        parts = [
            tap.feature_importance(
                bundle.classifier, start[i : i + given.batch], adversary[i : i + given.batch], **options
            )
            for i in range(0, len(images), given.batch)
        ]
        names = (*INTEGRATED, "steps", "map_error", "completeness_residual", "score_start")
        return {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}

    exact = maps(steps=EXACT)
    # A pair that did not move has no map to be near to.
    moved = exact["fi_v2"].sum(axis=(1, 2, 3)) > 0

    def compared(found: dict[str, np.ndarray], name: str, others: dict[str, np.ndarray]) -> dict:
        value, other = found[name][moved], others[name][moved]
        return {"error": spread(error(value, other)), "iou": spread(top_iou(value, other))}

    figures: dict = {"images": int(moved.sum()), "steps": {}, "auto": {}, "precision": {}}
    for steps in given.steps:
        found = maps(steps=steps)
        figures["steps"][str(steps)] = {name: compared(found, name, exact) for name in INTEGRATED}
    for name in INTEGRATED:
        for tolerance in given.tolerances:
            found = maps(steps="auto", tolerance=tolerance, tolerance_map=name)
            errors = error(found[name][moved], exact[name][moved])
            figures["auto"][f"{name}, {tolerance:g}"] = compared(found, name, exact) | {
                "steps": spread(found["steps"][moved]),
                "in_tolerance": round(float((errors <= tolerance).mean()), 3),
                "estimate_to_error": spread(found["map_error"][moved] / errors),
            }
    plain = maps(steps=given.steps[-1])
    for label, options in {
        "bfloat16": {"steps": given.steps[-1], "precision": "bfloat16"},
        "bfloat16, auto .05": {"steps": "auto", "tolerance": 0.05, "precision": "bfloat16"},
        "bfloat16, auto .1": {"steps": "auto", "tolerance": 0.1, "precision": "bfloat16"},
    }.items():
        found = maps(**options)
        figures["precision"][label] = {
            "steps": spread(found["steps"][moved]),
            "largest_change_of_score": round(
                float(np.abs(found["score_start"] - plain["score_start"]).max()), 4
            ),
        } | {
            name: {
                "iou_with_float32": spread(top_iou(found[name][moved], plain[name][moved])),
                "rank_correlation_with_float32": spread(correlation(found[name][moved], plain[name][moved])),
                "iou_with_exact": spread(top_iou(found[name][moved], exact[name][moved])),
            }
            for name in INTEGRATED
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=PHANTOM_BRAIN)
    parser.add_argument("--generators", type=lambda text: text.split(","), default=["syce", "cyce"])
    parser.add_argument("--part", default="test", choices=["validation", "test"])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--steps", type=lambda text: [int(one) for one in text.split(",")], default=[8, 12, 20, 50]
    )
    parser.add_argument(
        "--tolerances", type=lambda text: [float(one) for one in text.split(",")], default=[0.05, 0.1]
    )
    parser.add_argument("--name", default="quadrature", help="of the file of results")
    given = parser.parse_args()
    bundle = tap.load_bundle(given.bundle)
    part = bundle.recipe.data.load(given.part, bundle.recipe.seed)
    chosen = np.random.default_rng(0).choice(
        len(part.images), min(given.images, len(part.images)), replace=False
    )
    images = np.asarray(part.images[np.sort(chosen)])
    figures = {generator: measured(bundle, generator, images, given) for generator in given.generators}
    results.write(
        given.name, {"data": bundle.recipe.name, "part": given.part, "seed": 0, "generators": figures}
    )


if __name__ == "__main__":
    main()
