"""SyCE: symmetrically conditioned counterfactual generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AdversarialPair, clip_inward
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet

# The authors' coefficients. The first six weigh a generator's terms, the last one the discriminators'
# penalty.
LOSS_WEIGHTS: Mapping[str, float] = {
    "stable": 10.0,
    "cycle": 2.0,
    "flip": 0.2,
    "keep": 0.01,
    "cycle_decision": 0.005,
    "realism": 0.25,
    "gradient_penalty": 1.0,
}


class SyCE(keras.Model):
    """Two U-Nets g_0 and g_1 that cross the decision of a classifier f, each near its own inverse.

    g_k is applied to images that f assigns to class k. With y = k, C the clip to [0, 1]:

        x_a = C(g_k(x))    x_s = C(g_k(x_a))    x_cy = C(g_{1-k}(x_a))

        L_k = stable * rec(x, x_s) + cycle * rec(x, x_cy) + flip * BCE(1-y, f(x_a)) + keep * BCE(y, f(x_s))
              + cycle_decision * BCE(y, f(x_cy)) + realism * mean softplus(-D_{1-k}(x_a))

    A training step lowers L_0, then L_1 (each moves both U-Nets, with one optimizer), then the loss of both
    discriminators. The classifier runs with ``training=False`` and is never changed.

    Source: Charachon et al. 2021, section 3; coefficients: the authors' earlier code.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1.
        generators: The U-Nets (g_0, g_1).
        discriminators: (D_0, D_1), [B, H, W, C] -> [B, 1]. None builds them in ``compile``: only training
            needs them.
        loss_weights: Replaces single values of ``LOSS_WEIGHTS``.
        seed: Of the points where the gradient penalty is taken.

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
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        unknown = set(loss_weights or {}) - set(LOSS_WEIGHTS)
        if unknown:
            raise ValueError(f"`loss_weights` may name {sorted(LOSS_WEIGHTS)}. Received: {sorted(unknown)}")
        if tuple(classifier.output_shape) != (None, 1):
            raise ValueError(
                "`classifier` must have one output, the probability of class 1: [N, 1]. "
                f"Received: output shape {classifier.output_shape}"
            )
        self.classifier = classifier
        self.generators = list(generators)
        self.discriminators = list(discriminators or ())
        self.loss_weights = {**LOSS_WEIGHTS, **(loss_weights or {})}
        self.position = keras.random.SeedGenerator(seed)
        self.built = True

    def compile(
        self,
        optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer of the U-Nets and that of the discriminators.

        Args:
            optimizer: Of both U-Nets.
            discriminator_optimizer: Of both discriminators.
            jit_compile: Whether XLA compiles the step. Keras would choose it everywhere; on CPUs it is the
                slower.
            **kwargs: As of ``keras.Model.compile``.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        if not self.discriminators:
            image_shape = self.generators[0].encoder.input_shape[1:]
            self.discriminators = [discriminator(image_shape) for _ in (0, 1)]
        self.discriminator_optimizer = discriminator_optimizer
        names = [
            "loss",
            "discriminator_loss",
            "flip_rate",
            "keep_rate",
            "adversary_distance",
            "stable_distance",
        ]
        names += [name for name in LOSS_WEIGHTS if name != "gradient_penalty"]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def generate(self, images: tf.Tensor) -> AdversarialPair:
        """Returns the stable image and the adversary of every image, by the U-Net of its predicted class.

        Both U-Nets run on the whole batch and the right output is picked, so that shapes do not depend on
        decisions.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
        """
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        is_one = (probability >= 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis]

        def translate(x: tf.Tensor) -> tf.Tensor:
            zero, one = (g(x, training=False) for g in self.generators)
            return tf.clip_by_value(tf.where(is_one, one, zero), 0.0, 1.0)

        adversary = translate(images)
        return AdversarialPair(translate(adversary), adversary, probability)

    def call(self, images: tf.Tensor, training: bool = False) -> AdversarialPair:
        return self.generate(images)

    def generator_loss(
        self, images: tf.Tensor, k: int, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L_k of images predicted k and every figure to log, float32 scalars."""
        y = float(k)
        generator, inverse = self.generators[k], self.generators[1 - k]
        adversary = clip_inward(generator(images, training=training))
        stable = clip_inward(generator(adversary, training=training))
        cycle = clip_inward(inverse(adversary, training=training))
        # One call on all three: the classifier is the slowest part of the step.
        probability = self.classifier(tf.concat([adversary, stable, cycle], axis=0), training=False)
        p_adversary, p_stable, p_cycle = tf.split(probability, 3)
        terms = {
            "stable": losses.reconstruction(images, stable),
            "cycle": losses.reconstruction(images, cycle),
            "flip": losses.binary_cross_entropy(1.0 - y, p_adversary),
            "keep": losses.binary_cross_entropy(y, p_stable),
            "cycle_decision": losses.binary_cross_entropy(y, p_cycle),
            "realism": losses.realism(self.discriminators[1 - k](adversary, training=training)),
        }
        loss = tf.add_n([self.loss_weights[name] * term for name, term in terms.items()])
        predicted_one = tf.cast(p_adversary >= 0.5, tf.float32), tf.cast(p_stable >= 0.5, tf.float32)
        figures = {
            "loss": loss,
            "flip_rate": tf.reduce_mean(tf.abs(predicted_one[0] - y)),
            "keep_rate": 1.0 - tf.reduce_mean(tf.abs(predicted_one[1] - y)),
            "adversary_distance": tf.reduce_mean(tf.abs(images - adversary)),
            "stable_distance": tf.reduce_mean(tf.abs(images - stable)),
        }
        return loss, figures | terms

    def discriminator_loss(self, domains: tuple[tf.Tensor, tf.Tensor], training: bool) -> tf.Tensor:
        """Returns the summed loss of D_0 and D_1, whose fakes come from the images predicted 1 and 0."""
        total = tf.constant(0.0)
        for k in (0, 1):
            critic, real = self.discriminators[k], domains[k]
            fake = clip_inward(self.generators[1 - k](domains[1 - k], training=training))
            fake = tf.stop_gradient(fake)
            position = keras.random.uniform((tf.shape(real)[0], 1, 1, 1), seed=self.position)
            total += losses.discrimination(critic(real, training=training), critic(fake, training=training))
            total += self.loss_weights["gradient_penalty"] * losses.gradient_penalty(
                critic, real, fake, position
            )
        return total

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        weights = [v for g in self.generators for v in g.trainable_variables]
        for k in (0, 1):
            with tf.GradientTape() as tape:
                loss, figures = self.generator_loss(data[k], k, training=True)
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            self._track(figures)
        weights = [v for d in self.discriminators for v in d.trainable_variables]
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(data, training=True)
        self.discriminator_optimizer.apply(tape.gradient(loss, weights), weights)
        self._track({"discriminator_loss": loss})
        return self.get_metrics_result()

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        for k in (0, 1):
            self._track(self.generator_loss(data[k], k, training=False)[1])
        self._track({"discriminator_loss": self.discriminator_loss(data, training=False)})
        return self.get_metrics_result()

    def _track(self, figures: Mapping[str, tf.Tensor]) -> None:
        for name, value in figures.items():
            self.trackers[name].update_state(value)
