"""Latency of an exported explainer over gRPC on the loopback interface, and what the export costs.

    python benchmarks/serving_latency.py [--bundle RUN] [--steps 20,50] [--sizes 1,2,4,8] [--repeats 20]

The server is the stand-in of tfadvpath.serving, not TensorFlow Serving: no batching of several clients,
no queue. float32. For every number of steps M and batch size one request after the other is sent; between
them the same batch is explained by the library in this process, and by the loaded SavedModel without server.
The three alternate, and another one is first in every repeat.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import results
import tensorflow as tf

import tfadvpath as tap
from bundles import PHANTOM_BRAIN
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.serving import GrpcClient
from tfadvpath.serving.stand_in import stand_in_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=PHANTOM_BRAIN)
    parser.add_argument("--steps", type=_numbers, default=[20, 50])
    parser.add_argument("--sizes", type=_numbers, default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    images = phantom_brain_slices([1], bundle.image_size[0], twins=True).images
    figures = {}
    for steps in options.steps:
        with tempfile.TemporaryDirectory() as folder:
            version = tap.export_saved_model(bundle, folder, steps=steps, sizes=options.sizes)
            figures[f"M = {steps}"] = measure(bundle, version, images, steps, options)
    results.write(
        "serving_latency",
        {
            "bundle": bundle.recipe.name,
            "image_size": bundle.image_size,
            "device": "GPU" if tf.config.list_physical_devices("GPU") else "CPU",
            "cores_used": len(os.sched_getaffinity(0)),
            "dtype": "float32",
            "server": "stand-in on the loopback interface, gRPC",
            "repeats": options.repeats,
            "seconds_by_batch_size": figures,
        },
    )


def measure(bundle, version: Path, images: np.ndarray, steps: int, options: argparse.Namespace) -> dict:
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    figures = {}
    with stand_in_server(version) as server:
        for size in options.sizes:
            batch = np.resize(images, (size, *images.shape[1:]))
            library = tap.explainers.get("syce", bundle, steps=steps, batch_size=size)
            client = GrpcClient(server.grpc, version.parent.name, batch_size=size)
            times = alternate(
                {
                    "library": lambda batch=batch, library=library: library.explain(batch),
                    "export": lambda batch=batch: signature(images=tf.constant(batch))["map"].numpy(),
                    "server": lambda batch=batch, client=client: client.explain(batch),
                },
                options.repeats,
            )
            client.close()
            middle = {name: statistics.median(values) for name, values in times.items()}
            figures[str(size)] = {
                "p50": round(middle["server"], 4),
                "p95": round(float(np.percentile(times["server"], 95)), 4),
                "library_p50": round(middle["library"], 4),
                "export_p50": round(middle["export"], 4),
                "export_to_library": round(paired_ratio(times["export"], times["library"]), 3),
                "server_to_library": round(paired_ratio(times["server"], times["library"]), 3),
            }
    return figures


def alternate(functions: dict, repeats: int) -> dict[str, list[float]]:
    for function in functions.values():
        function()  # traces
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats):
        # What one leaves in the caches is the next one's gain or loss: none may always follow the same.
        first = repeat % len(functions)
        for name in [*functions][first:] + [*functions][:first]:
            begin = time.perf_counter()
            functions[name]()
            times[name].append(time.perf_counter() - begin)
    return times


def paired_ratio(times: list[float], others: list[float]) -> float:
    """The median over the repeats: neighbours in time share what else the machine does."""
    return statistics.median(a / b for a, b in zip(times, others, strict=True))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
