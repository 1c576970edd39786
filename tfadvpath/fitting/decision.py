"""The decision that is explained, as a Keras model of it on images in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.fitting.input_range import UNIT, Range
from tfadvpath.fitting.outputs import Outputs
from tfadvpath.models.binary import binary_classifier

_LEAST_SUM = 1e-7  # of two probabilities, below which their ratio is rounding


@dataclass(frozen=True)
class Question:
    """The question that a classifier's outputs answer: which of two classes, and from which probability on.

    Attributes:
        target: Index of the output that is class 1.
        against: Index of the output that is class 0; None: all that is not class 1.
        threshold: Probability of class 1 from which on the classifier decides for it.
    """

    target: int = 0
    against: int | None = None
    threshold: float = 0.5

    def probability(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns f of probabilities float64 [N, K], float64 [N]; it is 0.5 at the threshold."""
        chosen = probabilities[:, self.target]
        if self.against is not None:
            both = chosen + probabilities[:, self.against]
            chosen = chosen / np.maximum(both, _LEAST_SUM)
        yes, no = chosen * (1 - self.threshold), (1 - chosen) * self.threshold
        return np.asarray(yes / (yes + no))

    def concerns(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns bool [N]: the largest output of an image is that of one of the two classes."""
        if self.against is None:
            return np.ones(len(probabilities), bool)
        return np.isin(probabilities.argmax(axis=1), (self.target, self.against))


def choose_question(
    outputs: Outputs,
    probabilities: np.ndarray,
    target: int | None,
    against: int | None,
    threshold: float,
) -> tuple[Question, str]:
    """Returns the question to explain, and a sentence on it where it was chosen here.

    Args:
        outputs: Outputs of the classifier.
        probabilities: Probabilities of all images, float64 [N, K].
        target: Output that is class 1; None chooses.
        against: Output that is class 0; None chooses, or takes all others where the outputs are no
            alternatives.
        threshold: Probability at which the classifier decides.

    Raises:
        InputError: An output is named that there is not; the outputs are findings of their own and ``target``
            is missing, or ``against`` is given; or all images are predicted of one class.
    """
    count = outputs.classes
    for name, given in (("target", target), ("against", against)):
        if given is not None and not 0 <= given < count:
            raise InputError(f"`{name}`", f"{given} is no output of the classifier", f"Name 0 to {count - 1}")
    if not 0 < threshold < 1:
        raise InputError("`threshold`", f"{threshold:g} is no probability in (0, 1)", "Leave it out for 0.5")
    if target is not None and target == against:
        raise InputError("`against`", f"{against} is `target` too", "Name another output")
    if count == 1:
        if against is not None:
            raise InputError("`against`", "does not go with a classifier of one output", "Leave it out")
        return Question(0, None, threshold), ""
    if not outputs.exclusive:
        if target is None or against is not None:
            raise InputError(
                "`target`" if target is None else "`against`",
                f"the classifier's {count} outputs are findings of their own: they do not add up to 1",
                f"Name one of 0 to {count - 1} in `target` and nothing in `against`",
            )
        return Question(target, None, threshold), ""
    if count == 2:
        chosen = target if target is not None else 1 if against is None else 1 - against
        return Question(chosen, 1 - chosen, threshold), ""
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=count)
    most = [int(one) for one in np.argsort(-predicted, kind="stable") if predicted[one]]
    if against is None:
        against = next((one for one in most if one != target), None)
    if target is None:
        target = next((one for one in most if one != against), None)
    if target is None or against is None:
        raise InputError(
            "`classifier`",
            f"puts all {len(probabilities)} images in class {most[0]}",
            "Add images of other classes, or check `value_range`",
        )
    others = len(probabilities) - predicted[target] - predicted[against]
    note = (
        f"The classifier has {count} classes: explained is class {target} (it counts as class 1, "
        f"{predicted[target]} images) against class {against} (class 0, {predicted[against]} images), by "
        f"f_{target} / (f_{against} + f_{target}). {others} images of other classes are left out; name "
        "other classes by `target` and `against`."
    )
    return Question(target, against, threshold), note


def fed_model(model: keras.Model, image_size: int, value_range: Range) -> keras.Model:
    """Returns a classifier as a model of the library's images: float32 [N, S, S, 1] in [0, 1] -> [N, K].

    Args:
        model: Classifier, float [N, H, W, C] in ``value_range`` -> [N, K].
        image_size: Height and width S of the images; where they are not those of the model, it resizes.
        value_range: Values that the model takes for black and white.
    """
    images = keras.Input((image_size, image_size, 1), name="image")
    answers = _answers(model, images, value_range)
    return keras.Model(images, keras.ops.cast(answers, "float32"), name="classifier_of_images")


def _answers(model: keras.Model, images: keras.KerasTensor, value_range: Range) -> keras.KerasTensor:
    size = images.shape[1:3]
    height, width, channels = model.inputs[0].shape[1:]
    wanted = (height or size[0], width or size[1])
    seen = images
    if value_range != UNIT:
        low, high = value_range
        seen = keras.layers.Rescaling(high - low, low, dtype="float32", name="to_the_classifiers_range")(seen)
    if wanted != size:
        seen = keras.layers.Resizing(*wanted, dtype="float32", name="to_the_classifiers_size")(seen)
    if channels > 1:
        seen = keras.ops.tile(seen, (1, 1, 1, channels))
    [answers] = keras.tree.flatten(model(seen))  # it may stand in a list or a mapping
    return answers


def decision_model(
    model: keras.Model, image_size: int, outputs: Outputs, question: Question, value_range: Range
) -> keras.Model:
    """Returns the decision as a model f: float32 [N, S, S, 1] in [0, 1] -> float32 [N, 1].

    Args:
        model: Classifier, float [N, H, W, C] in ``value_range`` -> [N, K].
        image_size: Height and width S of the images; where they are not those of the model, f resizes.
        outputs: Outputs of the model.
        question: Question that f answers.
        value_range: Values that the model takes for black and white.
    """
    height, width = model.inputs[0].shape[1:3]
    shape = (image_size, image_size, 1)
    same_size = (height or image_size, width or image_size) == shape[:2]
    plain = outputs.kind == "probability" and value_range == UNIT and question.threshold == 0.5
    if plain and same_size and question.against is None:
        return binary_classifier(model, shape, question.target if outputs.classes > 1 else None)
    images = keras.Input(shape, name="image")
    answers = keras.ops.cast(_answers(model, images, value_range), "float32")
    yes = answers[:, question.target : question.target + 1]
    no = None if question.against is None else answers[:, question.against : question.against + 1]
    if outputs.kind == "logit":
        probability = keras.ops.sigmoid(yes if no is None else yes - no)
    elif no is None:
        probability = yes
    else:
        probability = yes / keras.ops.maximum(yes + no, _LEAST_SUM)
    if question.threshold != 0.5:
        for_it = probability * (1.0 - question.threshold)
        probability = for_it / (for_it + (1.0 - probability) * question.threshold)
    return keras.Model(images, probability, name="decision")
