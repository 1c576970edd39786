"""Explanations of studies, with full batches whatever the studies' sizes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfadvpath.batch.reading import Earlier
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import Explanation, StudyExplanation
from tfadvpath.studies.study import Study


def explained(
    explainer: Explainer,
    studies: Iterable[Study | Earlier | InputError],
    on_progress: Callable[[float], None] = lambda studies: None,
    read_again: Callable[[Earlier], Study | None] = lambda earlier: None,
) -> Iterator[tuple[StudyExplanation | Earlier | InputError, float]]:
    """Explains studies in their order.

    Single images are gathered until they fill a batch: one at a time would cost nearly as much as a batch. At
    most a batch and one study are held at once. An image's batch, and its place there, are those that it has
    where no study is of an earlier run: rounding depends on them. The studies of an earlier run that share a
    batch with others are read again for that.

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
    waiting: list[Study | Earlier | InputError] = []
    slices = 0
    for study in studies:
        waiting.append(study)
        slices += _count(study)
        if max(slices, len(waiting)) >= explainer.batch_size:
            yield from _explain_together(explainer, waiting, on_progress, read_again)
            waiting, slices = [], 0
    yield from _explain_together(explainer, waiting, on_progress, read_again)


def _count(study: Study | Earlier | InputError) -> int:
    """Returns the number of images of a study that are explained."""
    if isinstance(study, Study):
        return int((~study.blank).sum())
    return study.explained_slices if isinstance(study, Earlier) else 0


def _explain_together(
    explainer: Explainer,
    waiting: Sequence[Study | Earlier | InputError],
    on_progress: Callable[[float], None],
    read_again: Callable[[Earlier], Study | None],
) -> Iterator[tuple[StudyExplanation | Earlier | InputError, float]]:
    together: Explanation | None = None
    seconds = 0.0
    needed = sum(_count(study) for study in waiting if isinstance(study, Study))
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
        elif together is None or not _count(study):
            yield _nothing(explainer, study), 0.0
        else:
            yield StudyExplanation(study, together.take(places[number])), seconds * _count(study)


def _batches(
    waiting: Sequence[Study | Earlier | InputError],
    batch_size: int,
    read_again: Callable[[Earlier], Study | None],
) -> tuple[np.ndarray, dict[int, slice]]:
    """Returns the images of the batches that hold images to explain.

    Returns:
        Images float32 [N, H, W, 1], and where those of each study to explain are in them, by its number.
    """
    firsts = [0, *itertools.accumulate(map(_count, waiting))]
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
