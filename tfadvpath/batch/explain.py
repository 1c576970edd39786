"""Explanations of studies, with full batches whatever the studies' sizes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import tensorflow as tf

from tfadvpath.batch.reading import Earlier, images_of
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import Explanation, StudyExplanation
from tfadvpath.studies.study import Study

_Thing = TypeVar("_Thing")


class Gathering(Generic[_Thing]):
    """Studies in a row, gathered until they are explained together.

    Single images are gathered until they fill a batch: one at a time would cost nearly as much as a batch. At
    most a batch and one study are held at once. Which studies are together follows from their order and
    their numbers of images, whoever explains them: rounding depends on an image's batch.

    Args:
        batch_size: Number of images of a batch.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._waiting: list[_Thing] = []
        self._images = 0

    def add(self, thing: _Thing, images: int) -> list[_Thing]:
        """Adds a study, and returns those that are explained together now; none while more may come.

        Args:
            thing: Study, or what stands for it.
            images: Number of its images to explain; 0 of one that cannot be read.
        """
        self._waiting.append(thing)
        self._images += images
        full = max(self._images, len(self._waiting)) >= self._batch_size
        return self.rest() if full else []

    def rest(self) -> list[_Thing]:
        """Returns those that wait, which are explained together where no more come."""
        together, self._waiting, self._images = self._waiting, [], 0
        return together


def explained(
    explainer: Explainer,
    studies: Iterable[Study | Earlier | InputError],
    on_progress: Callable[[float], None] = lambda studies: None,
    read_again: Callable[[Earlier], Study | None] = lambda earlier: None,
) -> Iterator[tuple[StudyExplanation | Earlier | InputError, float]]:
    """Explains studies in their order.

    An image's batch, and its place there, are those that it has where no study is of an earlier run: rounding
    depends on them. The studies of an earlier run that share a batch with others are read again for that.

    Args:
        explainer: Explainer of images of their size.
        studies: Studies; results of earlier runs and errors are handed on in their places.
        on_progress: Function that is called with the number of studies, or the part of one, that got done.
        read_again: Function that reads a study of an earlier run; None stands for one that has changed.

    Yields:
        For each study its explanation, or the error that says why it has none; and the seconds that
        explaining it took, which studies of one batch share by their images.

    Raises:
        InputError: The images of a batch do not fit into memory; the explainer refuses every image.
    """
    gathering: Gathering[Study | Earlier | InputError] = Gathering(explainer.batch_size)
    for study in studies:
        yield from explained_together(
            explainer, gathering.add(study, images_of(study)), on_progress, read_again
        )
    yield from explained_together(explainer, gathering.rest(), on_progress, read_again)


def explained_together(
    explainer: Explainer,
    waiting: Sequence[Study | Earlier | InputError],
    on_progress: Callable[[float], None] = lambda studies: None,
    read_again: Callable[[Earlier], Study | None] = lambda earlier: None,
) -> Iterator[tuple[StudyExplanation | Earlier | InputError, float]]:
    """Explains studies whose images are put into batches in a row.

    Args:
        explainer: Explainer of images of their size.
        waiting: Studies that were gathered.
        on_progress: Function that is called with the number of studies, or the part of one, that got done.
        read_again: Function that reads a study of an earlier run.

    Yields:
        The same as ``explained``.

    Raises:
        InputError: The same as of ``explained``.
    """
    if not waiting:
        return
    together: Explanation | None = None
    seconds = 0.0
    needed = sum(images_of(study) for study in waiting if isinstance(study, Study))
    if not needed:
        on_progress(len(waiting))
    else:
        started = time.monotonic()
        images, places = _batches(waiting, explainer.batch_size, read_again)
        try:
            together = _explain(
                explainer, images, lambda done: on_progress(done / len(images) * len(waiting))
            )
        except InputError:
            raise
        except Exception as error:
            # One study's images may be what the model cannot do: each is tried alone.
            for study in waiting:
                started = time.monotonic()
                alone = _explain_alone(explainer, study, error) if isinstance(study, Study) else study
                yield alone, time.monotonic() - started
            return
        seconds = (time.monotonic() - started) / needed
    for number, study in enumerate(waiting):
        if not isinstance(study, Study):
            yield study, 0.0
        elif together is None or not images_of(study):
            yield _nothing(explainer, study), 0.0
        else:
            yield StudyExplanation(study, together.take(places[number])), seconds * images_of(study)


def _batches(
    waiting: Sequence[Study | Earlier | InputError],
    batch_size: int,
    read_again: Callable[[Earlier], Study | None],
) -> tuple[np.ndarray, dict[int, slice]]:
    """Returns the images of the batches that hold images to explain.

    Returns:
        Images float32 [N, H, W, 1], and where those of each study to explain are in them, by its number.
    """
    firsts = [0, *itertools.accumulate(map(images_of, waiting))]
    spans = list(itertools.pairwise(firsts))
    wanted = [
        (first, end)
        for study, (first, end) in zip(waiting, spans, strict=True)
        if isinstance(study, Study) and first < end
    ]
    begin = wanted[0][0] // batch_size * batch_size
    stop = -(-wanted[-1][1] // batch_size) * batch_size
    images: list[np.ndarray] = []
    places: dict[int, slice] = {}
    length = 0
    for number, (study, (first, end)) in enumerate(zip(waiting, spans, strict=True)):
        if isinstance(study, InputError) or max(first, begin) >= min(end, stop):
            continue
        read = study if isinstance(study, Study) else read_again(study)
        if read is None:
            continue
        part = read.images[~read.blank][max(begin - first, 0) : stop - first]
        places[number] = slice(length, length + len(part))
        images.append(part)
        length += len(part)
    return np.concatenate(images), places


def _explain_alone(explainer: Explainer, study: Study, met: Exception) -> StudyExplanation | InputError:
    if study.blank.all():
        return _nothing(explainer, study)
    try:
        return StudyExplanation(study, _explain(explainer, study.images[~study.blank]))
    except InputError:
        raise
    except Exception as error:
        if isinstance(met, (ValueError, TypeError)):
            _check_explainer(explainer, study.images.shape[1:])
        return unforeseen(study.source, error)


def _check_explainer(explainer: Explainer, shape: tuple[int, ...]) -> None:
    """Raises what an explainer says of its classifier, if it says so of any image."""
    try:
        explainer.explain(np.zeros((1, *shape), np.float32))
    except (ValueError, TypeError) as error:
        raise InputError(
            "`method`", f"cannot explain this classifier: {error}".rstrip("."), "Choose another"
        ) from error


def _explain(explainer: Explainer, images: np.ndarray, on_batch: Any = None) -> Explanation:
    try:
        return explainer.explain(images, on_batch)
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "`batch_size`",
            f"{explainer.batch_size} images do not fit into memory",
            "Give a smaller number",
        ) from error


def _nothing(explainer: Explainer, study: Study) -> StudyExplanation:
    nothing = explainer.EXPLANATION.of_nothing(study.images.shape[1:], explainer.map_names)
    return StudyExplanation(study, nothing)
