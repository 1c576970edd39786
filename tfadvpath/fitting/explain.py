"""Explanations by one call, by a bundle, a fitted classifier, an explainer or a classifier alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath import explainers
from tfadvpath.batch.run import get_explainer
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.method import AUTO, OF_A_CLASSIFIER, chosen_method
from tfadvpath.errors import InputError, first_line
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import Explanation, check_images
from tfadvpath.fitting.classifier import examine, images_size, load_classifier
from tfadvpath.fitting.images import (
    array_of_images,
    files_of_images,
    is_files,
    scaled_array,
    size_of_array,
)
from tfadvpath.studies.find import find_studies
from tfadvpath.studies.study import read_study


def explain(
    model: Any, images: Any, method: str | None = None, steps: int | None = None, **options: Any
) -> Explanation:
    """Explains images by whatever explains them.

    Args:
        model: Bundle or its folder; what ``tfadvpath.fit`` returned; an explainer; or a classifier: a Keras
            model, its .keras file, or any function of images [N, H, W, C] in [0, 1] to probabilities.
        images: Array [N, H, W, C] in [0, 1] or of bytes; or paths of files and folders (DICOM, NIfTI, PNG,
            JPEG), of which every slice that is not blank is an image, in the files' order.
        method: Name of the method, such as "syce" or "gradient". None is "syce" of a bundle that has it, else
            another generator's; of a classifier alone "integrated_gradients".
        steps: Number of points of the path where the gradient is taken; None is the method's default.
        **options: Further options of the method. Of a Keras classifier also ``target``, ``against``,
            ``threshold``, ``value_range`` and ``logits``, as ``tfadvpath.fit`` takes them.

    Raises:
        InputError: There is no such method or option, a file cannot be read, or the images do not fit.

    Example:
        >>> from tfadvpath import DEMONSTRATION
        >>> image = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (1, 128, 1))
        >>> explanation = explain(DEMONSTRATION, image, steps=4)
        >>> explanation.maps["fi_v2_smooth"].shape
        (1, 128, 128, 1)
    """
    given = options if steps is None else {"steps": steps, **options}
    of_fit = getattr(model, "bundle", None)
    if isinstance(of_fit, Bundle):
        method, model = method or model.method, of_fit
    if isinstance(model, Explainer):
        if method is not None or given:
            raise InputError("`method`", "does not go with an explainer, which has one", "Leave it out")
        return _answered(model, _plain(images, None, None))
    if isinstance(model, (str, Path)) and Path(model).is_dir():
        model = load_bundle(model)
    if isinstance(model, Bundle):
        explainer = get_explainer(model, chosen_method(model, method or AUTO), **given)
        return _answered(explainer, _plain(images, model.image_size, model.recipe.data.volume_channel))
    return _by_classifier(model, images, method or OF_A_CLASSIFIER, given)


def _plain(images: Any, size: tuple[int, int] | None, channel: int | None) -> np.ndarray:
    """Returns images as they are explained: all of an array, or the slices of files that are not blank."""
    if not is_files(images):
        scaled, _ = scaled_array(images)
        if size is not None and scaled.shape[1:3] != size:
            raise InputError(
                "`images`",
                f"are of {scaled.shape[1]} x {scaled.shape[2]}, where the bundle takes {size[0]} x {size[1]}",
                "Resize them, or pass their files",
            )
        return scaled
    given = [Path(one) for one in ([images] if isinstance(images, (str, Path)) else images)]
    parts = []
    for found in find_studies(given).studies:
        study = read_study(found.sources, size, channel)
        parts.append(study.images[~study.blank])
    if not sum(map(len, parts)):
        raise InputError(
            given[0], "holds no image that shows anything", "Name image files or folders of them"
        )
    return np.concatenate(parts)


_OF_THE_DECISION = ("target", "against", "threshold", "value_range", "logits")


def _by_classifier(model: Any, images: Any, method: str, given: dict[str, Any]) -> Explanation:
    if method not in explainers.names() or explainers.generator_of(method) is not None:
        known = [name for name in explainers.names() if explainers.generator_of(name) is None]
        is_known = method in explainers.names()
        problem = f"{method!r} {'needs a trained generator' if is_known else 'is none that is known'}"
        remedy = f"Train a generator by tfadvpath.fit, or choose one of {', '.join(known)}"
        raise InputError("`method`", problem, remedy)
    if isinstance(model, (str, Path, keras.Model)):
        network = load_classifier(model)
        decided = {name: given.pop(name) for name in _OF_THE_DECISION if name in given}
        size, _ = images_size(network, None, size_of_array(images))
        found = (
            files_of_images(images, size)
            if is_files(images)
            else array_of_images(images, value_range=decided.get("value_range"))
        )
        model, shown = examine(network, found, **decided).decision, found.images
    else:
        shown = check_images(images) if not is_files(images) else _plain(images, None, None)
    unknown = set(given) - set(explainers.options(method))
    if unknown:
        name = sorted(unknown)[0]
        raise InputError(f"`{name}`", f"is no option of {method}", "Leave it out")
    return _answered(explainers.get(method, model, **given), shown)


def _answered(explainer: Explainer, images: np.ndarray) -> Explanation:
    try:
        return explainer.explain(images)
    except (ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("`images`", f"cannot be explained ({first_line(error)})", "Mend them") from error
