"""Explanations of studies, with full batches whatever the studies' sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import Study, read_study


def explained(
    explainer: Explainer,
    studies: Iterable[Sequence[Path]],
    size: tuple[int, int],
    channel: int | None = None,
    on_progress: Callable[[float], None] = lambda studies: None,
) -> Iterator[StudyExplanation | InputError]:
    """Reads and explains studies in their order.

    Single images are gathered until they fill a batch: one at a time would cost nearly as much as a batch. At
    most a batch and one study are held at once.

    Args:
        explainer: Explainer of images of that size.
        studies: Files of every study.
        size: Height and width that the classifier takes.
        channel: Index of the channel of 4-D NIfTI files.
        on_progress: Function that is called with the number of studies, or the part of one, that got done.

    Yields:
        For each study its explanation, or the error that says why it has none.
    """
    waiting: list[Study | InputError] = []
    slices = 0
    for sources in studies:
        try:
            study = read_study(sources, size, channel)
        except InputError as error:
            waiting.append(error)
        else:
            waiting.append(study)
            slices += int((~study.blank).sum())
        if max(slices, len(waiting)) >= explainer.batch_size:
            yield from _explain_together(explainer, waiting, on_progress)
            waiting, slices = [], 0
    yield from _explain_together(explainer, waiting, on_progress)


def _explain_together(
    explainer: Explainer, waiting: Sequence[Study | InputError], on_progress: Callable[[float], None]
) -> Iterator[StudyExplanation | InputError]:
    images = [study.images[~study.blank] for study in waiting if isinstance(study, Study)]
    total = sum(len(part) for part in images)
    if not total:
        on_progress(len(waiting))
    else:
        try:
            together = explainer.explain(
                np.concatenate(images), lambda done: on_progress(done / total * len(waiting))
            )
        except tf.errors.ResourceExhaustedError as error:
            raise InputError(
                "`batch_size`",
                f"{explainer.batch_size} images do not fit into memory",
                "Give a smaller number",
            ) from error
    first = 0
    for study in waiting:
        if isinstance(study, InputError):
            yield study
            continue
        count = int((~study.blank).sum())
        if count:
            yield StudyExplanation(study, together.take(slice(first, first + count)))
        else:
            nothing = explainer.EXPLANATION.of_nothing(study.images.shape[1:], explainer.map_names)
            yield StudyExplanation(study, nothing)
        first += count
