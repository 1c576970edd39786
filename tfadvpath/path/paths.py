"""Paths γ(λ), λ in [0, 1], from a start image to an adversary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

# Everything that a decoder receives, bottleneck and skips.
Encoding = list[tf.Tensor]
# Both ends' encodings by every network, whose network each image takes, and what its curve lacks at its ends.
_Ends = tuple[list[Encoding], list[Encoding], tf.Tensor, tf.Tensor, tf.Tensor]


class Path(Protocol):
    """A differentiable curve from every start image to its adversary.

    ``endpoints`` runs once per image, ``at`` once per chunk of positions.
    """

    def endpoints(self, start: tf.Tensor, adversary: tf.Tensor, is_one: tf.Tensor | None = None) -> Any:
        """Returns what ``at`` needs, a structure of tensors whose first axis is the image.

        Args:
            start: float [B, H, W, C].
            adversary: float [B, H, W, C].
            is_one: bool [B], whether each image is of class 1. It is passed only where it is known, so a path
                that does not depend on it may do without the argument.
        """

    def at(self, endpoints: Any, positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns points γ(λ) and velocities γ'(λ), [B, K, H, W, C]; constant velocities have K = 1.

        Args:
            endpoints: Result of ``endpoints`` for B images.
            positions: float [K], λ in [0, 1].
        """


@dataclass(frozen=True)
class LinearPath:
    """The straight path of the paper (eq. 6): γ(λ) = start + λ (adversary - start)."""

    def endpoints(
        self, start: tf.Tensor, adversary: tf.Tensor, is_one: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return start, adversary

    def at(self, endpoints: tuple[tf.Tensor, tf.Tensor], positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        start, adversary = endpoints
        velocity = (adversary - start)[:, tf.newaxis]
        return start[:, tf.newaxis] + positions[:, tf.newaxis, tf.newaxis, tf.newaxis] * velocity, velocity


@dataclass(frozen=True)
class ManifoldPath:
    """A path near the image manifold, from the start to the adversary: the curve of a generator's decoder.

    With G the decoder and z what it receives, bottleneck and skips, the curve is
    G(z_0 + λ (z_1 - z_0)), and its velocity the forward-mode product J_G (z_1 - z_0), about the cost of one
    more pass through the decoder; the Jacobian itself is never built. A decoder does not reproduce an image
    exactly, and that of CyCE turns its own adversary into an image that nothing has trained. So what the
    curve lacks at its two ends is added along it, linearly in λ: γ(0) is the start and γ(1) the adversary,
    whatever the generator. Values outside [0, 1] are clipped, and do not move there.

    A generator that translates (CyCE, SyCE) turns each end of the path into the other. So each end is decoded
    from the other's encoding.

    Attributes:
        generator: Network with ``encode(images) -> list of tensors`` and ``decode(list) -> images``, as
            ``tfadvpath.models.UNet``; or a pair of them, for images of class 0 and of class 1.
        classifier: Callable float [N, H, W, C] -> probability of class 1, [N] or [N, 1]: its decision about
            the start image chooses from a pair, unless the class of each image is passed to ``endpoints``.
            An explainer passes the class of the input image, whose network made start and adversary: a stable
            image may lie beyond the decision. None where there is one network.
        translates: Whether the generator translates; False for one that reproduces its input (an
            autoencoder): each end is then decoded from its own encoding.

    Raises:
        ValueError: There is a pair and no classifier.
    """

    generator: Any
    classifier: Any = None
    translates: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.generator, Sequence) and (len(self.generator) != 2 or self.classifier is None):
            raise ValueError(
                "`generator` must be one network, or a pair with a `classifier` that chooses. "
                f"Received: {len(self.generator)} networks, classifier={self.classifier}"
            )

    def endpoints(self, start: tf.Tensor, adversary: tf.Tensor, is_one: tf.Tensor | None = None) -> _Ends:
        networks = self._networks
        if len(networks) == 1:
            is_one = tf.zeros(tf.shape(start)[:1], tf.bool)
        elif is_one is None:
            is_one = tf.reshape(tf.cast(self.classifier(start), tf.float32), [-1]) >= 0.5
        from_start, from_adversary = (
            [network.encode(images) for network in networks] for images in (start, adversary)
        )
        if self.translates:
            from_start, from_adversary = from_adversary, from_start
        first, last = (self._decode(encodings, is_one) for encodings in (from_start, from_adversary))
        return from_start, from_adversary, is_one, start - first, adversary - last

    def at(self, endpoints: _Ends, positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        from_start, from_adversary, is_one, missing_first, missing_last = endpoints
        images, steps = tf.shape(is_one)[0], tf.shape(positions)[0]

        def along(z_start: tf.Tensor, z_adversary: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            direction = tf.repeat(z_adversary - z_start, steps, axis=0)
            weights = tf.reshape(tf.tile(positions, [images]), [-1] + [1] * (len(z_start.shape) - 1))
            return tf.repeat(z_start, steps, axis=0) + tf.cast(
                weights, direction.dtype
            ) * direction, direction

        pairs = tf.nest.map_structure(along, from_start, from_adversary)
        places = [[tuple(pair) for pair in encoding] for encoding in pairs]
        levels = [[point for point, _ in encoding] for encoding in places]
        directions = [[direction for _, direction in encoding] for encoding in places]
        with tf.autodiff.ForwardAccumulator(
            [point for encoding in levels for point in encoding],
            [direction for encoding in directions for direction in encoding],
        ) as accumulator:
            decoded = self._decode(levels, tf.repeat(is_one, steps))
        moved = accumulator.jvp(decoded)

        def unfold(flat: tf.Tensor) -> tf.Tensor:
            return tf.reshape(flat, tf.concat([[images, steps], tf.shape(flat)[1:]], axis=0))

        weights = positions[:, tf.newaxis, tf.newaxis, tf.newaxis]
        first, last = missing_first[:, tf.newaxis], missing_last[:, tf.newaxis]
        points = unfold(decoded) + (1.0 - weights) * first + weights * last
        velocities = unfold(moved) + last - first
        inside = (points >= 0.0) & (points <= 1.0)
        return tf.clip_by_value(points, 0.0, 1.0), tf.where(inside, velocities, tf.zeros_like(velocities))

    @property
    def _networks(self) -> tuple[Any, ...]:
        return tuple(self.generator) if isinstance(self.generator, Sequence) else (self.generator,)

    def _decode(self, encodings: list[Encoding], is_one: tf.Tensor) -> tf.Tensor:
        """Decodes by every network, and returns of each image what the network of its class made."""
        decoded = [network.decode(levels) for network, levels in zip(self._networks, encodings, strict=True)]
        if len(decoded) == 1:
            return decoded[0]
        return tf.where(is_one[:, tf.newaxis, tf.newaxis, tf.newaxis], decoded[1], decoded[0])
