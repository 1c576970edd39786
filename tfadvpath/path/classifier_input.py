"""The input that a classifier declares: its type, and perhaps a fixed size and a fixed number of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

Call = Callable[[tf.Tensor], Any]
_Inputs = list[tuple[str | None, Any]]
_Error = TypeVar("_Error", bound=Exception)


class ClassifierInput(NamedTuple):
    """What a classifier takes.

    Attributes:
        dtype: Type of its images.
        shape: Shape [N, H, W, C] of its images, where lengths can be unknown.
        name: Name that the images are passed by; None where they are passed by position.
    """

    dtype: tf.DType
    shape: tf.TensorShape
    name: str | None


def said(error: _Error) -> _Error:
    """Returns an error that keeps its text where it is raised while TensorFlow traces a function.

    TensorFlow would make several lines of it, with the code around.

    Args:
        error: Error that is raised.
    """
    error.ag_pass_through = True  # type: ignore[attr-defined]
    return error


def declared_input(classifier: Any) -> ClassifierInput | None:
    """Returns what a classifier takes; None where it does not say.

    Args:
        classifier: Keras model of either generation, signature of a SavedModel, or TensorFlow function.

    Raises:
        TypeError: It takes several inputs, or something else than floating-point images.
        ValueError: Its input is no batch of images.
    """
    specs = _declared(classifier)
    if specs is None:
        return None
    if len(specs) != 1:
        names = ", ".join(name for name, _ in specs if name)
        raise TypeError(
            "`classifier` must take one input, its images. Received one that takes "
            f"{len(specs)}{f' ({names})' if names else ''}; wrap it in a function of the images"
        )
    [(name, spec)] = specs
    dtype, shape = tf.as_dtype(spec.dtype), tf.TensorShape(spec.shape)
    if not dtype.is_floating:
        raise TypeError(
            f"`classifier` must take floating-point images. Received one that takes {dtype.name}, which has "
            "no gradient; take the part of it behind the conversion"
        )
    if shape.rank not in (None, 4):
        raise ValueError(f"`classifier` must take images [N, H, W, C]. Received one that takes {shape}")
    return ClassifierInput(dtype, shape, name)


def _declared(classifier: Any) -> _Inputs | None:
    """Returns names (where inputs are passed by name) and types of all inputs."""
    structured = getattr(classifier, "structured_input_signature", None)
    if structured is not None:
        positional, named = structured
        found: _Inputs = [
            (None, spec) for spec in tf.nest.flatten(positional) if isinstance(spec, tf.TensorSpec)
        ]
        for name, value in named.items():
            specs = [spec for spec in tf.nest.flatten(value) if isinstance(spec, tf.TensorSpec)]
            found += [(name, spec) for spec in specs]
        return found
    of_function = getattr(classifier, "input_signature", None)
    if of_function is not None:
        return [(None, spec) for spec in tf.nest.flatten(of_function)]
    of_model = getattr(classifier, "inputs", None)  # of Keras, once it knows them
    if not of_model or not all(hasattr(tensor, "dtype") and hasattr(tensor, "shape") for tensor in of_model):
        return None
    return [(None, tensor) for tensor in of_model]


def fitted(call: Call, takes: ClassifierInput) -> Call:
    """Returns a function of images of any floating-point type and any number.

    Where the classifier takes a fixed number of images it is called as often as needed, the last time with
    black images behind the others.

    Args:
        call: The classifier, called with images of what it takes.
        takes: Input that it declares.

    Raises:
        ValueError: The images have another size. Raised when the function is called.
    """
    fixed = takes.shape[0] if takes.shape.rank else None

    def fitting(images: tf.Tensor) -> Any:
        if takes.shape.rank and not takes.shape[1:].is_compatible_with(images.shape[1:]):
            given, taken = (_size(shape) for shape in (images.shape, takes.shape))
            raise said(
                ValueError(
                    f"Images of {given} are incompatible with the layers of `classifier`, which takes {taken}"
                )
            )
        images = tf.cast(images, takes.dtype)
        if fixed is None or images.shape[0] == fixed:
            return call(images)
        return _in_groups(call, images, fixed)

    return fitting


def _size(shape: tf.TensorShape) -> str:
    return " x ".join("any" if length is None else str(length) for length in shape[1:])


def _in_groups(call: Call, images: tf.Tensor, size: int) -> Any:
    """Returns what a classifier of exactly ``size`` images answers to any number of them."""
    count = tf.shape(images)[0] if images.shape[0] is None else images.shape[0]
    groups = -(-count // size)
    padded = tf.pad(images, [[0, groups * size - count], [0, 0], [0, 0], [0, 0]])
    parts = tf.reshape(padded, [groups, size, *images.shape[1:]])
    if isinstance(groups, int) and groups == 1:
        return tf.nest.map_structure(lambda values: values[:count], call(parts[0]))
    traced = tf.function(call).get_concrete_function(tf.TensorSpec(parts.shape[1:], parts.dtype))
    like = tf.nest.map_structure(
        lambda values: tf.TensorSpec(values.shape, values.dtype), traced.structured_outputs
    )
    answers = tf.map_fn(call, parts, fn_output_signature=like, parallel_iterations=1)
    return tf.nest.map_structure(
        lambda values: tf.reshape(values, [groups * size, *values.shape[2:]])[:count], answers
    )
