"""Paths γ(λ), λ in [0, 1], from a start image to an adversary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

# Everything that a decoder receives, bottleneck and skips.
Encoding = list[tf.Tensor]


class Path(Protocol):
    """A differentiable curve from every start image to its adversary.

    ``endpoints`` runs once per image, ``at`` once per chunk of positions.
    """

    def endpoints(self, start: tf.Tensor, adversary: tf.Tensor) -> Any:
        """Returns what ``at`` needs, a structure of tensors whose first axis is the image.

        Args:
            start: float [B, H, W, C].
            adversary: float [B, H, W, C].
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

    def endpoints(self, start: tf.Tensor, adversary: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return start, adversary

    def at(self, endpoints: tuple[tf.Tensor, tf.Tensor], positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        start, adversary = endpoints
        velocity = (adversary - start)[:, tf.newaxis]
        return start[:, tf.newaxis] + positions[:, tf.newaxis, tf.newaxis, tf.newaxis] * velocity, velocity


@dataclass(frozen=True)
class ManifoldPath:
    """A path on the image manifold: γ(λ) = G(z_start + λ (z_adversary - z_start)), G a generator's decoder.

    The velocity is the forward-mode product γ'(λ) = J_G(z(λ)) (z_adversary - z_start), about the cost of
    one more pass through the decoder; the Jacobian itself is never built. z is everything that the decoder
    receives, bottleneck and skips.

    A generator that translates (CyCE, SyCE) turns each end of the path into the other: G(z(adversary)) is the
    stable image by construction and G(z(start)) is close to the adversary. So each end is decoded from the
    other's encoding. γ(0) and γ(1) are reconstructions; ``PathImportance.endpoint_distance`` reports how
    far they are.

    Attributes:
        generator: Network with ``encode(images) -> list of tensors`` and ``decode(list) -> images``, as
            ``tfadvpath.models.UNet``. All images of a batch go through it: give it images of the class it
            translates.
        translates: False for a generator that reproduces its input (an autoencoder): each end is then
            decoded from its own encoding.
    """

    generator: Any
    translates: bool = True

    def endpoints(self, start: tf.Tensor, adversary: tf.Tensor) -> tuple[Encoding, Encoding]:
        z_start, z_adversary = self.generator.encode(start), self.generator.encode(adversary)
        return (z_adversary, z_start) if self.translates else (z_start, z_adversary)

    def at(self, endpoints: tuple[Encoding, Encoding], positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, steps = tf.shape(endpoints[0][0])[0], tf.shape(positions)[0]

        def along(z_start: tf.Tensor, z_adversary: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            direction = tf.repeat(z_adversary - z_start, steps, axis=0)
            weights = tf.reshape(tf.tile(positions, [images]), [-1] + [1] * (len(z_start.shape) - 1))
            return tf.repeat(z_start, steps, axis=0) + tf.cast(
                weights, direction.dtype
            ) * direction, direction

        pairs = [along(z_start, z_adversary) for z_start, z_adversary in zip(*endpoints, strict=True)]
        levels, directions = [level for level, _ in pairs], [direction for _, direction in pairs]
        with tf.autodiff.ForwardAccumulator(levels, directions) as accumulator:
            points = self.generator.decode(levels)
        velocities = accumulator.jvp(points)

        def unfold(flat: tf.Tensor) -> tf.Tensor:
            return tf.reshape(flat, tf.concat([[images, steps], tf.shape(flat)[1:]], axis=0))

        return unfold(points), unfold(velocities)
