"""Explanations of studies, with full batches whatever the studies' sizes."""

from __future__ import annotations

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
) -> Iterator[StudyExplanation | Earlier | InputError]:
    """Explains studies in their order.

    Single images are gathered until they fill a batch: one at a time would cost nearly as much as a batch. At
    most a batch and one study are held at once.

    Args:
        explainer: Explainer of images of their size.
        studies: Studies; results of earlier runs and errors are handed on in their places.
        on_progress: Function that is called with the number of studies, or the part of one, that got done.

    Yields:
        For each study its explanation, or the error that says why it has none.

    Raises:
        InputError: The images of a batch do not fit into memory; the explainer refuses every image.
    """
    waiting: list[Study | Earlier | InputError] = []
    slices = 0
    for study in studies:
        waiting.append(study)
        if isinstance(study, Study):
            slices += int((~study.blank).sum())
        if max(slices, len(waiting)) >= explainer.batch_size:
            yield from _explain_together(explainer, waiting, on_progress)
            waiting, slices = [], 0
    yield from _explain_together(explainer, waiting, on_progress)


def _explain_together(
    explainer: Explainer,
    waiting: Sequence[Study | Earlier | InputError],
    on_progress: Callable[[float], None],
) -> Iterator[StudyExplanation | Earlier | InputError]:
    images = [study.images[~study.blank] for study in waiting if isinstance(study, Study)]
    total = sum(len(part) for part in images)
    together: Explanation | None = None
    if not total:
        on_progress(len(waiting))
    else:
        try:
            together = _explain(
                explainer, np.concatenate(images), lambda done: on_progress(done / total * len(waiting))
            )
        except InputError:
            raise
        except Exception as error:
            # One study's images may be what the model cannot do: each is tried alone.
            for study in waiting:
                yield _explain_alone(explainer, study, error) if isinstance(study, Study) else study
            return
    first = 0
    for study in waiting:
        if not isinstance(study, Study):
            yield study
            continue
        count = int((~study.blank).sum())
        if count and together is not None:
            yield StudyExplanation(study, together.take(slice(first, first + count)))
        else:
            yield _nothing(explainer, study)
        first += count


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
