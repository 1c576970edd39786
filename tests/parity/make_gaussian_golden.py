"""Writes, or checks, the answers of tensorflow-addons that our Gaussian filter has to give.

Runs in the environment of requirements.txt beside this file, never in that of the library: tensorflow-addons
has ended and does not import beside Keras 3. `make parity` calls it.

    python make_gaussian_golden.py golden/gaussian.npz           writes the file
    python make_gaussian_golden.py --check golden/gaussian.npz   compares; exit code 1 if it differs
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
# Its float32 sums of 784 terms are up to 1.3e-6 from its own float64 answer, and processors differ in
# their order.
TOLERANCES = {"output": 3e-6, "output_float64": 1e-12}


def golden_arrays() -> dict[str, np.ndarray]:
    """Returns for every case: input (float32, in [0, 1]), output, output_float64, kernel_size, sigma.

    Both outputs are of the same input; tensorflow-addons computes in the type that it is given.
    """
    rng = np.random.default_rng(SEED)
    arrays = {}
    for name, (shape, kernel_size, sigma) in CASES.items():
        maps = rng.random(shape, dtype=np.float32)
        options = {"filter_shape": (kernel_size, kernel_size), "sigma": sigma, "padding": "REFLECT"}
        arrays[f"{name}/input"] = maps
        arrays[f"{name}/output"] = tfa.image.gaussian_filter2d(maps, **options).numpy()
        arrays[f"{name}/output_float64"] = tfa.image.gaussian_filter2d(
            maps.astype(np.float64), **options
        ).numpy()
        arrays[f"{name}/kernel_size"] = np.int64(kernel_size)
        arrays[f"{name}/sigma"] = np.float64(sigma)
    return arrays


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes beside the target first, so that a half-written file never bears its name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)


def differences(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the largest difference to the file's arrays, by the last part of the array's name.

    Raises:
        SystemExit: The file holds other arrays, or arrays of other shapes.
    """
    largest: dict[str, float] = {}
    with np.load(path) as committed:
        shapes = {name: committed[name].shape for name in committed.files}
        if shapes != {name: np.shape(array) for name, array in arrays.items()}:
            raise SystemExit(f"{path}: other cases than {Path(__file__).name} computes. Write the file anew")
        for name, array in arrays.items():
            kind = name.split("/")[1]
            # np.maximum keeps a NaN, which then fails the comparison below.
            difference = np.max(np.abs(committed[name] - array))
            largest[kind] = float(np.maximum(largest.get(kind, 0.0), difference))
    return largest


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
    agrees = True
    for kind, difference in differences(arguments.path, arrays).items():
        tolerance = TOLERANCES.get(kind, 0.0)
        print(f"{kind}: {len(CASES)} cases, largest difference {difference:.2g}, allowed {tolerance:g}")
        agrees = agrees and difference <= tolerance
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
