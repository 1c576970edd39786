"""A classifier as a person has it: what it takes, what it answers, and the decision that is explained."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath.bundle.networks import load_network, load_own_network, save_network
from tfadvpath.errors import InputError, first_line
from tfadvpath.fitting.decision import Question, choose_question, decision_model, fed_model
from tfadvpath.fitting.images import GivenImages
from tfadvpath.fitting.input_range import (
    CANDIDATES,
    UNIT,
    Range,
    range_by_labels,
    range_inside,
    said,
)
from tfadvpath.fitting.outputs import Outputs, read_outputs

_PARAMETER = "`classifier`"
_BATCH = 64
_LEAST_SIZE = 32  # pixels, of a recipe's images
_STEP = 4  # sides are multiples of it: the generators halve them twice at least
_ROUND_UP = 16  # a side that is none becomes a multiple of it
_USUAL_SIZE = 224  # of a classifier that takes any
_SATURATED = 1e-6  # a probability that near 0 or 1 has next to no slope in float32
_TURNED = 0.02  # share of decisions that scaling may turn without a word
_LOOKED_AT = 8  # images whose answers are compared after saving and loading


@dataclass(frozen=True, eq=False)
class ExaminedClassifier:
    """A classifier whose decision can be explained.

    Attributes:
        decision: Decision f, a Keras model, float32 [N, S, S, 1] in [0, 1] -> [N, 1].
        answers: The classifier on the same images: float32 [N, S, S, 1] -> its outputs [N, K].
        outputs: Outputs of the classifier.
        question: Question that f answers.
        value_range: Values that the classifier takes for black and white.
        probabilities: Probabilities of the images that were given, float64 [N, K].
        notes: Sentences on what was found, chosen and assumed.
    """

    decision: keras.Model
    answers: keras.Model
    outputs: Outputs
    question: Question
    value_range: Range
    probabilities: np.ndarray
    notes: tuple[str, ...]

    def probabilities_of(self, images: np.ndarray) -> np.ndarray:
        """Returns the probabilities of all classes for images float32 [N, S, S, 1], float64 [N, K]."""
        return self.outputs.probabilities(answers_of(self.answers, images))


def load_classifier(classifier: Any) -> keras.Model:
    """Returns a classifier that takes images and returns one row of numbers for each.

    Args:
        classifier: Keras model, or its .keras file.

    Raises:
        InputError: It cannot be loaded, is no Keras model, does not know its input, or takes or returns
            something else.
    """
    if isinstance(classifier, (str, Path)):
        path = Path(classifier)
        if not path.is_file():
            raise InputError(path, "is no file", "Name the .keras file of a classifier")
        model, source = load_own_network(path, str(path)), str(path)
    else:
        model, source = classifier, _PARAMETER
    _check(model, source)
    return model


def _check(model: Any, source: str) -> None:
    if not isinstance(model, keras.Model):
        raise InputError(
            source,
            f"is no Keras 3 model but {type(model).__name__}",
            "Give a keras.Model or its .keras file; tfadvpath.feature_importance takes any function",
        )
    inputs, outputs = (getattr(model, name, None) or [] for name in ("inputs", "outputs"))
    if not inputs or not outputs:
        raise InputError(
            source,
            "does not know its input",
            "Build it from image = keras.Input((height, width, channels)): keras.Model(image, model(image))",
        )
    if len(inputs) > 1:
        problem = f"takes {len(inputs)} inputs, where there are images alone"
        raise InputError(source, problem, "Give a keras.Model of the images")
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype
    if len(shape) == 5:
        raise InputError(
            source,
            f"takes volumes {shape[1:]}, and generators are of images (height, width, channels)",
            "Give a classifier of slices",
        )
    if len(shape) != 4:
        problem = f"takes {shape[1:]}, where images are (height, width, channels)"
        raise InputError(source, problem, "Give a classifier of images")
    if shape[3] not in (1, 3):
        raise InputError(
            source,
            f"takes images of {shape[3]} channels, where grey images have 1 and colour images 3",
            "Give a classifier of one channel",
        )
    if shape[0] is not None:
        problem = f"takes {shape[0]} images at a time and no other number"
        raise InputError(source, problem, "Build it from keras.Input without a batch size")
    if not keras.backend.is_float_dtype(dtype):
        problem = f"takes {dtype}, which has no gradient"
        raise InputError(source, problem, "Give the part of it behind the conversion")
    made = [tuple(each.shape) for each in outputs]
    if len(made) != 1:
        problem = f"returns {len(made)} outputs"
        raise InputError(source, problem, "Make a keras.Model of the one that classifies")
    if len(made[0]) != 2 or made[0][1] is None:
        kind = "a map, as a segmentation does," if len(made[0]) == 4 else f"{made[0]},"
        raise InputError(
            source, f"returns {kind} where a row of class outputs (None, K) is wanted", "Give a classifier"
        )


def images_size(model: keras.Model, asked: int | None, given: tuple[int, int] | None) -> tuple[int, str]:
    """Returns the side S of the square images that generators make, and a sentence where it differs.

    Args:
        model: Classifier that ``load_classifier`` returned.
        asked: Side that a person asks for; None chooses the classifier's.
        given: Height and width of images that come as an array; None where they are files, which are brought
            to any size.

    Raises:
        InputError: The array has another size than the classifier takes, or the side cannot be used.
    """
    size = tuple(model.inputs[0].shape[1:3])
    fixed = None not in size
    if given is not None:
        if fixed and given != size and given != (asked, asked):
            raise InputError(
                "`images`",
                f"are of {given[0]} x {given[1]}, where the classifier takes {size[0]} x {size[1]}",
                "Resize them as for the classifier, or pass their files",
            )
        if given[0] != given[1] or given[0] < _LEAST_SIZE or given[0] % _STEP:
            raise InputError(
                "`images`",
                f"are of {given[0]} x {given[1]} pixels, where an array is square, its side a multiple of "
                f"{_STEP} and at least {_LEAST_SIZE}",
                "Pass the files of the images, which are brought to a size, or pad them",
            )
        return given[0], ""
    if asked is not None:
        if asked < _LEAST_SIZE or asked % _STEP:
            raise InputError(
                "`image_size`",
                f"{asked} is no multiple of {_STEP} from {_LEAST_SIZE} on",
                f"Give one, such as {_usable(asked)}",
            )
        return asked, ""
    if not fixed:
        return _USUAL_SIZE, (
            f"The classifier takes images of any size: they are brought to {_USUAL_SIZE} x {_USUAL_SIZE} "
            "pixels. If it was trained at another size, name it by `image_size`."
        )
    side = max(size)
    if size == (side, side) and side >= _LEAST_SIZE and side % _STEP == 0:
        return side, ""
    usable = _usable(side)
    return usable, (
        f"The classifier takes images of {size[0]} x {size[1]} pixels: the generators make images of "
        f"{usable} x {usable}, which are resized for it."
    )


def _usable(side: int) -> int:
    return max(_LEAST_SIZE, -(-side // _ROUND_UP) * _ROUND_UP)


def examine(
    model: keras.Model,
    given: GivenImages,
    *,
    target: int | None = None,
    against: int | None = None,
    threshold: float = 0.5,
    value_range: Range | None = None,
    logits: bool | None = None,
) -> ExaminedClassifier:
    """Finds out what a classifier takes and answers, and makes the decision that is explained of it.

    Args:
        model: Classifier that ``load_classifier`` returned.
        given: Images, which may be of one class.
        target: Output that is class 1; None chooses.
        against: Output that is class 0; None chooses.
        threshold: Probability at which the classifier decides.
        value_range: Values that the classifier takes for black and white; None finds out or assumes.
        logits: Whether the outputs are logits; None finds out.

    Raises:
        InputError: It answers with what is no number, or a parameter does not fit it.
    """
    size = given.images.shape[1]
    notes = []
    if value_range is not None and not value_range[0] < value_range[1]:
        raise InputError(
            "`value_range`", f"{said(value_range)} is no range", "Give two numbers, such as 0 255"
        )

    def predicted(values: Range) -> tuple[keras.Model, np.ndarray]:
        network = fed_model(model, size, values)
        return network, answers_of(network, given.images)

    if value_range is None:
        value_range, note = _find_range(model, given, size, lambda values: predicted(values)[1])
        notes.append(note)
    if model.inputs[0].shape[3] == 3:
        notes.append("The classifier takes three channels: each grey image is given to it in all three.")
    network, answers = predicted(value_range)
    low, high = value_range
    shown = _as_the_model_takes(model, low + given.images[:1] * (high - low))
    outputs = read_outputs(model, shown, answers, logits)
    notes.append(outputs.note)
    probabilities = outputs.probabilities(answers)
    question, note = choose_question(outputs, probabilities, target, against, threshold)
    notes.append(note)
    decision = decision_model(model, size, outputs, question, value_range)
    scores = question.probability(probabilities)
    flat = float(np.mean((scores < _SATURATED) | (scores > 1 - _SATURATED)))
    if flat > 0.5:
        notes.append(
            f"The classifier answers 0 or 1 to within {_SATURATED:g} for {flat:.0%} of the images: it has "
            "hardly a slope there, and its adversaries are found slowly or not at all."
        )
    if given.as_stored is not None:
        places, stored = given.as_stored
        before = question.probability(outputs.probabilities(answers_of(network, stored)))
        turned = float(np.mean((before >= 0.5) != (scores[places] >= 0.5)))
        if turned > _TURNED:
            notes.append(
                f"Every image is scaled to [0, 1] by its own smallest and largest value, as all commands do. "
                f"This turns {turned:.0%} of the classifier's decisions on the pictures as they are stored: "
                "what is explained are its decisions on scaled images. Train it on such images if you can."
            )
    return ExaminedClassifier(
        decision=decision,
        answers=network,
        outputs=outputs,
        question=question,
        value_range=value_range,
        probabilities=probabilities,
        notes=tuple(note for note in notes if note),
    )


def _find_range(model: keras.Model, given: GivenImages, size: int, answer: Any) -> tuple[Range, str]:
    """Returns the range of values that a classifier takes, and a sentence on how it is known."""
    shape = tuple(model.inputs[0].shape[1:])
    inside = range_inside(model, (shape[0] or size, shape[1] or size, shape[2]))
    arrays = given.value_range
    if inside is not None:
        note = f"Images are given to the classifier in {said(inside)}, as its first layers want them."
        return inside, "" if inside == UNIT else note
    if arrays is not None:
        note = (
            "" if arrays == UNIT else f"Images are given to the classifier in {said(arrays)}, as the array "
        )
        return arrays, note + ("has them." if note else "")
    if given.labels is not None:
        found = range_by_labels(lambda values: _right(answer(values), given.labels))
        if found is not None:
            return (
                found,
                f"Images are given to the classifier in {said(found)}: there it decides as labelled.",
            )
    return UNIT, (
        "Images are given to the classifier in [0, 1]: nothing in it says otherwise. If it was trained on "
        "other values, name them, such as 0 and 255, by `value_range`."
    )


def _right(answers: np.ndarray, labels: np.ndarray | None) -> float:
    """Returns the share of images that are decided as labelled, the mean over the classes."""
    assert labels is not None
    if not np.isfinite(answers).all():
        return 0.0
    if answers.shape[1] > 1:
        decided = answers.argmax(axis=1)
    else:  # a logit decides at 0
        in_range = answers.min() >= 0 and answers.max() <= 1
        decided = (answers[:, 0] >= (0.5 if in_range else 0.0)).astype(int)
    return float(np.mean([np.mean(decided[labels == one] == one) for one in np.unique(labels)]))


def _as_the_model_takes(model: keras.Model, images: np.ndarray) -> np.ndarray:
    height, width, channels = model.inputs[0].shape[1:]
    wanted = (height or images.shape[1], width or images.shape[2])
    if images.shape[1:3] != wanted:
        images = np.asarray(keras.ops.image.resize(images, wanted))
    return np.repeat(images, channels, axis=3).astype(np.float32)


def answers_of(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns what a network answers to images float32 [N, H, W, 1], float32 [N, K], batch by batch."""
    # Not by `predict`, which compiles anew for each of the networks that are asked once.
    parts = [
        np.asarray(network(np.ascontiguousarray(images[i : i + _BATCH]), training=False))
        for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts)


