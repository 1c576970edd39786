"""Check of a bundle's classifier: what it takes and returns, so that every command can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from tfadvpath.errors import InputError
from tfadvpath.models.binary import is_bare

_ADAPT = "Make it one by tfadvpath.models.binary_classifier(model, (height, width, 1), target)"


def check_classifier(source: Path | str, classifier: Any, image_size: int | None = None) -> None:
    """Checks that a classifier takes grey images of one size and returns one probability of each.

    Args:
        source: File or parameter, for the message.
        classifier: Keras model.
        image_size: Height and width of the recipe's images; None is not compared.

    Raises:
        InputError: It is no Keras model, or takes or returns something else.
    """
    problem, remedy = _fault(classifier)
    if problem:
        raise InputError(source, problem, remedy)
    height, width = classifier.inputs[0].shape[1:3]
    if image_size is not None and (height, width) != (image_size, image_size):
        raise InputError(
            source,
            f"takes images of {height} x {width}, where the recipe's have {image_size} x {image_size}",
            f"Set data.image_size of the recipe to {height}, or give another classifier",
        )


def _fault(classifier: Any) -> tuple[str, str]:
    """Returns the problem and its remedy; empty texts where there is none."""
    if not isinstance(classifier, keras.Model):
        return f"is no Keras model but {type(classifier).__name__}", "Give a keras.Model of images"
    # A subclassed model does not know its input, and needs its own code to be loaded again.
    inputs, outputs = (getattr(classifier, name, None) or [] for name in ("inputs", "outputs"))
    if not inputs:
        return (
            "does not know its input",
            "Build it from keras.Input((height, width, 1)): keras.Model(image, model(image))",
        )
    if len(inputs) > 1:
        return f"takes {len(inputs)} inputs, where there are images alone", "Give a keras.Model of the images"
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype
    if len(shape) != 4:
        return f"takes {shape[1:]}, where images are (height, width, 1)", "Give a keras.Model of images"
    if None in shape[1:3]:
        return f"takes images of open size {shape[1:]}, where all have one size", _ADAPT
    if shape[3] != 1:
        return f"takes images of {shape[3]} channels, where images are grey", _ADAPT
    if shape[0] is not None:
        return (
            f"takes {shape[0]} images at a time and no other number",
            "Build it from keras.Input((height, width, 1)), without a batch size",
        )
    if not keras.backend.is_float_dtype(dtype):
        return f"takes {dtype}, which has no gradient", "Give the part of it behind the conversion"
    made = [tuple(each.shape) for each in outputs]
    if made != [(None, 1)]:
        return f"returns {', '.join(map(str, made))}, where one probability (None, 1) is wanted", _ADAPT
    if not is_bare(classifier):
        return "takes its images or returns its probability in a list or mapping", _ADAPT
    return "", ""
