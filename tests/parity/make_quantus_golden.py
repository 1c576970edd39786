"""Writes, or checks, the answers of Quantus and scikit-learn that our metrics have to give.

Runs in the environment of requirements-quantus.txt beside this file: Quantus asks for an earlier TensorFlow
than the library's. The classifier is two layers in NumPy, so no such framework is needed. `make parity` calls
it.

    python make_quantus_golden.py golden/quantus.npz           writes the file
    python make_quantus_golden.py --check golden/quantus.npz   compares; exit code 1 if it differs
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import quantus
from sklearn.metrics import average_precision_score

SEED = 2022
IMAGES, HEIGHT, WIDTH, HIDDEN = 6, 24, 32, 5
REGION, PIXELS_IN_STEP = 4, 48
# float64 sums of other lengths on other processors.
TOLERANCE = 1e-9


class TwoLayers:
    """What the metrics of Quantus ask of a model: f(x) = sigmoid(v · tanh(x W) + c), columns 1 - f and f."""

    def __init__(self, first: np.ndarray, second: np.ndarray, offset: float):
        self.first, self.second, self.offset = first, second, offset

    def predict(self, x: np.ndarray) -> np.ndarray:
        logit = np.tanh(x.reshape(len(x), -1) @ self.first) @ self.second + self.offset
        score = 1 / (1 + np.exp(-logit))
        return np.stack([1 - score, score], axis=1)

    def shape_input(self, x: np.ndarray, shape: tuple[int, ...], **_) -> np.ndarray:
        return x.reshape(shape)


def golden_arrays() -> dict[str, np.ndarray]:
    """Returns the inputs and, by CASE/output, the answers.

    Those of region perturbation are f_c(x) - f_c(x_k), float64 [B, regions], of pixel flipping f_c(x_k),
    float64 [B, steps], each from the first replacement on.
    """
    rng = np.random.default_rng(SEED)
    images, perturbed = rng.random((2, IMAGES, 1, HEIGHT, WIDTH))
    maps = rng.normal(size=(IMAGES, 1, HEIGHT, WIDTH))
    first = rng.normal(size=(HEIGHT * WIDTH, HIDDEN)) / 8
    second = 2 * rng.normal(size=HIDDEN)
    offset = -float(np.median(np.tanh(images.reshape(IMAGES, -1) @ first) @ second)) + 0.1
    model = TwoLayers(first, second, offset)
    predicted = model.predict(images).argmax(axis=1)
    rows = np.arange(IMAGES)[:, np.newaxis]
    arrays = {"images": images, "perturbed": perturbed, "maps": maps, "predicted": predicted}
    arrays |= {"first": first, "second": second, "offset": np.float64(offset)}
    arrays |= {"region": np.int64(REGION), "pixels_in_step": np.int64(PIXELS_IN_STEP)}

    def by_image(arr: np.ndarray, indices: np.ndarray, **_) -> np.ndarray:
        replaced = arr.copy()
        replaced[rows, indices] = perturbed.reshape(arr.shape)[rows, indices]
        return replaced

    quiet = {"normalise": False, "disable_warnings": True}
    regions = HEIGHT * WIDTH // REGION**2
    replacements = {"image": {"perturb_func": by_image}, "black": {"perturb_baseline": 0.0}}
    for name, replacement in replacements.items():
        for order, ours in (("morf", "most"), ("lerf", "least")):
            metric = quantus.RegionPerturbation(
                patch_size=REGION, order=order, regions_evaluation=regions, **replacement, **quiet
            )
            answer = metric.evaluate_batch(model, images, predicted, maps)
            arrays[f"region_perturbation_{ours}_{name}/output"] = np.asarray(answer)
        metric = quantus.PixelFlipping(features_in_step=PIXELS_IN_STEP, **replacement, **quiet)
        for sign, ours in ((1, "most"), (-1, "least")):
            answer = metric.evaluate_batch(model, images, predicted, sign * maps)
            arrays[f"pixel_flipping_{ours}_{name}/output"] = np.asarray(answer)

    masks = rng.random((4, 15, 20)) < 0.2
    values = rng.integers(6, size=masks.shape) + 2 * masks  # many ties
    values = np.concatenate([values[:2], values[2:] + rng.random((2, 15, 20))])
    arrays |= {"average_precision/maps": values, "average_precision/masks": masks}
    arrays["average_precision/output"] = np.array(
        [
            average_precision_score(mask.ravel(), value.ravel())
            for mask, value in zip(masks, values, strict=True)
        ]
    )
    return arrays


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes beside the target first, so that a half-written file never bears its name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)


def agrees(path: Path, arrays: dict[str, np.ndarray]) -> bool:
    """Prints the largest difference of each array to the file's, and returns whether all are small enough."""
    with np.load(path) as committed:
        shapes = {name: committed[name].shape for name in committed.files}
        if shapes != {name: np.shape(array) for name, array in arrays.items()}:
            print(f"{path}: other cases than {Path(__file__).name} computes. Write the file anew")
            return False
        good = True
        for name, array in arrays.items():
            difference = float(np.max(np.abs(committed[name].astype(np.float64) - array)))
            if name.endswith("/output"):
                print(f"{name}: largest difference {difference:.2g}, allowed {TOLERANCE:g}")
            good = good and difference <= TOLERANCE  # a NaN fails
    return good


def main() -> int:
    """Reads the arguments and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    arrays = golden_arrays()
    if arguments.check:
        return 0 if agrees(arguments.path, arrays) else 1
    write(arguments.path, arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