def hint_of_range(model: keras.Model, given: GivenImages, used: Range, examined: ExaminedClassifier) -> str:
    """Returns a remedy that names a range in which a classifier decides both ways; "" if there is none.

    Args:
        model: Classifier that decides one way for all images.
        given: Images.
        used: Range in which it does.
        examined: Classifier and what is known of it.
    """
    for values in CANDIDATES:
        if values == used:
            continue
        answers = answers_of(fed_model(model, given.images.shape[1], values), given.images)
        if not np.isfinite(answers).all():
            continue
        one = examined.question.probability(examined.outputs.probabilities(answers)) >= 0.5
        if 0.1 <= one.mean() <= 0.9:
            low, high = values
            return (
                f"; on images in {said(values)} it puts {one.sum()} of {len(one)} in class 1: if it was "
                f"trained on such, pass them by `value_range`, {low:g} and {high:g}"
            )
    return ""


def check_can_be_kept(decision: keras.Model, images: np.ndarray) -> None:
    """Checks that a decision can be saved, and loaded without code of its own, as every command does.

    Args:
        decision: Decision f.
        images: Images float32 [N, S, S, 1] whose probabilities are compared.

    Raises:
        InputError: It cannot, or answers otherwise afterwards.
    """
    remedy = "Build it of Keras's layers, without Lambda layers and classes of its own"
    shown = images[:_LOOKED_AT]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decision.keras"
        try:
            save_network(path, decision)
            again = load_network(path)
        except Exception as error:  # whatever code of a model's own leads to
            problem = f"cannot be saved and loaded again ({first_line(error)[:200]})"
            raise InputError(_PARAMETER, problem, remedy) from error
    apart = float(np.abs(answers_of(again, shown) - answers_of(decision, shown)).max())
    if not apart <= 1e-4:
        problem = f"answers otherwise once it is saved and loaded: by up to {apart:.2g}"
        raise InputError(_PARAMETER, problem, remedy)


def digest_of(model: keras.Model) -> str:
    """Returns the SHA-256, in hexadecimal, of a model's layers and weights."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode() + np.ascontiguousarray(weights).tobytes())
    layers = [type(layer).__name__ for layer in model.layers]
    digest.update(json.dumps([layers, list(model.inputs[0].shape), list(model.outputs[0].shape)]).encode())
    return digest.hexdigest()
