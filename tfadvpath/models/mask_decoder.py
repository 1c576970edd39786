"""The two halves of the mask generator: a classifier's own activations, and a decoder of them to a mask."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfadvpath.models.keras_internals import graph_nodes
from tfadvpath.models.normalization import normalization_layer

# Layers whose output is no activation: they pad or crop, or are the input itself.
_NO_ACTIVATIONS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D, keras.layers.InputLayer)
_LEVELS = 5  # 1/2 … 1/32 of the image


def activation_levels(classifier: keras.Model) -> keras.Model:
    """Returns the classifier's encoder: image -> its activations at 1/2, 1/4, … 1/32 of the resolution.

    At each resolution, a size counting for the nearest, it is the last output [N, h, w, C] of a layer that
    does not just pad or crop. A resolution that the classifier skips is left out. Layers of models inside
    the model count too.

    Args:
        classifier: Functional or sequential Keras model of images of one size, channels last.

    Returns:
        A Keras model that shares the classifier's layers: float32 [N, H, W, C] -> a list of tensors, the
        finest first.

    Raises:
        ValueError: No layer halves the resolution, or the model does not know its layers' outputs.

    Example:
        >>> pools = [keras.layers.MaxPooling2D() for _ in range(2)]
        >>> activation_levels(keras.Sequential([keras.Input((32, 32, 1)), *pools])).output_shape
        [(None, 16, 16, 1), (None, 8, 8, 1)]
    """
    levels = {
        _level(output.shape[1:3], classifier.input_shape[1:3]): output
        for output in _layer_outputs(classifier)
        if len(output.shape) == 4 and None not in output.shape[1:3]
    }
    wanted = [levels[level] for level in range(1, _LEVELS + 1) if level in levels]
    if not wanted:
        raise ValueError(
            "`classifier` must be a functional or sequential Keras model of images of one size, with a layer "
            f"that halves their resolution. Received: {classifier.name!r}, a {type(classifier).__name__}"
        )
    return keras.Model(classifier.inputs[0], wanted, name="encoder")


def _layer_outputs(model: keras.Model) -> Iterator[Any]:
    """Yields the symbolic outputs of the layers in the model's own graph, in the order of computation."""
    for node in graph_nodes(model) or ():
        if graph_nodes(node.operation) is not None:
            outputs = list(_layer_outputs(node.operation))
            yield from keras.Model(node.operation.inputs[0], outputs)(node.input_tensors[0])
        elif not isinstance(node.operation, _NO_ACTIVATIONS):
            yield from node.output_tensors


def _level(size: Sequence[int], image_size: Sequence[int]) -> int:
    """Returns how often an image was halved to that height and width."""
    halvings = [math.log2(whole / part) for whole, part in zip(image_size, size, strict=True)]
    return round(sum(halvings) / 2)


def _enlarged(x: Any, size: Sequence[int]) -> Any:
    """Returns activations in nearest upsampling to a height and width, about twice theirs."""
    if tuple(size) == (2 * x.shape[1], 2 * x.shape[2]):
        return keras.layers.UpSampling2D(2, interpolation="nearest")(x)
    # TensorFlow has no deterministic gradient of it on GPUs, hence only where sizes are odd.
    return keras.layers.Resizing(*size, interpolation="nearest")(x)


def mask_decoder(classifier: keras.Model, width: int = 64) -> keras.Model:
    """Builds the decoder of a classifier's activations to the two channels a, b at half the resolution.

    At every level, from the coarsest upwards, the activations are normalized in groups and brought to n
    filters by a Conv 1x1; beside them comes the result of the level below in nearest upsampling. Two blocks
    of Conv 3x3 (n) -> group normalization -> ReLU follow. n is ``width`` at half the resolution and doubles
    with every level down, up to 8 ``width``. A Conv 1x1 ends it.

    Source: Dabkowski and Gal 2017, "Real time image saliency for black box classifiers"; Charachon et al.
    2021, whose mask generator has the classifier for an encoder. The blocks are our choice.

    Args:
        classifier: Keras model whose ``activation_levels`` are decoded. The decoder does not keep it: its
            file holds the decoder alone.
        width: Filters at half the resolution.

    Returns:
        A Keras model: the list of ``activation_levels`` -> float32 [N, H/2, W/2, 2], not bounded.

    Raises:
        ValueError: The classifier has no such activations.
    """
    layers = keras.layers
    image_size = classifier.input_shape[1:3]
    shapes = [output.shape[1:] for output in activation_levels(classifier).outputs]
    inputs = {_level(shape[:2], image_size): keras.Input(shape) for shape in shapes}
    x = None
    for level in range(max(inputs), 0, -1):
        filters = width * 2 ** min(level - 1, 3)
        parts = []
        if level in inputs:
            activations = inputs[level]
            normalized = normalization_layer("group", activations.shape[-1])(activations)
            parts.append(layers.Conv2D(filters, 1)(normalized))
            size = activations.shape[1:3]
        else:
            size = [math.ceil(side / 2**level) for side in image_size]
        if x is not None:
            parts.append(_enlarged(x, size))
        x = layers.Concatenate()(parts) if len(parts) == 2 else parts[0]
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(normalization_layer("group", filters)(x))
    channels = layers.Conv2D(2, 1, dtype="float32", name="channels")(x)
    return keras.Model(list(inputs.values()), channels, name="mask_decoder")
