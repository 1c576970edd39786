"""The path of a generator's pairs: the straight one, or the curve of its own decoder."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfadvpath.errors import InputError
from tfadvpath.path.paths import Encoding, ManifoldPath, Path

STRAIGHT, MANIFOLD = "straight", "manifold"
_HEADS = ("stable", "adversary")


def generator_path(name: str, generator: Any) -> Path | None:
    """Returns the path of that name from a generator's start images to its adversaries; None is the straight.

    CyCE and SyCE have a U-Net for either class, which translates: each end of the manifold path is decoded
    from the encoding of the other. SAGen makes both ends by two heads from one encoding, that of the image,
    so it has no encoding of either end. But its stable head reproduces what it is given: with the body before
    it, it is an autoencoder, and each end is decoded from its own encoding.

    Args:
        name: "straight" or "manifold".
        generator: Generator of the pairs.

    Raises:
        InputError: There is no path of that name, or the generator has no network that encodes and decodes.
    """
    if name not in (STRAIGHT, MANIFOLD):
        raise InputError("`path`", f"{name!r} is no path", f"Choose {STRAIGHT} or {MANIFOLD}")
    if name == STRAIGHT:
        return None
    pair = getattr(generator, "generators", None)
    if isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_encodes, pair)):
        return ManifoldPath(tuple(pair), generator.classifier)
    network = getattr(generator, "network", None)
    if isinstance(network, keras.Model) and {layer.name for layer in network.layers}.issuperset(_HEADS):
        return ManifoldPath(_StableHead(network), translates=False)
    raise InputError(
        "`path`",
        f"{MANIFOLD!r} needs networks that encode and decode images, {type(generator).__name__} has none",
        f"Choose {STRAIGHT}",
    )


def _encodes(network: Any) -> bool:
    return all(callable(getattr(network, part, None)) for part in ("encode", "decode"))


class _StableHead:
    """The body and the stable head of a ``models.two_headed_unet``, cut where the decoder begins."""

    def __init__(self, network: keras.Model):
        layers = keras.layers
        body = [layer for layer in network.layers if layer.name not in (*_HEADS, "images")]
        # Levels from full resolution down: the skips are concatenated in the decoder, from the bottom up, and
        # the bottleneck is what the encoder's last residual unit adds up.
        skips = [layer.input[1] for layer in body if isinstance(layer, layers.Concatenate)]
        bottleneck = [layer.output for layer in body if isinstance(layer, layers.Add)][-1]
        head = network.get_layer("stable")
        # With `residual` the head adds a change to the image, which the decoder so receives as well.
        image = [network.input] if isinstance(head, layers.Add) else []
        levels = [*image, *reversed(skips), bottleneck]
        self._encoder = keras.Model(network.input, levels)
        self._decoder = keras.Model(levels, head.output)

    def encode(self, images: tf.Tensor) -> Encoding:
        encoding: Encoding = self._encoder(images, training=False)
        return encoding

    def decode(self, levels: Encoding) -> tf.Tensor:
        return self._decoder(levels, training=False)
