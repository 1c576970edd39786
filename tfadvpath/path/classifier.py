"""Any classifier as one function of images, and the gradient of the probability that is explained."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.models.inference_form import InferenceForm, has_inference_form
from tfadvpath.path.classifier_input import declared_input, fitted, said
from tfadvpath.path.precision import chosen_precision, computes_in_float32

Probability = Callable[[tf.Tensor], tf.Tensor]


def probability_function(
    classifier: Any, target: int | None = None, precision: str | None = None
) -> Probability:
    """Returns f: float [N, H, W, C] -> [N] in the classifier's dtype, whatever the classifier is.

    The images are cast to the type that the classifier declares. Where it declares a fixed number of images,
    it is called as often as that takes.

    With a ``precision``, a functional or sequential Keras model is computed by its
    ``models.inference_form.InferenceForm``: fewer operations, whose answers are the model's but for rounding.
    One that has a dtype policy of its own computes as that says, unless another type than float32 is asked
    for. Other callables are fed images of that type.

    Args:
        classifier: Keras 3 or tf_keras model (called with ``training=False``), a signature of a loaded
            SavedModel, or any TensorFlow function from images to probabilities [N], [N, 1] or [N, K].
        target: Class that is explained, of K; None where there is one output.
        precision: Floating-point type of the computation: "float32", "bfloat16", "auto" for the faster of
            both, see ``path.precision.chosen_precision``. None calls the classifier as it is.

    Raises:
        TypeError: The classifier cannot be called, takes several inputs or integers, or returns several
            outputs (this is raised when the function is first called).
        ValueError: The classifier takes no images, or images of another size; the output has another shape or
            type; or ``target`` is missing or outside the classes. Raised when the function is first called.
            At once: there is no such ``precision``, or the classifier computes in one type alone.

    Example:
        >>> f = probability_function(lambda x: tf.sigmoid(tf.reduce_sum(x, axis=(1, 2, 3))))
        >>> f(tf.zeros((2, 4, 4, 1))).numpy()
        array([0.5, 0.5], dtype=float32)
    """
    call = _caller(classifier) if precision is None else _caller_in(classifier, precision)

    def probability(images: tf.Tensor) -> tf.Tensor:
        return _column(_single_tensor(call(images)), target)

    return probability


def _caller(classifier: Any) -> Probability:
    if not callable(classifier):
        names = list(getattr(classifier, "signatures", {}))
        hint = f" Pass one of its signatures: loaded.signatures[name], name in {names}." if names else ""
        raise TypeError(f"`classifier` must be callable. Received: {type(classifier).__name__}.{hint}")
    takes = declared_input(classifier)
    if takes is not None and takes.name is not None:
        name = takes.name
        return fitted(lambda images: classifier(**{name: images}), takes)
    call: Probability = classifier
    of_layer = getattr(classifier, "call", None)  # Keras layers and models, of either generation
    if of_layer is not None and "training" in inspect.signature(of_layer).parameters:
        call = functools.partial(classifier, training=False)
    return call if takes is None else fitted(call, takes)


def _caller_in(classifier: Any, precision: str) -> Probability:
    """Returns the classifier as it computes in a floating-point type."""
    dtype = chosen_precision(precision, classifier)
    if has_inference_form(classifier) and (dtype != "float32" or computes_in_float32(classifier)):
        form = InferenceForm(classifier, dtype)
        takes = declared_input(classifier)
        return form if takes is None else fitted(form, takes)
    call = _caller(classifier)
    takes = declared_input(classifier)
    if dtype == "float32" or (takes is not None and takes.dtype.name == dtype):
        return call
    if takes is not None or isinstance(classifier, keras.layers.Layer):
        own = "its own dtype policy" if takes is None else takes.dtype.name
        raise ValueError(
            f"`precision` {dtype!r} needs a functional or sequential Keras model, or a function that "
            f"computes in the type that it is given. Received: {type(classifier).__name__}, which computes "
            f"in {own}"
        )
    return lambda images: call(tf.cast(images, dtype))


def _single_tensor(output: Any) -> tf.Tensor:
    leaves = tf.nest.flatten(output)
    if len(leaves) != 1:
        received = sorted(output) if isinstance(output, dict) else len(leaves)
        raise said(
            TypeError(
                f"`classifier` must return one tensor of probabilities. Received: {received} outputs; "
                "wrap it in a function that picks one"
            )
        )
    return tf.convert_to_tensor(leaves[0])


def _column(output: tf.Tensor, target: int | None) -> tf.Tensor:
    classes = 1 if output.shape.rank == 1 else output.shape[-1] if output.shape.rank else None
    problem = ""
    if output.shape.rank not in (1, 2) or classes is None:
        problem = f"`classifier` must return [N], [N, 1] or [N, K]. Received: shape {output.shape}"
    elif not output.dtype.is_floating:
        problem = f"`classifier` must return probabilities. Received: {output.dtype.name}"
    elif target is None and classes > 1:
        problem = f"`classifier` has {classes} classes: `target` must name the one to explain"
    elif target is not None and not 0 <= target < max(classes, 1):
        problem = f"`target` must be in 0…{classes - 1}. Received: target={target}"
    if problem:
        raise said(ValueError(problem))
    return output if output.shape.rank == 1 else output[:, target or 0]


def scores_and_gradients(probability: Probability, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns f(x) and ∂f/∂x of every image, float32 [N] and [N, H, W, C].

    Args:
        probability: float [N, H, W, C] -> [N], as ``probability_function`` makes it.
        images: float [N, H, W, C], in the type that the classifier is fed.

    Raises:
        ValueError: The classifier has no gradient.

    Example:
        >>> mean = lambda x: tf.reduce_mean(x, axis=(1, 2, 3))
        >>> scores, gradients = scores_and_gradients(mean, tf.ones((1, 2, 2, 1)))
        >>> gradients.numpy().ravel()
        array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        scores = probability(images)
    scale = _gradient_scale(scores)
    gradients = tape.gradient(scores, images, output_gradients=tf.cast(scale, scores.dtype))
    if gradients is None:
        raise said(ValueError("`classifier` has no gradient with respect to its input images"))
    gradients = tf.cast(gradients, tf.float32) / scale[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.cast(scores, tf.float32), gradients


def _gradient_scale(scores: tf.Tensor) -> tf.Tensor:
    """Returns powers of two about 1 / (p (1 - p)), at most 2^15: float32 [N].

    The slope of a sigmoid near 0 or 1 is so small that layers in half precision would round it to 0. A power
    of two changes nothing in float32.
    """
    scores = tf.cast(tf.stop_gradient(scores), tf.float32)
    slope = tf.clip_by_value(scores * (1.0 - scores), 2.0**-15, 0.25)
    return tf.pow(2.0, -tf.round(tf.math.log(slope) / math.log(2.0)))
