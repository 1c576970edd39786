"""Writes, or checks, the answers of tensorflow-addons that our Gaussian filter has to give.

Runs in the environment of requirements.txt beside this file, never in that of the library: tensorflow-addons
has ended and does not import beside Keras 3. `make parity` calls it.

    python make_gaussian_golden.py golden/gaussian.npz           writes the file
    python make_gaussian_golden.py --check golden/gaussian.npz   computes anew and compares, exit code 1 if it differs
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow_addons as tfa

# name: (shape [B, H, W, C], kernel_size, sigma)
CASES = {
    "paper": ((2, 32, 32, 1), 28, 2.0),
    "not_square": ((1, 24, 40, 1), 28, 2.0),
    "three_channels": ((2, 28, 20, 3), 28, 2.0),
    "smallest_image": ((1, 15, 15, 1), 28, 2.0),
    "odd_kernel": ((1, 30, 26, 1), 27, 2.0),
    "small_kernel": ((3, 12, 9, 2), 7, 2.0),
    "sigma_3": ((1, 32, 32, 1), 28, 3.0),
    "sigma_5": ((1, 32, 36, 1), 28, 5.0),
    "odd_kernel_sigma_5": ((1, 20, 33, 3), 27, 5.0),
}
SEED = 20210
TOLERANCE = 1e-6  # the order of the sums in float32 differs between processors


def golden_arrays() -> dict[str, np.ndarray]:
    """Returns for every case its input in [0, 1], output (both float32), kernel size and sigma."""
    rng = np.random.default_rng(SEED)
    arrays = {}
    for name, (shape, kernel_size, sigma) in CASES.items():
        maps = rng.random(shape, dtype=np.float32)
        filtered = tfa.image.gaussian_filter2d(
            maps, filter_shape=(kernel_size, kernel_size), sigma=sigma, padding="REFLECT"
        )
        arrays[f"{name}/input"] = maps
        arrays[f"{name}/output"] = filtered.numpy()
        arrays[f"{name}/kernel_size"] = np.int64(kernel_size)
        arrays[f"{name}/sigma"] = np.float64(sigma)
    return arrays


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes beside the target first, so that a half-written file never bears its name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, **arrays)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def largest_difference(path: Path, arrays: dict[str, np.ndarray]) -> float:
    """Returns the largest difference to the file's arrays; infinite where names or shapes differ."""
    with np.load(path) as committed:
        if sorted(committed.files) != sorted(arrays):
            return float("inf")
        if any(committed[name].shape != np.shape(array) for name, array in arrays.items()):
            return float("inf")
        return max(float(np.max(np.abs(committed[name] - array))) for name, array in arrays.items())


def main() -> int:
    """Reads the arguments and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    arrays = golden_arrays()
    if not arguments.check:
        write(arguments.path, arrays)
        return 0
    difference = largest_difference(arguments.path, arrays)
    agrees = difference <= TOLERANCE
    print(f"{arguments.path}: {len(CASES)} cases, largest difference {difference:.2g}: {'ok' if agrees else 'differs'}")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
