"""Explainers for the processes of a cluster, which know them by the names of these functions."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

import tfadvpath.batch.run
from support.killed_runs import OfItsBatch, use_the_explainer_of_batches
from tfadvpath.batch.run import prepared as really_prepared


class KilledOnce(OfItsBatch):
    """Is killed over its first batch while a file is there, which it removes."""

    def __init__(self, batch_size, mark):
        super().__init__(batch_size)
        self._mark = Path(mark)

    def explain_batch(self, images, count):
        if self._mark.exists():
            self._mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().explain_batch(images, count)


class Fatal(OfItsBatch):
    """Ends its process over an image that is nearly all bright, as a fault of a library does."""

    def explain_batch(self, images, count):
        if (np.asarray(images).mean(axis=(1, 2, 3)) > 0.9).any():
            os._exit(7)
        return super().explain_batch(images, count)


def prepared_to_be_killed_once(bundle, options):
    """Returns an explainer that is killed once, where ``bundle`` is a file, and the job."""
    use_the_explainer_of_batches()
    tfadvpath.batch.run.get_explainer = lambda *_, **given: KilledOnce(given["batch_size"], bundle)
    return really_prepared(bundle, options)


def prepared_fatally(bundle, options):
    """Returns an explainer that some images end, and the job."""
    use_the_explainer_of_batches()
    tfadvpath.batch.run.get_explainer = lambda *_, **given: Fatal(given["batch_size"])
    return really_prepared(bundle, options)
