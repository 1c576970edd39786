"""The adapter of Keras classifiers of one or three channels and K classes to one probability of an image."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def binary_classifier(
    model: keras.Model, image_shape: Sequence[int], target: int | None = None
) -> keras.Model:
    """Returns a model as the classifier f: images -> the probability of class 1.

    A model with more channels than the images gets each image once for every channel; of K outputs the one
    of ``target`` is taken, and all others are class 0. A model that needs neither is returned as it is.

    Args:
        model: Keras model, float [N, H, W, C] in [0, 1] -> probabilities [N, 1] or [N, K]. H and W may be
            open.
        image_shape: Shape (H, W, C) of the images, C being 1 or the model's.
        target: Index of one of K outputs; None where there is one.

    Returns:
        Keras model, float32 [N, H, W, C] -> float32 [N, 1]. It shares the given model's layers.

    Raises:
        ValueError: The model takes other images or has other outputs, or ``target`` is none of them.

    Example:
        >>> layers = [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()]
        >>> rgb = keras.Sequential([*layers, keras.layers.Dense(4, "softmax")])
        >>> binary_classifier(rgb, (8, 8, 1), target=2).output_shape
        (None, 1)
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        taken = [tuple(each.shape) for each in model.inputs]
        raise ValueError(f"`model` must take images [N, H, W, C] alone. Received: inputs {taken}")
    shape = tuple(model.inputs[0].shape[1:])
    channels = image_shape[-1]
    fits = all(own in (None, size) for own, size in zip(shape[:2], image_shape, strict=False))
    if not fits or shape[2] % channels:
        raise ValueError(f"`model` must take images of shape {tuple(image_shape)}. Received: one for {shape}")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        made = [tuple(each.shape) for each in model.outputs]
        raise ValueError(f"`model` must return one tensor [N, 1] or [N, K]. Received: outputs {made}")
    classes = model.outputs[0].shape[1]
    if target is None and classes > 1:
        raise ValueError(f"`target` must name one of the {classes} outputs of `model`. Received: None")
    if target is not None and not 0 <= target < classes:
        raise ValueError(f"`target` must be in 0…{classes - 1}. Received: {target}")
    fits = shape == tuple(image_shape) and classes == 1 and model.outputs[0].dtype == "float32"
    if fits and is_bare(model):
        return model
    images = keras.Input(tuple(image_shape))
    seen = images if shape[2] == channels else keras.ops.tile(images, (1, 1, 1, shape[2] // channels))
    place = target or 0
    [made_of_images] = keras.tree.flatten(model(seen))  # it may stand in a list or a mapping
    probability = made_of_images[:, place : place + 1]
    return keras.Model(images, keras.ops.cast(probability, "float32"), name=model.name)


def is_bare(model: keras.Model) -> bool:
    """Returns whether a model of one input and one output takes and gives tensors, in no list or mapping.

    Args:
        model: Keras model that knows its input.
    """
    try:
        answer = model.compute_output_spec(keras.KerasTensor((1, *model.inputs[0].shape[1:])))
    except ValueError:  # the input stands in a mapping
        return False
    return isinstance(answer, keras.KerasTensor)
