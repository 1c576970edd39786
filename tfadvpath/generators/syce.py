"""SyCE: symmetrically conditioned counterfactual generation."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AdversarialPair, clip_inward, descend
from tfadvpath.generators.domains import DomainGenerator
from tfadvpath.generators.registry import GENERATORS

_ROW = GENERATORS["syce"]


class SyCE(DomainGenerator):
    """Two U-Nets g_0 and g_1 that cross the decision of a classifier f, each near its own inverse.

    g_k is applied to images that f assigns to class k. With y = k, C the clip to [0, 1]:

        x_a = C(g_k(x))    x_s = C(g_k(x_a))    x_cy = C(g_{1-k}(x_a))

        L_k = stable * rec(x, x_s) + cycle * rec(x, x_cy) + flip * BCE(1-y, f(x_a)) + keep * BCE(y, f(x_s))
              + cycle_decision * BCE(y, f(x_cy)) + realism * mean softplus(-D_{1-k}(x_a)) + near * rec(x, x_a)

    ``near`` is 0 in the published method: give it a weight where the adversary drifts away.

    A training step lowers L_0, then L_1 (each moves both U-Nets, with one optimizer), then the loss of both
    discriminators. The classifier runs with ``training=False`` and is never changed.

    Source: Charachon et al. 2021, section 3; coefficients: the authors' earlier code. ``gradient_penalty``
    weighs the discriminators' penalty. Arguments: see ``DomainGenerator``.
    """

    STABLE: ClassVar = _ROW.has_stable_image
    LOSS_WEIGHTS: ClassVar = _ROW.loss_weights
    LOGGED: ClassVar = (
        "loss",
        "discriminator_loss",
        "flip_rate",
        "keep_rate",
        "adversary_distance",
        "stable_distance",
        *LOSS_WEIGHTS,
    )

    def generate(self, images: tf.Tensor) -> AdversarialPair:
        """Returns the stable image and the adversary of every image, by the U-Net of its predicted class.

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """
        probability = tf.reshape(self.classify(images)[0], [-1])
        adversary = self.translate(images, probability)
        return AdversarialPair(self.translate(adversary, probability), adversary, probability)

    def generator_loss(
        self, images: tf.Tensor, k: int, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L_k of images predicted k and every number to log, float32 scalars."""
        y = float(k)
        generator, inverse = self.generators[k], self.generators[1 - k]
        adversary = clip_inward(generator(images, training=training))
        stable = clip_inward(generator(adversary, training=training))
        cycle = clip_inward(inverse(adversary, training=training))
        p_adversary, p_stable, p_cycle = self.classify(adversary, stable, cycle)
        terms = {
            "stable": losses.reconstruction(images, stable),
            "cycle": losses.reconstruction(images, cycle),
            "flip": losses.binary_cross_entropy(1.0 - y, p_adversary),
            "keep": losses.binary_cross_entropy(y, p_stable),
            "cycle_decision": losses.binary_cross_entropy(y, p_cycle),
            "realism": losses.realism(self.discriminators[1 - k](adversary, training=training)),
            "near": losses.reconstruction(images, adversary),
        }
        loss = self.weighted_for(terms, k, training)
        shares = {
            "flip": losses.share_decided(1 - k, p_adversary),
            "keep": losses.share_decided(k, p_stable),
        }
        if training:
            self.raise_weights(k, shares)
        logs = {
            "loss": loss,
            "flip_rate": shares["flip"],
            "keep_rate": shares["keep"],
            "adversary_distance": tf.reduce_mean(tf.abs(images - adversary)),
            "stable_distance": tf.reduce_mean(tf.abs(images - stable)),
        }
        return loss, logs | terms

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        for k in (0, 1):
            with tf.GradientTape() as tape:
                loss, logs = self.generator_loss(data[k], k, training=True)
            descend(self.optimizer, loss, self.generator_weights, tape)
            self.track(logs)
        self.improve_discriminators(data)
        return self.get_metrics_result()

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        for k in (0, 1):
            self.track(self.generator_loss(data[k], k, training=False)[1])
        self.track(self.discriminator_loss(data, training=False)[1])
        return self.get_metrics_result()
