"""What a pass of gradients spends its time on, by kind of operation, in float32 and in bfloat16.

    python benchmarks/profile_pass.py [--size 224] [--points 25] [--passes 3] [--repeats 5]

ResNet50V2 with random weights, its answers and the gradient with respect to the images: as Keras computes it,
and by the inference form in both types. First the forms are timed in turn, on the clock and in seconds of the
processors, which do not grow while the host gives the cores to others. Then each is profiled: times are those
of TensorFlow's profiler, summed over the threads that run operations. Operations that run at the same time
count each for itself, so a table says shares.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import results
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tfadvpath.models import resnet50_classifier
from tfadvpath.path.classifier import probability_function, scores_and_gradients

SHOWN = 12
FORMS = {"as Keras computes it": None, "float32": "float32", "bfloat16": "bfloat16"}


def seconds_by_kind(folder: Path) -> dict[str, float]:
    """Returns the seconds of each kind of operation in what the profiler wrote."""
    seconds: dict[str, float] = collections.Counter()
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        for plane in space.planes:
            names = {key: each.name for key, each in plane.event_metadata.items()}
            for line in plane.lines:
                for event in line.events:
                    # An operation's event is called by its name and its kind.
                    _, colon, kind = names[event.metadata_id].rpartition(":")
                    if colon and (hasattr(tf.raw_ops, kind) or kind.startswith("_")):
                        seconds[kind] += event.duration_ps * 1e-12
    return dict(seconds)


def timed(runs: Mapping[str, Callable[[], object]], times: int) -> dict[str, dict[str, list[float]]]:
    """Runs in turn what was run before; returns the seconds of each, on the clock and of the processors."""
    seconds: dict[str, dict[str, list[float]]] = {name: {"clock": [], "processors": []} for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            begin = time.perf_counter(), time.process_time()
            run()
            end = time.perf_counter(), time.process_time()
            for kind, first, last in zip(seconds[name], begin, end, strict=True):
                seconds[name][kind].append(last - first)
    return seconds


def rates(seconds: list[float], reference: list[float], points: int) -> dict[str, float]:
    """Returns points a second, and the ratio to the reference in the same repetition, with its spread."""
    ratios = [there / here for there, here in zip(reference, seconds, strict=True)]
    return {
        "points_a_second": round(points / statistics.median(seconds), 2),
        "ratio": round(statistics.median(ratios), 3),
        "least_ratio": round(min(ratios), 3),
        "greatest_ratio": round(max(ratios), 3),
    }


def profiled(run: Callable[[], object], times: int) -> dict[str, Any]:
    """Runs something that was run before; returns the median of its seconds and the shares of its operations.

    Args:
        run: What is profiled; it ends when its result is there.
        times: How often it is run.
    """
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(times):
            begin = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begin)
        tf.profiler.experimental.stop()
        kinds = seconds_by_kind(Path(folder))
    total = sum(kinds.values())
    ranked = sorted(kinds.items(), key=lambda item: -item[1])[:SHOWN]
    for kind, taken in ranked:
        print(f"  {kind:40} {taken / times:7.3f} s  {taken / total:6.1%}")
    return {
        "seconds": round(statistics.median(seconds), 3),
        "shares": {kind: round(taken / total, 4) for kind, taken in ranked},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--points", type=int, default=25)
    parser.add_argument("--passes", type=int, default=3, help="Passes that are profiled.")
    parser.add_argument("--repeats", type=int, default=5, help="Passes of each form that are timed in turn.")
    given = parser.parse_args()
    model = resnet50_classifier((given.size, given.size, 1), weights=None)
    images = np.random.default_rng(0).random((given.points, given.size, given.size, 1))
    points = tf.constant(images, tf.float32)
    runs = {}
    for form, precision in FORMS.items():
        probability = probability_function(model, precision=precision)
        gradient = tf.function(
            lambda x, probability=probability: scores_and_gradients(probability, x)[1], autograph=False
        )
        runs[form] = lambda gradient=gradient: gradient(points).numpy()
        runs[form]()
    seconds = timed(runs, given.repeats)
    reference = seconds[next(iter(FORMS))]
    figures = {}
    for form, run in runs.items():
        print(f"\n{form}")
        by_kind = {kind: rates(own, reference[kind], given.points) for kind, own in seconds[form].items()}
        for kind, found in by_kind.items():
            print(
                f"  {kind}: {found['points_a_second']:.1f} points a second, {found['ratio']:.2f} "
                f"[{found['least_ratio']:.2f}, {found['greatest_ratio']:.2f}] of the first form"
            )
        figures[form] = {**by_kind, **profiled(run, given.passes)}
    described = {"size": given.size, "points": given.points, "repeats": given.repeats}
    results.write("profile_pass", {**described, "forms": figures})


if __name__ == "__main__":
    main()
