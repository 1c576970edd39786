"""Peak memory of feature_importance with 50 and with 200 path steps at the same chunk.

    python benchmarks/path_memory.py [--chunk 10] [--size 224] [--repeats 3]

Every measurement is a process of its own: ResNet50V2, one image, the peak of the resident memory. The order
alternates.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

import results


def measure(steps: int, chunk: int, size: int) -> float:
    """Runs in a fresh process and returns its peak in MiB."""
    command = [sys.executable, __file__, "--steps", str(steps), "--chunk", str(chunk), "--size", str(size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def run(steps: int, chunk: int, size: int) -> None:
    import numpy as np

    import tfadvpath as tap

    model = tap.models.resnet50_classifier((size, size, 1), weights=None)
    start, adversary = np.random.default_rng(0).random((2, 1, size, size, 1)).astype(np.float32)
    tap.feature_importance(model, start, adversary, steps=steps, path_chunk=chunk)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, help="measure this process alone")
    parser.add_argument("--chunk", type=int, default=10)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.steps:
        run(options.steps, options.chunk, options.size)
        return
    peaks: dict[int, list[float]] = {50: [], 200: []}
    for _ in range(options.repeats):
        for steps, values in peaks.items():
            values.append(measure(steps, options.chunk, options.size))
    few, many = (statistics.median(values) for values in peaks.values())
    figures = {
        "chunk": options.chunk,
        "size": options.size,
        "peak_mib": {str(steps): [round(value) for value in values] for steps, values in peaks.items()},
        "ratio_200_to_50": round(many / few, 3),
    }
    results.write("path_memory", figures)


if __name__ == "__main__":
    main()
