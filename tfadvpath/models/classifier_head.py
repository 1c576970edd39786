"""The head of the paper's classifier: from a backbone's features to one probability."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import keras


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


def head_weights(classifier: keras.Model) -> list[keras.Variable]:
    """Returns the weights of the head of a classifier that this package built: those of its dense layers."""
    dense = [layer for layer in classifier.layers if isinstance(layer, keras.layers.Dense)]
    return [weight for layer in dense[-2:] for weight in layer.weights]


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
