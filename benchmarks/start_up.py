"""The seconds of `tfadvpath explain` with one image, from the command to the map, by what takes them.

    python benchmarks/start_up.py [--bundle DIR] [--repeats 3]

Each repetition is a fresh process that does what the command does, one step after the other: it imports,
loads the networks that the method needs, traces the graph, computes one image by it, writes all files, and
ends. "The command" is `tfadvpath explain` itself, whole, with its plan and its processes; it traces and
computes in one. The image has 320 pixels.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results

from bundles import PHANTOM_BRAIN

STEPS = ("imports", "loading", "tracing", "computing", "writing", "ending")


def measure_steps(bundle: Path, image: Path, out: Path) -> None:
    """Prints the seconds of each step in this process but its end, and the time at which that begins."""
    times = [time.perf_counter()]

    def done() -> None:
        times.append(time.perf_counter())

    from tfadvpath.cli.console import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from tfadvpath.batch.plan import Task
    from tfadvpath.batch.recording import WriteResults
    from tfadvpath.batch.run import ExplainOptions, prepared
    from tfadvpath.explanation import StudyExplanation
    from tfadvpath.studies.study import read_study
    from tfadvpath.writers.formats import formats

    formats()
    done()
    explainer, job = prepared(bundle, ExplainOptions())
    done()
    study = read_study(image, job.size)
    shape = (explainer.batch_size, *study.images.shape[1:])
    explainer.run_batch.get_concrete_function(tf.TensorSpec(shape), tf.TensorSpec((), tf.int32))
    done()
    explanation = explainer.explain(study.images)
    done()
    out.mkdir()
    write = WriteResults(out, job.maps, job.formats, job.made_with, job.pair)
    write(StudyExplanation(study, explanation), Task(study.sources, Path(image.name)), 0.0)
    done()
    gc.freeze()  # as the command does
    print(json.dumps([end - begin for begin, end in itertools.pairwise(times)] + [time.time()]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=PHANTOM_BRAIN)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps-of", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.steps_of:
        measure_steps(given.bundle, *given.steps_of)
        return
    from throughput import write_png

    seconds: dict[str, list[float]] = {name: [] for name in (*STEPS, "the command")}
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary, "one.png")
        write_png(image, 0)
        # What TensorFlow says at its start goes nowhere.
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        for repeat in range(given.repeats):
            out = Path(temporary, f"out_{repeat}")
            command = [sys.executable, __file__, "--bundle", given.bundle, "--steps-of", str(image), str(out)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            ended = time.time()
            *steps, end = json.loads(done.stdout.splitlines()[-1])
            for name, value in zip(STEPS, [*steps, ended - end], strict=True):
                seconds[name].append(value)
            command = [sys.executable, "-m", "tfadvpath", "explain", str(image), "--bundle", given.bundle]
            begin = time.perf_counter()
            subprocess.run([*command, "--out", f"{out}_whole"], check=True, capture_output=True)
            seconds["the command"].append(time.perf_counter() - begin)
    print("| step | seconds | from | to |\n|---|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    results.write("start_up", {"median_seconds": medians, "seconds": seconds})


if __name__ == "__main__":
    main()
