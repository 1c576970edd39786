"""What a pass of gradients spends its time on, by kind of operation, in float32 and in bfloat16.

    python benchmarks/profile_pass.py [--size 224] [--points 25] [--passes 3]

ResNet50V2 with random weights, its answers and the gradient with respect to the images: as Keras computes it,
and by the inference form in both types. Times are those of TensorFlow's profiler, summed over the threads
that run operations. Operations that run at the same time count each for itself, so a table says shares, and
"the pass" is the time on the clock.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import tempfile
import time
from collections.abc import Callable
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
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    model = resnet50_classifier((given.size, given.size, 1), weights=None)
    images = np.random.default_rng(0).random((given.points, given.size, given.size, 1))
    points = tf.constant(images, tf.float32)
    figures = {}
    for form, precision in FORMS.items():
        probability = probability_function(model, precision=precision)
        run = tf.function(
            lambda x, probability=probability: scores_and_gradients(probability, x)[1], autograph=False
        )
        run(points)
        print(f"\n{form}")
        found = profiled(lambda run=run: run(points).numpy(), given.passes)
        print(f"  {given.points / found['seconds']:.1f} points a second")
        figures[form] = {"points_a_second": round(given.points / found["seconds"], 2), **found}
    results.write("profile_pass", {"size": given.size, "points": given.points, "forms": figures})


if __name__ == "__main__":
    main()
