"""Path steps a second on this device: graph and XLA, by type, batch and chunk, against the matrix rate.

    python benchmarks/device_speed.py [--size 224] [--steps 50] [--images 1,8,32] [--chunks 25,50,100]
                                      [--limit 180]

First the maps of bundles/phantom_brain by XLA are compared with those of the graph. Then ResNet50V2 with
random weights is measured: float32, on a GPU also TF32, and bfloat16. Each variant is compiled and
called once, then three times more, until --limit seconds are over. A pass of gradients of ResNet50V2 takes
14 GFLOP a point at 224 pixels, in proportion to the pixels; "share" is that of the matrix rate of the same
type, by products of matrices with a side of 8192 on a GPU and of 2048 on a processor.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import numpy as np
import results
import tensorflow as tf

import tfadvpath as tap
from bundles import PHANTOM_BRAIN
from tfadvpath.models import resnet50_classifier

GFLOP = 14.0 / 224**2  # a pixel of a point
LEAST_TIMES = 3


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def largest_difference() -> dict[str, float]:
    """Maps by XLA and by the graph, of one phantom of either class: the largest difference, relative."""
    bundle = tap.load_bundle(PHANTOM_BRAIN)
    part = bundle.recipe.data.load("test", bundle.recipe.seed)
    images = np.asarray(part.images[[np.argmin(part.labels), np.argmax(part.labels)]])
    pair = bundle.generators["cyce"].generate(images)
    graph, xla = (
        tap.feature_importance(bundle.classifier, pair.start, pair.adversary, steps=10, jit_compile=jit)
        for jit in (False, True)
    )
    return {
        name: float(
            np.abs(getattr(graph, name) - getattr(xla, name)).max() / np.abs(getattr(graph, name)).max()
        )
        for name in ("fi_v1", "fi_v2", "fi_v2_smooth")
    }


def matrix_rate(side: int, kind: str) -> float:
    """GFLOP/s of products of square matrices, eight in a call, so that starting counts for little."""
    one = tf.cast(tf.random.stateless_normal((side, side), (0, 0)), kind)

    @tf.function
    def products() -> tf.Tensor:
        product = one
        for _ in range(8):
            product = tf.linalg.matmul(product, one) * tf.cast(0.01, one.dtype)
        return tf.reduce_sum(tf.cast(product, tf.float32))

    products().numpy()
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        products().numpy()
        times.append(time.perf_counter() - begin)
    return 8 * 2 * side**3 / min(times) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--images", type=numbers, default=[1, 8, 32])
    parser.add_argument("--chunks", type=numbers, default=[25, 50, 100])
    parser.add_argument("--limit", type=float, default=180.0, help="seconds of the measurements")
    given = parser.parse_args()
    gpu = bool(tf.config.list_physical_devices("GPU"))
    equal = largest_difference()
    print("largest difference of XLA from the graph:", equal, flush=True)
    # On a GPU float32 means that the products are not rounded to TF32.
    kinds = (
        {"float32": False, "tf32": True, "bfloat16": False} if gpu else {"float32": False, "bfloat16": False}
    )
    side = 8192 if gpu else 2048
    rates = {}
    for kind, tf32 in kinds.items():
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        rates[kind] = matrix_rate(side, "bfloat16" if kind == "bfloat16" else "float32")
    print("GFLOP/s of matrices:", {kind: round(rate) for kind, rate in rates.items()}, flush=True)
    model = resnet50_classifier((given.size, given.size, 1), weights=None)
    draws = np.random.default_rng(0)
    images = {
        count: draws.random((2, count, given.size, given.size, 1)).astype(np.float32)
        for count in given.images
    }
    # A compiled function is kept for its integrand. One of its own for each type: XLA could have compiled the
    # products of float32 and those of TF32 only once.
    integrands = {kind: functools.partial(absolute) for kind in kinds}
    calls: dict[tuple[str, bool, int, int], Callable[[], object]] = {}
    begin = time.perf_counter()
    for count, (start, adversary) in images.items():
        for chunk in given.chunks:
            for kind in kinds:
                for jit in (False, True) if gpu else (False,):
                    calls[kind, jit, count, chunk] = (
                        lambda kind=kind, jit=jit, chunk=chunk, s=start, a=adversary: tap.path_integral(
                            model,
                            s,
                            a,
                            integrands[kind],
                            steps=given.steps,
                            path_chunk=chunk,
                            precision="bfloat16" if kind == "bfloat16" else "float32",
                            jit_compile=jit,
                        ).numpy()
                    )
    times: dict[tuple[str, bool, int, int], list[float]] = {}
    # A function is compiled for each chunk, and four are kept: all of one variant are measured together.
    for variant, call in calls.items():
        if time.perf_counter() - begin > given.limit:
            print("the time is over; left out:", [each for each in calls if each not in times])
            break
        tf.config.experimental.enable_tensor_float_32_execution(variant[0] == "tf32")
        call()
        times[variant] = []
        for _ in range(LEAST_TIMES):
            start_of_call = time.perf_counter()
            call()
            times[variant].append(time.perf_counter() - start_of_call)
    figures = {}
    print("| type | compiled by | images | points a pass | path steps a second | share of the matrix rate |")
    print("|---|---|---|---|---|---|")
    for (kind, jit, count, chunk), seconds in times.items():
        speed = count * given.steps / statistics.median(seconds)
        share = speed * GFLOP * given.size**2 / rates[kind]
        how = "XLA" if jit else "graph"
        figures[f"{kind}, {how}, {count} images, chunk {chunk}"] = {
            "steps_a_second": round(speed, 2),
            "from": round(count * given.steps / max(seconds), 2),
            "to": round(count * given.steps / min(seconds), 2),
            "share_of_the_matrix_rate": round(share, 3),
        }
        print(f"| {kind} | {how} | {count} | {chunk} | {speed:.1f} | {share:.0%} |")
    results.write(
        "device_speed",
        {
            "device": [device.name for device in tf.config.list_physical_devices("GPU")] or "CPU",
            "size": given.size,
            "steps": given.steps,
            "largest_difference_of_xla": equal,
            "gflops_of_matrices": {kind: round(rate, 1) for kind, rate in rates.items()},
            "variants": figures,
        },
    )


def absolute(gradient: tf.Tensor, velocity: tf.Tensor) -> tf.Tensor:
    return tf.abs(gradient) * velocity**2


if __name__ == "__main__":
    main()
