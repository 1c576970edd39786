"""A classifier that has learned nothing, to compare the maps of a trained one with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import keras


def randomized(model: keras.Model, seed: int = 0) -> keras.Model:
    """Returns a copy of a network with every weight drawn anew by its initializer.

    The statistics of batch normalization go back to mean 0 and variance 1 with the rest. Those of the trained
    network describe activations that the new weights do not produce. Estimating them anew would need images
    and is not needed: with residual blocks the untrained network's answers stay away from 0 and 1.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps": all layers at once.

    Args:
        model: Functional or sequential model; it stays as it is. Custom layers inside a nested model must be
            registered with Keras.
        seed: Seed of the weights; Python's random numbers go on as if none had been drawn.

    Raises:
        ValueError: Another kind of model.

    Example:
        >>> dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> other, same = randomized(dense, seed=1), randomized(dense, seed=1)
        >>> bool((other.layers[0].kernel == same.layers[0].kernel).numpy().all())
        True
    """
    state = random.getstate()
    # Where Keras's initializers take their seeds from. The number alone would draw the very weights that a
    # network began its training with, if that was seeded alike.
    random.seed(f"randomized {seed}")
    try:
        return keras.models.clone_model(model, clone_function=_fresh)
    finally:
        random.setstate(state)


def partly_randomized(model: keras.Model, share: float, seed: int = 0) -> keras.Model:
    """Returns a copy of a network whose last layers have new weights; the rest have the trained ones.

    With a growing share these are the steps of a cascade from the output to the input. The new weights are
    those of ``randomized`` with the same seed, so each step keeps what the step before it has drawn.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps": cascading randomization.

    Args:
        model: Functional or sequential model; it stays as it is.
        share: Share of the layers with weights that are drawn anew, in (0, 1], counted from the output; at
            least the last layer.
        seed: Seed of the weights.

    Raises:
        ValueError: The share is out of range, or the model is of another kind.

    Example:
        >>> dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(2)])
        >>> other = partly_randomized(dense, share=0.5)
        >>> [bool((a.kernel == b.kernel).numpy().all()) for a, b in zip(dense.layers, other.layers)]
        [True, False]
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be in (0, 1]. Received: {share}")
    copy = randomized(model, seed)
    trained, drawn = (list(_layers_with_weights(one)) for one in (model, copy))
    kept = min(len(trained) - 1, round((1 - share) * len(trained)))
    for own, other in zip(trained[:kept], drawn[:kept], strict=True):
        other.set_weights(own.get_weights())
    return copy


def _layers_with_weights(model: keras.Model) -> Iterator[keras.Layer]:
    """Yields the innermost layers that have weights, from the input to the output."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_with_weights(layer)
        elif layer.weights:
            yield layer


def _fresh(layer: keras.Layer) -> keras.Layer:
    config = layer.get_config()
    _forget_seeds(config)
    return layer.__class__.from_config(config)


def _forget_seeds(node: Any) -> None:
    """Lets the initializers in a configuration take seeds of their own: a given one draws the old weights."""
    if isinstance(node, list | tuple):
        for item in node:
            _forget_seeds(item)
    elif isinstance(node, dict):
        if node.get("module") == "keras.initializers" and "seed" in node["config"]:
            node["config"]["seed"] = None
        for item in node.values():
            _forget_seeds(item)
