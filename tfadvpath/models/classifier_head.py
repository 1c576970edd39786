"""The heads of a classifier, from a backbone's features to one probability: the paper's, and a local one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from typing import Any

import keras

from tfadvpath.models.soft_maximum import SoftMaximum

# A cell without a finding has no evidence; so few cells have one that it begins with this logit.
_NO_EVIDENCE = -2.0


def probability_of(features: Any, dropout: float, taken: Collection[str] = ()) -> Any:
    """Builds the head on symbolic features; returns the probability of class 1, float32 [N, 1].

    Global average pooling -> dropout -> dense 128 (He uniform) -> leaky ReLU 0.3 -> dense 1, sigmoid.

    Source: Charachon et al. 2021, section 4, and the authors' earlier code.

    Args:
        features: Features, [N, H, W, C], or [N, C] where the backbone has pooled them.
        dropout: Rate of the dropout before the dense layers, in [0, 1).
        taken: Names of the backbone's layers, which those of the head must not have.
    """

    def name(wanted: str) -> str:
        return f"{wanted}_of_head" if wanted in taken else wanted

    x = features
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name=name("average_pool"))(x)
    x = keras.layers.Dropout(dropout, name=name("dropout"))(x)
    x = keras.layers.Dense(128, kernel_initializer="he_uniform", name=name("dense"))(x)
    x = keras.layers.LeakyReLU(negative_slope=0.3, name=name("leaky_relu"))(x)
    # float32 whatever the policy: a probability near 1 has no neighbours in half precision.
    return keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=name("probability"))(x)


def local_probability_of(features: Any, dropout: float, taken: Collection[str] = ()) -> Any:
    """Builds a head whose evidence is local; returns the probability of class 1, float32 [N, 1].

    Dropout -> convolution of 1 x 1 to one value a cell, its evidence -> soft maximum over the cells -> dense
    1, sigmoid. So each cell of the features answers by itself, and an image is of class 1 where some of its
    cells are. A change that turns the decision has to be where the evidence is.

    Source: the layout of Li et al. 2018, "Thoracic disease identification and localization with limited
    supervision", with the soft maximum of Pinheiro and Collobert 2015.

    Args:
        features: Features, [N, h, w, C].
        dropout: Rate of the dropout before the convolution, in [0, 1).
        taken: Names of the backbone's layers, which those of the head must not have.
    """

    def name(wanted: str) -> str:
        return f"{wanted}_of_head" if wanted in taken else wanted

    x = keras.layers.Dropout(dropout, name=name("dropout"))(features)
    evidence = keras.layers.Conv2D(1, 1, use_bias=False, dtype="float32", name=name("evidence"))(x)
    pooled = SoftMaximum(dtype="float32", name=name("soft_maximum"))(evidence)
    return keras.layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(_NO_EVIDENCE),
        dtype="float32",
        name=name("probability"),
    )(pooled)


def with_cells(classifier: keras.Model) -> keras.Model:
    """Returns a classifier with a local head that answers for each cell as well, by the same layers.

    Args:
        classifier: Classifier whose head is that of ``local_probability_of``.

    Returns:
        A Keras model that shares all weights: float32 [N, H, W, C] -> a dictionary of "probability", float32
        [N, 1], and "cells", float32 [N, h, w, 1]: what each cell answers alone.

    Raises:
        ValueError: The classifier has another head.
    """
    evidence, dense = _head_layers(classifier)
    if not isinstance(evidence, keras.layers.Conv2D):
        raise ValueError(f"`classifier` must have a local head. Received: {classifier.name!r}, without one")
    outputs = {"probability": classifier.outputs[0], "cells": dense(evidence.output)}
    return keras.Model(classifier.inputs[0], outputs, name=classifier.name)


def head_weights(classifier: keras.Model) -> list[keras.Variable]:
    """Returns the weights of the head of a classifier that this package built."""
    return [weight for layer in _head_layers(classifier) for weight in layer.weights]


def _head_layers(classifier: keras.Model) -> list[keras.Layer]:
    """Returns the two layers of a head that have weights: two dense ones, or those of a local head."""
    layers = classifier.layers
    for before, layer in itertools.pairwise(layers):
        if isinstance(layer, SoftMaximum):
            return [before, layers[-1]]
    return [layer for layer in layers if isinstance(layer, keras.layers.Dense)][-2:]


def shift_decision(classifier: keras.Model, threshold: float) -> None:
    """Moves the last bias of a classifier so that it answers 0.5 where it answered ``threshold``.

    The ranks of its answers stay, and so does the area under the ROC curve.

    Args:
        classifier: Classifier whose last layer is dense with a sigmoid.
        threshold: Probability in (0, 1).

    Raises:
        ValueError: The last layer is another one.

    Example:
        >>> image = keras.Input((1,))
        >>> layer = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")
        >>> model = keras.Model(image, layer(image))
        >>> shift_decision(model, 0.25)
        >>> probability = model(keras.ops.array([[math.log(0.25 / 0.75)]]))
        >>> round(float(probability[0, 0]), 6)
        0.5
    """
    last = classifier.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.sigmoid:
        raise ValueError(
            f"`classifier` must end with a dense layer with a sigmoid. Received: {type(last).__name__}"
        )
    last.bias.assign(last.bias - math.log(threshold / (1.0 - threshold)))
