"""Path steps per second of feature_importance: graph against XLA, and by chunk.

    python benchmarks/path_speed.py [--size 224] [--steps 50] [--repeats 3]

ResNet50V2, one image, compiled before it is timed; the variants alternate.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import results
import tensorflow as tf

from tfadvpath.models import resnet50_classifier
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.importance import ImportanceOptions, integrate_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    size, steps = options.size, options.steps
    model = resnet50_classifier((size, size, 1), weights=None)
    start, adversary = tf.constant(np.random.default_rng(0).random((2, 1, size, size, 1)), tf.float32)
    accelerator = bool(tf.config.list_physical_devices("GPU"))
    variants = {f"graph, chunk {chunk}": (False, chunk) for chunk in (1, 5, 10, 25, 50)}
    variants |= {"XLA, chunk 10": (True, 10)} | ({"XLA, chunk 50": (True, 50)} if accelerator else {})

    probability = probability_function(model)

    def compiled(jit_compile: bool, chunk: int):
        def run(s, a):
            return integrate_path(probability, s, a, ImportanceOptions(steps, chunk)).fi_v2

        return tf.function(run, jit_compile=jit_compile)

    functions = {name: compiled(*variant) for name, variant in variants.items()}
    for function in functions.values():
        function(start, adversary)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            function(start, adversary).numpy()
            times[name].append(time.perf_counter() - begin)
    rates = {name: round(steps / statistics.median(values), 2) for name, values in times.items()}
    figures = {
        "size": size,
        "steps": steps,
        "device": "GPU" if accelerator else "CPU",
        "steps_per_second": rates,
    }
    figures["graph_to_xla"] = round(rates["graph, chunk 10"] / rates["XLA, chunk 10"], 2)
    results.write("path_speed", figures)


if __name__ == "__main__":
    main()
