"""The mask generator: a network that shows in one pass which pixels a decision rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfadvpath.generators import losses
from tfadvpath.generators.base import AgainstClassifier, descend, seed_of_draw
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.models.mask_decoder import activation_levels
from tfadvpath.path.gaussian import gaussian_blur
from tfadvpath.path.lengths import blurring_sigma

# Numbers of the random draws of one step.
_KIND, _BRIGHTNESS, _NOISE = range(3)
_EPSILON = 1e-7
# |a| + |b| can vanish; it is unbounded, so that a mask still comes within 1e-4 of 0 and 1.
_CHANNEL_EPSILON = 1e-3

_ROW = GENERATORS["mask_generator"]


class MaskGenerator(AgainstClassifier):
    """A decoder of the classifier's own activations to a mask M of the pixels that its decision rests on.

    The encoder is the classifier f itself, never changed. The decoder gives two channels a, b at half the
    resolution; M = |a| / (|a| + |b|), brought to the image's size by bilinear interpolation. With f_c the
    probability of the class that f assigns to x, and A an image without the evidence for it:

        L = smooth * TV(M) + small * mean(M) - preserve * log f_c(x M + A (1 - M))
            + destroy * f_c(x (1 - M) + A M)^destroy_exponent

    TV(M) is the sum of the squared differences of neighbouring pixels. A sum, as in the official code: it
    stays the same when an image is enlarged, since edges grow longer by as much as they grow softer. The
    published weights are smooth 10, small 1e-3: with them the mask is the same everywhere, since nothing
    makes it smaller. The defaults exchange the two. A is x blurred or, for a random half of the images, one
    random brightness with noise.

    Source: Dabkowski and Gal 2017, "Real time image saliency for black box classifiers"; Charachon et al.
    2021.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1; functional
            or sequential, with a layer that halves the resolution.
        decoder: Decoder as ``models.mask_decoder`` builds it for this classifier.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        destroy_exponent: Exponent of the last term, in (0, 1]. Below 1 the loss still falls where f_c is
            small already.
        blur_sigma: Standard deviation of the blur in pixels; None is 5 pixels of 224, in proportion to the
            side of the classifier's images.
        noise_share: Share of the images that get brightness and noise, in [0, 1].
        noise_sigma: Standard deviation of the noise.
        seed: Seed of the brightness and the noise.

    Raises:
        ValueError: An unknown name in ``loss_weights``, a classifier with more than one output, or one whose
            activations are not what the decoder takes.

    Trains by ``compile`` and ``fit`` on batches of images, float32 [B, H, W, C] in [0, 1].
    """

    LOSS_WEIGHTS: ClassVar = _ROW.loss_weights
    LOGGED: ClassVar = ("loss", "preserve_rate", "destroy_rate", *LOSS_WEIGHTS)

    def __init__(
        self,
        classifier: keras.Model,
        decoder: keras.Model,
        loss_weights: Mapping[str, float] | None = None,
        destroy_exponent: float = 0.3,
        blur_sigma: float | None = None,
        noise_share: float = 0.5,
        noise_sigma: float = 0.05,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(classifier, loss_weights, seed, **kwargs)
        self.encoder = activation_levels(classifier)
        levels = [tuple(level.shape) for level in self.encoder.outputs]
        wanted = [tuple(level.shape) for level in decoder.inputs]
        if levels != wanted:
            raise ValueError(
                "`decoder` must be built for `classifier`: it takes activations of the shapes "
                f"{wanted}. Received: a classifier with {levels}"
            )
        self.decoder = decoder
        self.destroy_exponent = destroy_exponent
        image_size = classifier.input_shape[1:3]
        self.blur_sigma = blurring_sigma(image_size) if blur_sigma is None else blur_sigma
        self.noise_share = noise_share
        self.noise_sigma = noise_sigma

    def compile(self, optimizer: keras.Optimizer, jit_compile: bool = False, **kwargs: Any) -> None:
        """Sets the optimizer.

        Args:
            optimizer: Optimizer of the decoder.
            jit_compile: Whether XLA compiles the step. Keras would choose it everywhere; on CPUs it is the
                slower.
            **kwargs: Further arguments of ``keras.Model.compile``.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.start_logs()
        optimizer.build(self.decoder.trainable_variables)

    def mask(self, images: tf.Tensor) -> tf.Tensor:
        """Returns M, float32 [B, H, W, 1] in [0, 1]: near 1 where the decision rests on the pixel.

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """
        return self._mask(images, training=False)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._mask(images, training)

    def generator_loss(
        self, images: tf.Tensor, step: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns L and every number to log, float32 scalars; another step draws other numbers."""
        mask = self._mask(images, training)
        instead = self.without_evidence(images, step)
        preserved = images * mask + instead * (1.0 - mask)
        destroyed = images * (1.0 - mask) + instead * mask
        p_image, p_preserved, p_destroyed = self.classify(images, preserved, destroyed)
        y = tf.stop_gradient(tf.cast(p_image >= 0.5, tf.float32))
        left = y * p_destroyed + (1.0 - y) * (1.0 - p_destroyed)  # f_c of the destroyed image
        terms = {
            "smooth": total_variation(mask),
            "small": tf.reduce_mean(mask),
            "preserve": losses.binary_cross_entropy(y, p_preserved),
            # A power below 1 has no derivative at 0.
            "destroy": tf.reduce_mean(tf.pow(left + _EPSILON, self.destroy_exponent)),
        }
        loss = self.weighted(terms)
        logs = {
            "loss": loss,
            "preserve_rate": losses.share_decided(y, p_preserved),
            "destroy_rate": losses.share_decided(1.0 - y, p_destroyed),
        }
        return loss, logs | terms

    def without_evidence(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Returns A: every image blurred or, for a random share, one brightness with noise, in [0, 1].

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
            step: Number of the step, int scalar. Another one draws other numbers.
        """
        blurred = gaussian_blur(images, self.blur_sigma)
        noise = self._noise(images, step)
        uniform = self.random_position(images, step, _BRIGHTNESS) + self.noise_sigma * noise
        is_uniform = self.random_position(images, step, _KIND) < self.noise_share
        return tf.where(is_uniform, tf.clip_by_value(uniform, 0.0, 1.0), blurred)

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss, logs = self.generator_loss(data, self.optimizer.iterations, training=True)
        descend(self.optimizer, loss, self.decoder.trainable_variables, tape)
        self.track(logs)
        return self.get_metrics_result()

    def test_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        # The same numbers whenever it is asked, or luck would have a part in which epoch is the best.
        self.track(self.generator_loss(data, tf.constant(0), training=False)[1])
        return self.get_metrics_result()

    def _mask(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        levels = self.encoder(images, training=False)
        channels = tf.abs(self.decoder(levels, training=training)) + _CHANNEL_EPSILON
        half = channels[..., :1] / tf.reduce_sum(channels, axis=-1, keepdims=True)
        return tf.image.resize(half, tf.shape(images)[1:3], "bilinear")

    def _noise(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Returns standard normal noise [B, H, W, C], this device's share of the global batch's."""
        context = tf.distribute.get_replica_context()
        device, devices = context.replica_id_in_sync_group, context.num_replicas_in_sync
        count = tf.shape(images)[0]
        seed = seed_of_draw(self.seed, step, _NOISE)
        everywhere = tf.random.stateless_normal((count * devices, *images.shape[1:]), seed)
        return everywhere[device * count : (device + 1) * count]


def total_variation(masks: tf.Tensor) -> tf.Tensor:
    """Returns the sum of the squared differences of neighbouring pixels, the mean over masks [B, H, W, 1]."""
    down, right = masks[:, 1:] - masks[:, :-1], masks[:, :, 1:] - masks[:, :, :-1]
    both = tf.reduce_sum(tf.square(down), axis=(1, 2, 3)) + tf.reduce_sum(tf.square(right), axis=(1, 2, 3))
    return tf.reduce_mean(both)
