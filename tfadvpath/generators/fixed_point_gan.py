"""The fixed-point GAN: translates an image to the other class and changes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AgainstClassifier, descend, seed_of_draw
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.models.translators import class_discriminator

# Numbers of the random draws of one step.
_POSITION, _CRITIC_TARGET, _TARGET = range(3)

_ROW = GENERATORS["fixed_point_gan"]


class FixedPointGAN(AgainstClassifier):
    """One translator between the classes that a classifier f assigns; its x_p perturbs images in metrics.

    Inside, images x are in [-1, 1]. With c the class that f assigns to x and c_t the classes of the batch in
    a random order:

        T(x, c) = tanh(x + G(x, c))    x_f = T(x, c_t)    x_i = T(x, c)

        L_D = discrimination * (mean D(x_f) - mean D(x)) + real_classification * BCE(D_cls(x), c)
              + gradient_penalty * mean (||dD/dx(x_hat)|| - 1)^2

        L_G = classification * BCE(D_cls(x_f), c_t) + cycle * |x - T(x_f, c)| - realism * mean D(x_f)
              + same_classification * BCE(D_cls(x_i), c) + same_cycle * |x - T(x_i, c)|
              + identity * |x - x_i| + flip * BCE(c_t, f(x_f)) - same_realism * mean D(x_i)

    x_hat lies on the segment between x and x_f; |.| is the mean over pixels. ``flip`` is 0 in the published
    method, where f never judges a translated image: give it a weight where too few decisions change. For
    an image with c_t = 1 - c it asks f for the other decision, otherwise for the same.

    A training step follows the published schedule, ``n_critic`` updates of D on fresh images for one of G:
    it splits the batch into ``n_critic`` sub-batches (every ``n_critic``-th image), lowers L_D on each in
    turn, then L_G on the last one. A batch is therefore ``n_critic`` times as large as the published 8 to 16.
    The classifier runs with ``training=False`` and is never changed.

    Source: Siddiquee et al. 2019, "Learning fixed points in generative adversarial networks", and its
    official code.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1.
        translator: Network G, as ``models.translator`` builds it.
        discriminator: Network D, as ``models.class_discriminator`` builds it. None builds one of the
            published size in ``compile``: only training needs it.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        n_critic: Number of updates of D for one of G.
        seed: Seed of the order of the classes and of the points where the gradient penalty is taken.

    Raises:
        ValueError: An unknown name in ``loss_weights``, a classifier with more than one output, or
            ``n_critic`` below 1.

    Trains by ``compile`` and ``fit`` on batches of images, float32 [B, H, W, C] in [0, 1]. Both classes
    should be among them. Validation takes c_t = 1 - c, which is how the translator is used.
    """

    LOSS_WEIGHTS: ClassVar = _ROW.loss_weights
    LOGGED: ClassVar = ("loss", "discriminator_loss", "flip_rate", "perturbation_distance", *LOSS_WEIGHTS)

    def __init__(
        self,
        classifier: keras.Model,
        translator: keras.Model,
        discriminator: keras.Model | None = None,
        loss_weights: Mapping[str, float] | None = None,
        n_critic: int = 5,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(classifier, loss_weights, seed, **kwargs)
        if n_critic < 1:
            raise ValueError(f"`n_critic` must be at least 1. Received: n_critic={n_critic}")
        self.translator = translator
        self.discriminator: Any = discriminator
        self.n_critic = n_critic

    def compile(
        self,
        optimizer: keras.Optimizer,
        discriminator_optimizer: keras.Optimizer,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizers; the published ones are ``keras.optimizers.Adam(1e-4, beta_1=0.5)``.

        Args:
            optimizer: Optimizer of the translator.
            discriminator_optimizer: Optimizer of the discriminator.
            jit_compile: Whether XLA compiles the step. Keras would choose it everywhere; on CPUs it is the
                slower.
            **kwargs: Further arguments of ``keras.Model.compile``.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.start_logs()
        if self.discriminator is None:
            self.discriminator = class_discriminator(self.translator.output_shape[1:])
        self.discriminator_optimizer = discriminator_optimizer
        optimizer.build(self.translator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    def translate(self, images: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Returns T(x, target), float32 [B, H, W, C] in [0, 1].

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
            target: Classes to translate to, 0 or 1, float32 [B].
        """
        x = 2.0 * tf.convert_to_tensor(images) - 1.0
        translated = self._translate(x, tf.reshape(target, [-1, 1]), training=False)
        return (translated + 1.0) / 2.0

    def perturb(self, images: tf.Tensor) -> tf.Tensor:
        """Returns x_p = T(x, 1 - c), c the class that the classifier assigns: float32 [B, H, W, C] in [0, 1].

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """
        return self.translate(images, 1.0 - self._decision(images))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.perturb(images)

    def discriminator_loss(
        self, x: tf.Tensor, c: tf.Tensor, target: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L_D and the numbers to log, float32 scalars.

        Args:
            x: Images, float32 [B, H, W, C] in [-1, 1].
            c: Classes of the images, float32 [B, 1].
            target: Classes c_t to translate to, float32 [B, 1].
            training: Whether the networks run as in training.
        """
        critic = self.discriminator
        fake = tf.stop_gradient(self._translate(x, target, training))
        real_scores, real_logit = critic(x, training=training)
        fake_scores, _ = critic(fake, training=training)
        position = self.random_position(x, self.discriminator_optimizer.iterations, _POSITION)
        terms = {
            "discrimination": tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores),
            "real_classification": _cross_entropy(c, real_logit),
            "gradient_penalty": losses.gradient_penalty(
                lambda x_hat: critic(x_hat, training=training)[0], x, fake, position
            ),
        }
        loss = self.weighted(terms)
        return loss, {"discriminator_loss": loss} | terms

    def generator_loss(
        self, x: tf.Tensor, c: tf.Tensor, target: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L_G and the numbers to log, float32 scalars. Arguments: see ``discriminator_loss``."""
        translated = self._translate(x, target, training)
        same = self._translate(x, c, training)
        scores, logit = self.discriminator(translated, training=training)
        same_scores, same_logit = self.discriminator(same, training=training)
        # Without a weight f judges for the logs only: the way back through it would cost as much again.
        seen = translated if self.loss_weights["flip"] else tf.stop_gradient(translated)
        terms = {
            "realism": -tf.reduce_mean(scores),
            "classification": _cross_entropy(target, logit),
            "cycle": _distance(x, self._translate(translated, c, training)),
            "same_realism": -tf.reduce_mean(same_scores),
            "same_classification": _cross_entropy(c, same_logit),
            "same_cycle": _distance(x, self._translate(same, c, training)),
            "identity": _distance(x, same),
            "flip": losses.binary_cross_entropy(target, self.classify((seen + 1.0) / 2.0)[0]),
        }
        loss = self.weighted(terms)
        perturbed = tf.stop_gradient(self._translate(x, 1.0 - c, training=False) + 1.0) / 2.0
        logs = {
            "loss": loss,
            "flip_rate": losses.share_decided(1.0 - c, self.classify(perturbed)[0]),
            "perturbation_distance": _distance((x + 1.0) / 2.0, perturbed),
        }
        return loss, logs | terms

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_greater_equal(
            tf.shape(data)[0],
            self.n_critic,
            message=f"A training batch must have at least n_critic = {self.n_critic} images.",
        )
        classes, images = self._decision(data), data * 2.0 - 1.0
        # Every n_critic-th image: the sub-batches of several devices together are those of one.
        for k in range(self.n_critic):
            x, c = images[k :: self.n_critic], classes[k :: self.n_critic]
            target = self._permuted(c, self.discriminator_optimizer.iterations, _CRITIC_TARGET)
            with tf.GradientTape() as tape:
                loss, logs = self.discriminator_loss(x, c, target, training=True)
            descend(self.discriminator_optimizer, loss, self.discriminator.trainable_variables, tape)
            self.track(logs)
        target = self._permuted(c, self.optimizer.iterations, _TARGET)
        with tf.GradientTape() as tape:
            loss, logs = self.generator_loss(x, c, target, training=True)
        descend(self.optimizer, loss, self.translator.trainable_variables, tape)
        self.track(logs)
        return self.get_metrics_result()

    def test_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        x, c = data * 2.0 - 1.0, self._decision(data)
        self.track(self.discriminator_loss(x, c, 1.0 - c, training=False)[1])
        self.track(self.generator_loss(x, c, 1.0 - c, training=False)[1])
        return self.get_metrics_result()

    def _decision(self, images: tf.Tensor) -> tf.Tensor:
        """Returns float32 [B, 1]: the class, 0 or 1, that the classifier assigns to images in [0, 1]."""
        return tf.stop_gradient(tf.cast(self.classify(images)[0] >= 0.5, tf.float32))

    def _translate(self, x: tf.Tensor, target: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns T(x, target) of images in [-1, 1] and float32 [B, 1], in [-1, 1]."""
        return tf.tanh(x + self.translator([x, target], training=training))

    def _permuted(self, classes: tf.Tensor, step: tf.Tensor, draw: int) -> tf.Tensor:
        """Returns the classes [B, 1] of the global batch in a random order, this device's share of them."""
        context = tf.distribute.get_replica_context()
        device, devices = context.replica_id_in_sync_group, context.num_replicas_in_sync
        count = tf.shape(classes)[0]
        everywhere = context.all_gather(classes, axis=0) if devices > 1 else classes
        seed = seed_of_draw(self.seed, step, draw)
        order = tf.argsort(tf.random.stateless_uniform([count * devices], seed))
        return tf.gather(everywhere, order[device * count : (device + 1) * count])


def _distance(u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.abs(u - v))


def _cross_entropy(target: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """Returns the mean cross-entropy of logits [B, 1] against targets 0 or 1, [B, 1]."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, logit))
