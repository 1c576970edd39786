"""The base class of CyCE and SyCE: two U-Nets between the domains of a classifier, and two discriminators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import PairGenerator, clip_inward, descend
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet


class DomainGenerator(PairGenerator):
    """Two U-Nets g_0 and g_1: g_k takes images that a classifier assigns to class k across its decision.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1.
        generators: U-Nets (g_0, g_1).
        discriminators: Discriminators (D_0, D_1), [B, H, W, C] -> [B, 1]. None builds them in ``compile``:
            only training needs them.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        seed: Seed of the points where the gradient penalty is taken.
        targets: Shares of decisions to reach, see ``PairGenerator``.

    Raises:
        ValueError: An unknown name in ``loss_weights``, or a classifier with more than one output.

    Trains by ``compile`` and ``fit`` on batches ``(x_0, x_1)``: as many images predicted 0 as images
    predicted 1.
    """

    def __init__(
        self,
        classifier: keras.Model,
        generators: tuple[UNet, UNet],
        discriminators: tuple[keras.Model, keras.Model] | None = None,
        loss_weights: Mapping[str, float] | None = None,
        seed: int = 0,
        targets: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(classifier, loss_weights, seed, targets, **kwargs)
        self.generators = list(generators)
        self.discriminators = list(discriminators or ())

    def compile(
        self,
        optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer of the U-Nets and that of the discriminators.

        Args:
            optimizer: Optimizer of both U-Nets.
            discriminator_optimizer: Optimizer of both discriminators.
            jit_compile: Whether XLA compiles the step. Keras would choose it everywhere; on CPUs it is the
                slower.
            **kwargs: Further arguments of ``keras.Model.compile``.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.start_logs()
        if not self.discriminators:
            image_shape = self.generators[0].encoder.input_shape[1:]
            self.discriminators = [discriminator(image_shape) for _ in (0, 1)]
        self.discriminator_optimizer = discriminator_optimizer
        optimizer.build(self.generator_weights)
        discriminator_optimizer.build(self.discriminator_weights)

    @property
    def generator_weights(self) -> list[keras.Variable]:
        """Weights that ``optimizer`` moves."""
        return [weight for unet in self.generators for weight in unet.trainable_variables]

    @property
    def discriminator_weights(self) -> list[keras.Variable]:
        """Weights that ``discriminator_optimizer`` moves."""
        return [weight for critic in self.discriminators for weight in critic.trainable_variables]

    def translate(self, images: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
        """Applies to every image the U-Net of its class: g_1 where ``probability`` [B] is at least 0.5.

        Both U-Nets run on the whole batch and the right output is picked, so that shapes do not depend on
        decisions.
        """
        is_one = (probability >= 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        zero, one = (unet(images, training=False) for unet in self.generators)
        return tf.clip_by_value(tf.where(is_one, one, zero), 0.0, 1.0)

    def discriminator_loss(
        self, domains: tuple[tf.Tensor, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the summed loss of D_0 and D_1, whose fakes come from the images predicted 1 and 0.

        Beside it, the numbers to log: that sum and the gradient penalty in it.
        """
        total, penalty = tf.constant(0.0), tf.constant(0.0)
        for k in (0, 1):
            critic, real = self.discriminators[k], domains[k]
            fake = tf.stop_gradient(clip_inward(self.generators[1 - k](domains[1 - k], training=training)))
            position = self.random_position(real, self.discriminator_optimizer.iterations, k)
            total += losses.discrimination(critic(real, training=training), critic(fake, training=training))
            penalty += losses.gradient_penalty(critic, real, fake, position)
        total += self.loss_weights["gradient_penalty"] * penalty
        return total, {"discriminator_loss": total, "gradient_penalty": penalty}

    def improve_discriminators(self, domains: tuple[tf.Tensor, tf.Tensor]) -> None:
        """Takes the discriminators' part of a training step."""
        with tf.GradientTape() as tape:
            loss, logs = self.discriminator_loss(domains, training=True)
        descend(self.discriminator_optimizer, loss, self.discriminator_weights, tape)
        self.track(logs)
