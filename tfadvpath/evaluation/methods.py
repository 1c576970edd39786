"""Methods of a bundle, measured one after the other; what an earlier run finished is read from files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath import explainers
from tfadvpath._version import __version__
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.manifest import git_revision, library_versions
from tfadvpath.errors import InputError
from tfadvpath.evaluation.compared_maps import compared_maps
from tfadvpath.evaluation.controls import control_names
from tfadvpath.evaluation.images import EvaluatedImages
from tfadvpath.evaluation.measure import (
    Arrays,
    MeasuredMethod,
    RandomOrders,
    Setting,
    measure,
    measure_random,
    work,
    work_random,
)
from tfadvpath.evaluation.measured_files import read_arrays, read_header, write_arrays
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.randomised import without_learning
from tfadvpath.evaluation.replacement_images import perturbed_images

FOLDER = "methods"
# Name of the random orders among the methods, and of the file that says which images were measured.
RANDOM = "random"
_IMAGES = "images"
_FORMAT = 7


@dataclass(frozen=True, eq=False)
class Measured:
    """A method, or random orders, that could be measured.

    Attributes:
        method: Name of the method, or ``RANDOM``.
        result: Its measurements.
        seconds: Time that it took; None where it was read from a file.
    """

    method: str
    result: MeasuredMethod | RandomOrders
    seconds: float | None


@dataclass(frozen=True, eq=False)
class Failed:
    """A method that could not be measured.

    Attributes:
        method: Name of the method.
        error: Reason why it could not.
    """

    method: str
    error: Exception


def smooths(method: str) -> bool:
    """Returns whether a method smooths a map, by the kernel of ``EvaluationOptions``.

    Args:
        method: Name of the explainer.
    """
    return EvaluationOptions().kernel.keys() <= explainers.options(method).keys()


class Evaluation:
    """Measures the methods of a bundle on its test images.

    Args:
        bundle: Bundle with the networks of the methods.
        evaluated: Test images.
        options: Options of the measurement.
        out: Folder that gets ``methods/``: a file for each method, and one with the images that their rows
            are of.
        batch_size: Number of images explained at once.
    """

    def __init__(
        self,
        bundle: Bundle,
        evaluated: EvaluatedImages,
        options: EvaluationOptions,
        out: Path,
        batch_size: int = 16,
    ):
        self.bundle = bundle
        self.evaluated = evaluated
        self.options = options
        self.batch_size = batch_size
        self.folder = out / FOLDER
        self.identity = {
            "format": _FORMAT,
            "tfadvpath": __version__,
            "bundle": bundle.digest,
            "options": options.as_json(),
        }
        self._explainers: dict[str, explainers.Explainer] = {}
        self._setting: Setting | None = None

    @property
    def setting(self) -> Setting:
        """Images that all methods are measured on, and how; made when it is first needed."""
        if self._setting is None:
            images = np.asarray(self.evaluated.images.images[self.evaluated.relevance])
            perturbed = {
                ending: perturbed_images(self.bundle, name, images, self.options.seed)
                for ending, name in self.options.perturbations.items()
            }
            self._setting = Setting(self.bundle.classifier, self.evaluated, perturbed, self.options)
        return self._setting

    def stored(self, methods: Sequence[str]) -> dict[str, MeasuredMethod | RandomOrders]:
        """Returns what an earlier run measured, by method, but for methods whose code changed since.

        Args:
            methods: Names of explainers.

        Raises:
            InputError: It was measured with other options or images, another bundle or another version.
        """
        images = read_arrays(self._path(_IMAGES), self.identity)
        if images is not None and not _of_same_images(images, self.evaluated.as_arrays()):
            raise InputError(
                self._path(_IMAGES),
                "names other test images",
                "Name another folder in `out`, or delete this one",
            )
        found = {
            name: read_arrays(self._path(name), self.identity, _code(name)) for name in (RANDOM, *methods)
        }
        return {
            name: (RandomOrders if name == RANDOM else MeasuredMethod).of_arrays(arrays)
            for name, arrays in found.items()
            if arrays is not None
        }

    def work(self, methods: Sequence[str]) -> int:
        """Returns the units of progress that ``run`` reports for methods that are not stored.

        Args:
            methods: Names of explainers, or ``RANDOM``.
        """
        # A method that the paper does not have is taken to make one map: only its explainer knows.
        return sum(
            work_random(self.setting)
            if method == RANDOM
            else work(self.setting, len(compared_maps({method: [method, *self._controls(method)]})), method)
            for method in methods
        )

    def run(
        self,
        methods: Sequence[str],
        stored: Mapping[str, MeasuredMethod | RandomOrders],
        on_progress: Callable[[float], None] = lambda amount: None,
    ) -> Iterator[Measured | Failed]:
        """Measures the random orders and every method; one that fails does not stop the others.

        Args:
            methods: Names of explainers that the bundle has the networks for.
            stored: Measurements that ``stored`` returned: they are not made again.
            on_progress: Function that is called with units of ``work``.

        Yields:
            Result of each method, in their order.
        """
        write_arrays(self._path(_IMAGES), self.evaluated.as_arrays(), self.identity)
        for method in (RANDOM, *methods):
            if method in stored:
                yield Measured(method, stored[method], None)
                continue
            start = time.perf_counter()
            try:
                result = self._measure(method, on_progress)
            except Exception as error:
                if method == RANDOM:
                    raise  # no method can be measured if that cannot
                # Whatever goes wrong in one method, the measurements of the others are worth having.
                yield Failed(method, error)
                continue
            seconds = time.perf_counter() - start
            header = {**self.identity, **_code(method), "method": method, "seconds": round(seconds, 3)}
            header |= {"versions": library_versions(), "git_revision": git_revision()}
            if method != RANDOM:
                _, height, width, _ = self.evaluated.images.images.shape
                header["lengths"] = self._explainer(method).lengths(height, width)
            write_arrays(self._path(method), result.as_arrays(), header)
            yield Measured(method, result, seconds)

    def maps(self, method: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Explains a few test images for pictures; an earlier run's maps of the same ones are read.

        Args:
            method: Name of the explainer.
            rows: int64 [G], places among the test images.

        Returns:
            Maps by name, float32 [G, H, W].
        """
        path = self._path(f"{method}.maps")
        identity = {**self.identity, **_code(method), "rows": rows.tolist()}
        try:
            stored = read_arrays(path, identity)
        except InputError:  # other images were chosen: other methods took part
            stored = None
        if stored is not None:
            return stored
        explanation = self._explainer(method).explain(self.evaluated.images.images[rows])
        maps = {name: explanation.maps[name].sum(axis=3) for name in self._map_names(method)}
        write_arrays(path, maps, identity)
        return maps

    def seconds(self, methods: Sequence[str]) -> float:
        """Returns the time that methods and the random orders took to measure, in this run or earlier ones.

        Args:
            methods: Names of explainers.
        """
        headers = (read_header(self._path(name)) for name in (RANDOM, *methods))
        return float(sum(header.get("seconds", 0.0) for header in headers))

    def lengths(self, methods: Sequence[str]) -> dict[str, dict[str, float]]:
        """Returns the lengths in pixels that methods took for the test images, by name, by the method's name.

        Args:
            methods: Names of explainers.
        """
        headers = {method: read_header(self._path(method)) for method in methods}
        return {method: header.get("lengths", {}) for method, header in headers.items()}

    def _measure(self, method: str, on_progress: Callable[[float], None]) -> MeasuredMethod | RandomOrders:
        # The numbers of a method must not depend on what ran before it.
        keras.utils.set_random_seed(self.options.seed)
        if method == RANDOM:
            return measure_random(self.setting, on_progress)
        map_names = self._map_names(method)

        def randomised(share: float) -> explainers.Explainer:
            models = without_learning(self.bundle, method, self.options.seed, share)
            return self._get(method, models)

        return measure(self._explainer(method), map_names, self.setting, randomised, on_progress, method)

    def _controls(self, method: str) -> tuple[str, ...]:
        return control_names(method) if self.options.controls else ()

    def _map_names(self, method: str) -> list[str]:
        maps = {method: self._explainer(method).map_names}
        return [compared.map_name for compared in compared_maps(maps)]

    def _explainer(self, method: str) -> explainers.Explainer:
        if method not in self._explainers:
            self._explainers[method] = self._get(method, self.bundle)
        return self._explainers[method]

    def _get(self, method: str, models: Any) -> explainers.Explainer:
        given: dict[str, Any] = {"batch_size": self.batch_size}
        if "seed" in explainers.options(method):
            given["seed"] = self.options.seed
        if smooths(method):
            given |= self.options.kernel
        return explainers.get(method, models, **given | dict(self.options.method_options.get(method, {})))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def _code(method: str) -> dict[str, str]:
    """Returns what a method's measurements depend on that its author changes between two runs."""
    return {"code": explainers.computing_code() if method == RANDOM else explainers.code(method)}


def _of_same_images(arrays: Arrays, others: Arrays) -> bool:
    """Compares ``EvaluatedImages.as_arrays`` but for the scores, whose last bits differ between machines."""
    return all(np.array_equal(arrays[name], values) for name, values in others.items() if name != "scores")
