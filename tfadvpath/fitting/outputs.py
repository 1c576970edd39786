"""The outputs of a classifier: probabilities or logits, of one class against the rest or of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.models.layer_calls import LayerCall, recorded_calls

Kind = Literal["probability", "logit"]
# Layers behind the activation that leave its values as they are.
_INERT = {"Reshape", "Flatten", "Dropout", "Identity", "Cast", "GetItem", "Squeeze"}
_BY_ACTIVATION: dict[str, Kind] = {
    "sigmoid": "probability",
    "hard_sigmoid": "probability",
    "softmax": "probability",
    "linear": "logit",
}
_TOLERANCE = 1e-3  # of a sum of probabilities, which may have been computed in half precision
_PARAMETER = "`classifier`"


@dataclass(frozen=True)
class Outputs:
    """What a classifier answers.

    Attributes:
        kind: Kind of the numbers: probabilities, or logits that a sigmoid or softmax makes probabilities of.
        classes: Number of outputs.
        exclusive: Whether an image is of one of the classes, as with a softmax; otherwise each output is a
            finding by itself. A single output is not.
        note: Sentence on what was found or assumed; "" where the classifier answers probabilities by its last
            layer.
    """

    kind: Kind
    classes: int
    exclusive: bool
    note: str = ""

    def probabilities(self, answers: np.ndarray) -> np.ndarray:
        """Returns answers of the classifier, float [N, K], as probabilities float64 [N, K]."""
        answers = np.asarray(answers, np.float64)
        if self.kind == "probability":
            return answers
        if not self.exclusive:
            return 1.0 / (1.0 + np.exp(-np.clip(answers, -700, 700)))
        raised = np.exp(answers - answers.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def read_outputs(
    model: keras.Model, images: np.ndarray, answers: np.ndarray, logits: bool | None = None
) -> Outputs:
    """Returns what the outputs of a model are, by its last activation, or else by its answers.

    Args:
        model: Keras model with one output [N, K].
        images: One image or more as the model takes them, float [N, H, W, C].
        answers: Answers of the model to many images, float [N, K].
        logits: Whether the answers are logits; None finds out.

    Raises:
        InputError: The answers are not finite, or neither probabilities nor logits.
    """
    classes = answers.shape[1]
    wrong = int((~np.isfinite(answers).all(axis=1)).sum())
    if wrong:
        raise InputError(
            _PARAMETER,
            f"answers with NaN or infinite values to {wrong} of {len(answers)} images",
            "Check its weights, and the range of values that it takes (`value_range`)",
        )
    in_range = bool(answers.min() >= -_TOLERANCE and answers.max() <= 1 + _TOLERANCE)
    sums_to_one = in_range and classes > 1 and bool(np.allclose(answers.sum(axis=1), 1.0, atol=_TOLERANCE))
    activation = last_activation(model, images)
    if logits is not None:
        if not logits and not in_range:
            raise InputError(
                "`logits`",
                f"says probabilities, but the classifier answers from {answers.min():.3g} to "
                f"{answers.max():.3g}",
                "Leave it out",
            )
        exclusive = classes > 1 and (logits or sums_to_one)
        return Outputs("logit" if logits else "probability", classes, exclusive)
    kind = _BY_ACTIVATION.get(activation or "")
    if kind == "probability":
        return Outputs("probability", classes, classes > 1 and (activation == "softmax" or sums_to_one))
    if in_range and (sums_to_one or (classes == 1 and kind is None) or _on_both_sides(answers)):
        # A hidden sigmoid or softmax, such as one that a calibration ends in.
        note = "" if kind is None else "The classifier ends without an activation, but answers probabilities."
        return Outputs("probability", classes, sums_to_one, note)
    if kind is None and activation is not None:
        raise InputError(
            _PARAMETER,
            f"ends in the activation {activation!r} and answers from {answers.min():.3g} to "
            f"{answers.max():.3g}, which are neither probabilities nor logits",
            "End it in a sigmoid or softmax, or say what they are by `logits`",
        )
    ending = "a sigmoid" if classes == 1 else "a softmax"
    why = "ends without an activation" if kind == "logit" else "answers outside of [0, 1]"
    note = (
        f"The classifier {why}: its outputs are taken for logits, and {ending} makes probabilities of them."
    )
    return Outputs("logit", classes, classes > 1, note)


def last_activation(model: keras.Model, images: np.ndarray) -> str | None:
    """Returns the name of the activation that makes a model's output; None where it is none that is known.

    Args:
        model: Keras model.
        images: One image or more as the model takes them, float [N, H, W, C].
    """
    with recorded_calls(model) as calls:
        output = model(keras.ops.convert_to_tensor(images[:1]), training=False)
    [wanted] = keras.tree.flatten(output)
    while True:
        call = _maker_of(wanted, calls)
        if call is None:
            return None
        name = _activation_of(call.layer)
        if name is None and type(call.layer).__name__ in _INERT:
            [wanted] = keras.tree.flatten(call.inputs)[:1]
            continue
        if name == "linear" and not call.layer.weights:  # an Activation that does nothing
            [wanted] = keras.tree.flatten(call.inputs)[:1]
            continue
        return name


def _maker_of(tensor: Any, calls: list[LayerCall]) -> LayerCall | None:
    """Returns the innermost call that made a tensor: calls are listed as they end."""
    for call in calls:
        if any(each is tensor for each in keras.tree.flatten(call.outputs)):
            return call
    return None


def _activation_of(layer: Any) -> str | None:
    kind = type(layer).__name__
    if kind in ("Softmax", "Sigmoid", "HardSigmoid", "Tanh"):  # layers and operations
        return {"HardSigmoid": "hard_sigmoid"}.get(kind, kind.lower())
    activation = getattr(layer, "activation", None)
    return None if activation is None else getattr(activation, "__name__", type(activation).__name__)


def _on_both_sides(answers: np.ndarray) -> bool:
    """Whether single answers in [0, 1] lie on both sides of 0.5, as logits in that range never decide."""
    return answers.shape[1] == 1 and bool(answers.min() < 0.5 <= answers.max())
