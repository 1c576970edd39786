"""Any classifier as one function: images -> the probability that is explained."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Probability = Callable[[tf.Tensor], tf.Tensor]


def probability_function(classifier: Any, target: int | None = None) -> Probability:
    """Returns f: float [N, H, W, C] -> [N] in the classifier's dtype, whatever the classifier is.

    Args:
        classifier: A Keras 3 or tf_keras model (called with ``training=False``), a signature of a loaded
            SavedModel, or any TensorFlow function from images to probabilities [N], [N, 1] or [N, K].
        target: Which of K classes is explained. None where there is one output.

    Raises:
        TypeError: The classifier cannot be called, or returns several named outputs.
        ValueError: The output has another shape, or ``target`` is missing or outside the classes. Raised when
            the function is first called.

    Example:
        >>> f = probability_function(lambda x: tf.sigmoid(tf.reduce_sum(x, axis=(1, 2, 3))))
        >>> f(tf.zeros((2, 4, 4, 1))).numpy()
        array([0.5, 0.5], dtype=float32)
    """
    call = _caller(classifier)

    def probability(images: tf.Tensor) -> tf.Tensor:
        return _column(_single_tensor(call(images)), target)

    return probability


def _caller(classifier: Any) -> Probability:
    if getattr(classifier, "structured_input_signature", None) is not None:
        return _signature_caller(classifier)
    if not callable(classifier):
        names = list(getattr(classifier, "signatures", {}))
        hint = f" Pass one of its signatures: loaded.signatures[name], name in {names}." if names else ""
        raise TypeError(f"`classifier` must be callable. Received: {type(classifier).__name__}.{hint}")
    call = getattr(classifier, "call", None)  # Keras layers and models, of either generation
    if call is not None and "training" in inspect.signature(call).parameters:
        return lambda images: classifier(images, training=False)
    return classifier


def _signature_caller(signature: Any) -> Probability:
    positional, named = signature.structured_input_signature
    if positional or len(named) != 1:
        # A concrete function of a plain tf.function takes its images by position.
        return signature
    (name, spec), *_ = named.items()
    return lambda images: signature(**{name: tf.cast(images, spec.dtype)})


def _single_tensor(output: Any) -> tf.Tensor:
    leaves = tf.nest.flatten(output)
    if len(leaves) != 1:
        received = sorted(output) if isinstance(output, dict) else len(leaves)
        raise TypeError(
            f"The classifier must return one tensor of probabilities. Received: {received} outputs; "
            "wrap it in a function that picks one"
        )
    return tf.convert_to_tensor(leaves[0])


def _column(output: tf.Tensor, target: int | None) -> tf.Tensor:
    classes = 1 if output.shape.rank == 1 else output.shape[-1]
    if output.shape.rank not in (1, 2) or classes is None:
        raise ValueError(f"The classifier must return [N], [N, 1] or [N, K]. Received: shape {output.shape}")
    if target is None and classes > 1:
        raise ValueError(f"The classifier has {classes} classes: `target` must name the one to explain")
    if target is not None and not 0 <= target < max(classes, 1):
        raise ValueError(f"`target` must be in 0…{classes - 1}. Received: target={target}")
    return output if output.shape.rank == 1 else output[:, target or 0]
