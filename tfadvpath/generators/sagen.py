"""SAGen: a stable image and an adversary from one network with two heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AdversarialPair, PairGenerator, clip_inward, descend
from tfadvpath.generators.registry import GENERATORS

_ROW = GENERATORS["sagen"]


class SAGen(PairGenerator):
    """One U-Net with two heads for images of both classes: x -> (x_s, x_a).

    With k the class that the classifier f assigns to x, y = k:

        L = stable * rec(x, x_s) + near * rec(x_s, x_a) + keep * BCE(y, f(x_s)) + flip * BCE(1-y, f(x_a))

    There is no discriminator. The classifier runs with ``training=False`` and is never changed.

    Source: Charachon et al. 2021 (its reference to the similar and adversarial generator); the authors
    publish no coefficients, these are our defaults.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1.
        network: Network as ``models.two_headed_unet`` builds it: [B, H, W, C] -> [B, H, W, 2 C], x_s first,
            not bounded.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        seed: Seed that every generator takes; unused here, since a step draws nothing.
        targets: Shares of decisions to reach, see ``PairGenerator``.

    Trains by ``compile`` and ``fit`` on batches of images, float32 [B, H, W, C]. As many of either predicted
    class should be among them.
    """

    STABLE: ClassVar = _ROW.has_stable_image
    LOSS_WEIGHTS: ClassVar = _ROW.loss_weights
    LOGGED: ClassVar = (
        "loss",
        "flip_rate",
        "keep_rate",
        "adversary_distance",
        "stable_distance",
        *LOSS_WEIGHTS,
    )

    def __init__(
        self,
        classifier: keras.Model,
        network: keras.Model,
        loss_weights: Mapping[str, float] | None = None,
        seed: int = 0,
        targets: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(classifier, loss_weights, seed, targets, **kwargs)
        self.network = network

    def compile(self, optimizer: keras.Optimizer, jit_compile: bool = False, **kwargs: Any) -> None:
        """Sets the optimizer.

        Args:
            optimizer: Optimizer of the network.
            jit_compile: Whether XLA compiles the step. Keras would choose it everywhere; on CPUs it is the
                slower.
            **kwargs: Further arguments of ``keras.Model.compile``.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.start_logs()
        optimizer.build(self.network.trainable_variables)

    def generate(self, images: tf.Tensor) -> AdversarialPair:
        """Returns the stable image and the adversary of every image.

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """
        probability = tf.reshape(self.classify(images)[0], [-1])
        stable, adversary = tf.split(self.network(images, training=False), 2, axis=-1)
        clip = tf.clip_by_value
        return AdversarialPair(clip(stable, 0.0, 1.0), clip(adversary, 0.0, 1.0), probability)

    def generator_loss(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L and every number to log, float32 scalars."""
        stable, adversary = tf.split(clip_inward(self.network(images, training=training)), 2, axis=-1)
        p_image, p_stable, p_adversary = self.classify(images, stable, adversary)
        y = tf.stop_gradient(tf.cast(p_image >= 0.5, tf.float32))
        terms = {
            "stable": losses.reconstruction(images, stable),
            "near": losses.reconstruction(stable, adversary),
            "keep": losses.binary_cross_entropy(y, p_stable),
            "flip": losses.binary_cross_entropy(1.0 - y, p_adversary),
        }
        loss = self.weighted(terms)
        flipped = tf.cast((p_adversary >= 0.5) != (y > 0), tf.float32)
        kept = tf.cast((p_stable >= 0.5) == (y > 0), tf.float32)
        if training and self.targets:
            raised = {
                "keep": losses.binary_cross_entropy(y, p_stable, self.factor("keep", y)),
                "flip": losses.binary_cross_entropy(1.0 - y, p_adversary, self.factor("flip", y)),
            }
            loss = self.weighted(terms | raised)
            for k in (0, 1):
                of_class = tf.cast(y == k, tf.float32)
                count = tf.maximum(tf.reduce_sum(of_class), 1.0)
                shares = {"flip": flipped, "keep": kept}
                self.raise_weights(
                    k, {term: tf.reduce_sum(share * of_class) / count for term, share in shares.items()}
                )
        logs = {
            "loss": loss,
            "flip_rate": tf.reduce_mean(flipped),
            "keep_rate": tf.reduce_mean(kept),
            "adversary_distance": tf.reduce_mean(tf.abs(images - adversary)),
            "stable_distance": tf.reduce_mean(tf.abs(images - stable)),
        }
        return loss, logs | terms

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss, logs = self.generator_loss(data, training=True)
        descend(self.optimizer, loss, self.network.trainable_variables, tape)
        self.track(logs)
        return self.get_metrics_result()

    def test_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        self.track(self.generator_loss(data, training=False)[1])
        return self.get_metrics_result()
