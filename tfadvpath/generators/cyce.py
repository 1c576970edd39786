"""CyCE: cyclic counterfactual generation, without a stable image."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AdversarialPair, clip_inward, descend
from tfadvpath.generators.domains import DomainGenerator
from tfadvpath.generators.registry import GENERATORS

_ROW = GENERATORS["cyce"]


class CyCE(DomainGenerator):
    """Two U-Nets g_0 and g_1 that cross the decision of a classifier f, each the other's inverse.

    g_k is applied to images that f assigns to class k. With y = k, C the clip to [0, 1]:

        x_a = C(g_k(x))    x_cy = C(g_{1-k}(x_a))

        L = sum over k of  cycle * rec(x, x_cy) + flip * BCE(1-y, f(x_a)) + cycle_decision * BCE(y, f(x_cy))
                           + realism * mean softplus(-D_{1-k}(x_a)) + near * rec(x, x_a)

    ``near`` is 0 in the published method, where nothing but the cycle holds x_a near x: give it a weight
    where the adversary drifts away.

    A training step lowers L once, then the loss of both discriminators. An explanation's path starts at the
    input image itself. The classifier runs with ``training=False`` and is never changed.

    Source: Charachon et al. 2021, section 3; coefficients: the authors' earlier code. ``gradient_penalty``
    weighs the discriminators' penalty. Arguments: see ``DomainGenerator``.
    """

    STABLE: ClassVar = _ROW.has_stable_image
    LOSS_WEIGHTS: ClassVar = _ROW.loss_weights
    LOGGED: ClassVar = ("loss", "discriminator_loss", "flip_rate", "adversary_distance", *LOSS_WEIGHTS)

    def generate(self, images: tf.Tensor) -> AdversarialPair:
        """Returns the input itself and the adversary of every image, by the U-Net of its predicted class.

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """
        probability = tf.reshape(self.classify(images)[0], [-1])
        return AdversarialPair(images, self.translate(images, probability), probability)

    def generator_loss(
        self, domains: tuple[tf.Tensor, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L of images predicted 0 and 1 and every number to log, the means over both domains."""
        total = tf.constant(0.0)
        sums: dict[str, tf.Tensor] = {}
        for k, images in enumerate(domains):
            y = float(k)
            adversary = clip_inward(self.generators[k](images, training=training))
            cycle = clip_inward(self.generators[1 - k](adversary, training=training))
            p_adversary, p_cycle = self.classify(adversary, cycle)
            terms = {
                "cycle": losses.reconstruction(images, cycle),
                "flip": losses.binary_cross_entropy(1.0 - y, p_adversary),
                "cycle_decision": losses.binary_cross_entropy(y, p_cycle),
                "realism": losses.realism(self.discriminators[1 - k](adversary, training=training)),
                "near": losses.reconstruction(images, adversary),
            }
            flipped = losses.share_decided(1 - k, p_adversary)
            logs = {
                "flip_rate": flipped,
                "adversary_distance": tf.reduce_mean(tf.abs(images - adversary)),
            }
            total += self.weighted_for(terms, k, training)
            if training:
                self.raise_weights(k, {"flip": flipped})
            sums = {name: sums.get(name, 0.0) + value for name, value in (logs | terms).items()}
        return total, {"loss": total} | {name: value / 2.0 for name, value in sums.items()}

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss, logs = self.generator_loss(data, training=True)
        descend(self.optimizer, loss, self.generator_weights, tape)
        self.track(logs)
        self.improve_discriminators(data)
        return self.get_metrics_result()

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        self.track(self.generator_loss(data, training=False)[1])
        self.track(self.discriminator_loss(data, training=False)[1])
        return self.get_metrics_result()
