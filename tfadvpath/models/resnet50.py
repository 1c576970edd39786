"""The classifier of the paper, a ResNet50 with its own head: one probability for a grey image."""

from __future__ import annotations

import pathlib

import keras

from tfadvpath.models.classifier_head import probability_of

_BACKBONES = {"v1": keras.applications.ResNet50, "v2": keras.applications.ResNet50V2}
_FULL_WIDTH = 64


def resnet50_classifier(
    input_shape: tuple[int, int, int],
    variant: str = "v2",
    weights: str | pathlib.Path | None = "imagenet",
    width: int = _FULL_WIDTH,
    dropout: float = 0.3,
) -> keras.Model:
    """Builds the classifier f of the paper: image -> probability of class 1.

    Backbone -> global average pooling -> dropout -> dense 128 (He uniform) -> leaky ReLU 0.3 -> dense 1,
    sigmoid. A grey image is copied to three channels inside, so that gradients are taken for the grey
    pixel. Inputs are expected in [0, 1], also with ImageNet weights: the paper does not subtract the
    ImageNet mean. The graph is flat: every layer of the backbone is a layer of the returned model.

    Source: Charachon et al. 2021, section 4; backbone: He et al. 2016, "Identity mappings in deep residual
    networks".

    Args:
        input_shape: Shape of an image, (height, width, channels); channels is 1 or 3, height and width are at
            least 32 pixels.
        variant: Variant of the backbone: "v2" (ResNet50V2, the paper's) or "v1" (ResNet50).
        weights: File of a backbone's weights without top, "imagenet" (downloaded by Keras), or None.
        width: Filters of the first convolution. All others scale with it. ImageNet weights need 64.
        dropout: Rate of the dropout before the dense layers, in [0, 1).

    Returns:
        A Keras model: float32 [N, H, W, C] -> float32 [N, 1] in [0, 1].

    Raises:
        ValueError: An argument is outside the values above, or the ImageNet weights cannot be had.

    Example:
        >>> model = resnet50_classifier((32, 32, 1), weights=None, width=8)
        >>> model.output_shape
        (None, 1)
    """
    if variant not in _BACKBONES:
        raise ValueError(f'`variant` must be "v1" or "v2". Received: variant={variant!r}')
    if len(input_shape) != 3 or input_shape[2] not in (1, 3) or min(input_shape[:2]) < 32:
        raise ValueError(
            "`input_shape` must be (height >= 32, width >= 32, channels 1 or 3). "
            f"Received: input_shape={input_shape}"
        )
    if width < 4 or width > _FULL_WIDTH or _FULL_WIDTH % width:
        raise ValueError(f"`width` must be 4, 8, 16, 32 or 64. Received: width={width}")
    if weights is not None and width != _FULL_WIDTH:
        raise ValueError(f"Pretrained weights need `width=64`. Received: width={width}, weights={weights!r}")

    backbone = _backbone(variant, input_shape, weights, width)
    probability = probability_of(backbone.output, dropout)
    return keras.Model(backbone.input, probability, name=f"resnet50_{variant}")


def _backbone(
    variant: str, input_shape: tuple[int, int, int], weights: str | pathlib.Path | None, width: int
) -> keras.Model:
    application = _BACKBONES[variant]
    image = keras.Input(input_shape, name="image")
    rgb = image
    if input_shape[2] == 1:
        rgb = keras.layers.Concatenate(name="grey_to_rgb")([image, image, image])
    try:
        features = application(include_top=False, weights=weights and str(weights), input_tensor=rgb).output
    except Exception as error:
        if weights != "imagenet":
            raise
        raise ValueError(
            "The ImageNet weights could not be downloaded. Pass `weights` the path of Keras's file for "
            f"{application.__name__} without top (…_notop.h5), or `weights=None`. Cause: {error}"
        ) from error
    backbone = keras.Model(image, features)
    if width == _FULL_WIDTH:
        return backbone

    def narrow(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["filters"] = config["filters"] * width // _FULL_WIDTH
        return layer.__class__.from_config(config)

    return keras.models.clone_model(backbone, clone_function=narrow)
