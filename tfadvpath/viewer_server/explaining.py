"""Explanations of one study after the other, by explainers that are kept."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfadvpath import explainers
from tfadvpath.batch.explain import explained
from tfadvpath.batch.job import Job
from tfadvpath.batch.options import ExplainOptions
from tfadvpath.batch.run import prepared
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.method import chosen_method
from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import Study

# Each holds a compiled graph.
_MOST_KEPT = 4


class Explaining:
    """Explains studies as ``tfadvpath.explain_studies`` does, one at a time, whoever asks.

    Args:
        bundle: Bundle, or its folder.
        options: Options of explaining; those of a study replace its method, maps and steps.

    Attributes:
        bundle: Bundle that explains.
        options: Options of explaining.
        busy: Lock that whoever computes holds.

    Raises:
        InputError: The bundle cannot be loaded, or has no such method.
    """

    def __init__(self, bundle: Bundle | Path | str, options: ExplainOptions):
        self.bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        self.options = dataclasses.replace(options, method=chosen_method(self.bundle, options.method))
        self.busy = threading.RLock()
        self._kept: OrderedDict[tuple[str, int | str | None], tuple[Explainer, Job]] = OrderedDict()
        self._prepared(self.options.method, options.steps)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the bundle's methods."""
        return explainers.names(self.bundle)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the classifier takes."""
        return self.bundle.image_size

    @property
    def channel(self) -> int | None:
        """Index of the channel of 4-D NIfTI files."""
        return self.bundle.recipe.data.volume_channel

    def maps(self, method: str) -> tuple[str, ...]:
        """Returns the names of a method's maps.

        Raises:
            InputError: The bundle has no such method.
        """
        with self.busy:
            return self._prepared(method, None)[0].map_names

    @staticmethod
    def steps(method: str) -> int | None:
        """Returns the number of steps that a method takes unless it is told otherwise; None has no path."""
        return explainers.options(method).get("steps")

    def warm_up(self) -> None:
        """Compiles what explains, so that the first study does not wait for it."""
        with self.busy:
            explainer, _ = self._prepared(self.options.method, self.options.steps)
            explainer.explain(np.zeros((1, *self.size, 1), np.float32))

    def explain(
        self,
        study: Study,
        method: str,
        maps: Sequence[str],
        steps: int | None,
    ) -> StudyExplanation:
        """Explains a study.

        Args:
            study: Study of images of the bundle's size.
            method: Name of the method.
            maps: Names of the maps that are kept, in any order.
            steps: Number of steps of the path; None is the method's own.

        Raises:
            InputError: The bundle has no such method, or it cannot explain the study; no map is named.
        """
        with self.busy:
            explainer, job = self._prepared(method, steps)
            chosen = [name for name in explainer.map_names if name in maps]
            if not chosen:
                names = ", ".join(explainer.map_names)
                raise InputError("`maps`", "nothing is named", f"Choose from {names}")
            [(result, _)] = explained(explainer, [study])
            if isinstance(result, InputError):
                raise result
            assert isinstance(result, StudyExplanation)  # nothing is of an earlier run
            return StudyExplanation(
                study, result.explanation.only(chosen), {**job.made_with, "maps": chosen}, job.pair
            )

    def _prepared(self, method: str, steps: int | str | None) -> tuple[Explainer, Job]:
        known = method in self.methods  # `prepared` says what is wrong
        key = (method, None if known and steps == self.steps(method) else steps)
        if key not in self._kept:
            options = ExplainOptions(
                method=method,
                steps=key[1],
                batch_size=self.options.batch_size,
                seed=self.options.seed,
            )
            self._kept[key] = prepared(self.bundle, options)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
