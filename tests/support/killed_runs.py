"""Runs over many studies that are killed and ended, in processes that start fast."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

import tfadvpath.batch.run
from support.broken_files import nifti_bytes, png_bytes
from support.explanations import KnownExplainer, fields_of
from support.tiny import RECIPE, SIZE
from tfadvpath.batch.run import ExplainOptions, explain_studies
from tfadvpath.cli.exit_codes import TERMINATED

OPTIONS = ExplainOptions(formats=["npz"], batch_size=4)


class OfItsBatch(KnownExplainer):
    """Explains so that a map depends on the other images of its batch, and on its place there.

    Args:
        batch_size: Number of images of a batch.
        pause: Least time that a batch takes, in seconds: a signal that is sent soon after a row is written
            comes before the last one is.
    """

    def __init__(self, batch_size, pause=0.0):
        super().__init__(batch_size)
        self._pause = pause

    def explain_batch(self, images, count):
        time.sleep(self._pause)
        images = np.asarray(images)
        place = np.arange(len(images), dtype=np.float32).reshape(-1, 1, 1, 1)
        return tf.nest.map_structure(tf.constant, fields_of((images + images.mean() + place / 8) / 3))


def write_studies(folder: Path, studies: int, broken: int) -> None:
    """Writes images, and volumes of up to seven slices, into folders; some are broken."""
    rng = np.random.default_rng(0)
    damaged = set(rng.choice(studies, broken, replace=False).tolist())
    for number in range(studies):
        if number % 4 == 3:
            values = rng.normal(size=(16, 16, 1 + number % 7))
            name, content = f"{number:05d}.nii.gz", gzip.compress(nifti_bytes(values), 1, mtime=0)
        else:
            values = rng.integers(0, 256, (16, 16)).astype(np.uint8)
            name, content = f"{number:05d}.png", png_bytes(values)
        path = folder / f"ward_{number % 3}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[:40] if number in damaged else content)


def use_the_explainer_of_batches(pause: float = 0.0) -> None:
    """Lets ``explain_studies`` use OfItsBatch, with a bundle that needs no loading."""
    bundle = SimpleNamespace(recipe=RECIPE, digest="0" * 64, image_size=(SIZE, SIZE), figures={})
    tfadvpath.batch.run.load_bundle = lambda *_: bundle
    tfadvpath.batch.run.chosen_method = lambda _, method: "syce" if method == "auto" else method
    tfadvpath.batch.run.get_explainer = lambda *_, **options: OfItsBatch(options["batch_size"], pause)


def _explain(folder: Path, out: Path, log: Path, pause: float) -> None:
    """A process that explains and ends as the command does."""
    sys.stderr = sys.stdout = log.open("a")

    def terminate(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, terminate)
    use_the_explainer_of_batches(pause)
    try:
        explain_studies("bundle", folder, out, OPTIONS)
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"Interrupted: {interrupt}\n")
        sys.stderr.flush()
        os._exit(TERMINATED)


def rows_in(ledger: Path) -> int:
    """The number of rows that are in a ledger."""
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def run(folder: Path, out: Path, ending: int | None = None, after: int = 0) -> int:
    """Explains in a process of its own, and sends it a signal soon after the ledger has so many more rows.

    Returns:
        The exit code; negative where a signal ended the process.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.killed_runs"])
    ledger = out / "ledger.jsonl"
    before = rows_in(ledger)
    pause = 0.0 if ending is None else 0.1
    process = context.Process(target=_explain, args=(folder, out, out.with_suffix(".log"), pause))
    process.start()
    while process.is_alive():
        if ending is not None and rows_in(ledger) >= before + after:
            time.sleep(random.random() * 0.05)  # anywhere in the studies that follow
            os.kill(process.pid, ending)
            ending = None
        time.sleep(0.001)
    process.join()
    return process.exitcode


def contents(out: Path) -> dict[str, bytes]:
    """What is in the folders of results, by path; what is hidden, too."""
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    own = {"ledger.jsonl", "ledger.parquet", "summary.json"}
    return {name: path.read_bytes() for name, path in found.items() if name not in own}
