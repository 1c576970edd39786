"""How far the maps of M midpoints are from those of 1000, on the shipped bundle's held-out phantoms.

    python benchmarks/quadrature.py [--slices 16]

The relative L1 error of v1 and v2, and the completeness residual, medians over slices.
"""

from __future__ import annotations

import argparse

import numpy as np
import results

import tfadvpath as tap
from tfadvpath.bundle.bundle import DEMONSTRATION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=16)
    options = parser.parse_args()
    bundle = tap.load_bundle(DEMONSTRATION)
    test = bundle.recipe.data.load("test", bundle.recipe.seed)
    chosen = np.random.default_rng(0).choice(len(test.images), options.slices, replace=False)
    pair = bundle.generators["syce"].generate(test.images[np.sort(chosen)])

    def maps(steps: int) -> tap.PathImportance:
        return tap.feature_importance(bundle.classifier, pair.start, pair.adversary, steps=steps)

    def error(approximate, exact) -> float:
        difference = np.abs(approximate - exact).sum(axis=(1, 2, 3))
        return float(np.median(difference / exact.numpy().sum(axis=(1, 2, 3))))

    exact = maps(1000)
    figures = {}
    for steps in (10, 20, 50, 100, 200):
        result = maps(steps)
        figures[str(steps)] = {
            "fi_v1": round(error(result.fi_v1, exact.fi_v1), 5),
            "fi_v2": round(error(result.fi_v2, exact.fi_v2), 5),
            "completeness_residual": round(float(np.median(result.completeness_residual)), 5),
        }
    results.write("quadrature", {"slices": options.slices, "relative_l1_error_by_steps": figures})


if __name__ == "__main__":
    main()
