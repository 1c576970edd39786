"""A classifier on a trained feature extractor."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfadvpath.errors import first_line
from tfadvpath.models.classifier_head import local_probability_of, probability_of

POOLED, LOCAL = "pooled", "local"


def backbone_classifier(
    backbone: keras.Model,
    input_shape: Sequence[int],
    dropout: float = 0.3,
    layer: str | None = None,
    head: str = POOLED,
) -> keras.Model:
    """Builds a classifier f on a feature extractor: image -> probability of class 1.

    The extractor may have been built for another size: its layers are built anew for this one and get its
    weights. A grey image is copied to the channels that the extractor takes. The graph is flat: every layer
    of the extractor is a layer of the returned model, so that GradCAM finds its last activation.

    Args:
        backbone: Functional or sequential Keras model, images in [0, 1], float [N, H, W, C] -> features
            [N, h, w, F] or [N, F].
        input_shape: Shape of an image, (height, width, channels).
        dropout: Rate of the dropout before the head's layers, in [0, 1).
        layer: Name of the extractor's layer whose output is the features; None is its last one. An earlier
            layer has more cells, each of which sees less of the image.
        head: "pooled" is the paper's head, which decides by the mean over all cells; "local" is
            ``models.classifier_head.local_probability_of``, with which each cell answers by itself.

    Returns:
        A Keras model: float32 [N, H, W, C] -> float32 [N, 1] in [0, 1]. It shares no weights with
        ``backbone``.

    Raises:
        ValueError: The extractor takes other images or several, gives no features as above, has no such
            layer, or cannot be built for this size; there is no such head, or no cells for a local one.

    Example:
        >>> layers = [keras.Input((64, 64, 3)), keras.layers.Conv2D(8, 3, strides=4)]
        >>> backbone_classifier(keras.Sequential(layers), (32, 32, 1)).output_shape
        (None, 1)
    """
    if head not in (POOLED, LOCAL):
        raise ValueError(f"`head` must be {POOLED!r} or {LOCAL!r}. Received: {head!r}")
    if layer is not None:
        backbone = _cut(backbone, layer)
    extractor = feature_extractor(backbone, input_shape)
    features = extractor.outputs[0]
    if head == LOCAL and len(features.shape) != 4:
        raise ValueError(f"`backbone` must give features [N, h, w, F]. Received: {tuple(features.shape)}")
    names = {each.name for each in extractor.layers}
    answer = local_probability_of if head == LOCAL else probability_of
    return keras.Model(extractor.inputs[0], answer(features, dropout, names), name=backbone.name)


def _cut(backbone: keras.Model, layer: str) -> keras.Model:
    """Returns a feature extractor that ends at one of its layers."""
    names = [each.name for each in backbone.layers]
    if layer not in names:
        raise ValueError(f"`layer` must be one of `backbone`, such as {names[-1]!r}. Received: {layer!r}")
    return keras.Model(backbone.inputs, backbone.get_layer(layer).output, name=backbone.name)


def feature_extractor(backbone: keras.Model, input_shape: Sequence[int]) -> keras.Model:
    """Builds a feature extractor anew for images of another size, or of fewer channels.

    Args:
        backbone: Functional or sequential Keras model, images in [0, 1], float [N, H, W, C] -> features
            [N, h, w, F] or [N, F].
        input_shape: Shape of an image, (height, width, channels).

    Returns:
        A Keras model with the same weights, which it does not share: float32 [N, H, W, C] -> features.

    Raises:
        ValueError: The extractor takes other images or several, gives no features as above, or cannot be
            built for this size.
    """
    inputs = list(getattr(backbone, "inputs", None) or [])  # a model of a class of its own has none
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        taken = [tuple(each.shape) for each in inputs]
        raise ValueError(f"`backbone` must take images [N, H, W, C] alone. Received: inputs {taken}")
    if len(backbone.outputs) != 1 or len(backbone.outputs[0].shape) not in (2, 4):
        made = [tuple(each.shape) for each in backbone.outputs]
        raise ValueError(
            f"`backbone` must give features [N, h, w, F] or [N, F] alone. Received: outputs {made}"
        )
    channels = backbone.inputs[0].shape[-1]
    if channels is None or channels % input_shape[-1]:
        raise ValueError(
            f"`backbone` must take images of {input_shape[-1]} channels, or of a multiple. "
            f"Received: {channels}"
        )
    image = keras.Input(tuple(input_shape), name="image")
    seen = image
    if channels != input_shape[-1]:
        seen = keras.layers.Concatenate(name="copied_channels")([image] * (channels // input_shape[-1]))
    model = keras.Model(image, _features(backbone, seen), name=backbone.name)
    # The extractor's layers were used twice by now. In a copy every layer has one output.
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _features(backbone: keras.Model, images: keras.KerasTensor) -> keras.KerasTensor:
    """Builds a feature extractor on symbolic images of any size, with its weights."""
    try:
        functional = keras.Model(backbone.inputs[0], backbone.outputs[0], name=backbone.name)
        copy = keras.models.clone_model(functional, input_tensors=keras.Input(images.shape[1:]))
        copy.set_weights(functional.get_weights())
        # `call`, and not the model as one layer: each of its layers becomes one of the classifier.
        return copy.call(images)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`backbone` must be one that can be built for images of {images.shape[1]} x {images.shape[2]} "
            f"pixels. Received: {backbone.name} ({first_line(error)})"
        ) from error
