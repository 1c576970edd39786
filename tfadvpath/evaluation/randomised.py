"""Methods as they would be if the classifier had learned nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.generators.base import PairGenerator
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.models.randomize import partly_randomized

# So small that it means the last layer alone.
_LEAST_SHARE = 1e-9


class JudgedPair(NamedTuple):
    """An ``AdversarialPair`` whose probability is not that of the classifier that it was made by.

    Attributes:
        start: Stable images, float32 [B, H, W, C] in [0, 1].
        adversary: Adversaries, float32 [B, H, W, C] in [0, 1].
        probability: Outputs of the classifier that judges, for the input images, float32 [B].
        is_one: Decision of the trained classifier, bool [B]: whether the network of class 1 made the pair.
    """

    start: tf.Tensor
    adversary: tf.Tensor
    probability: tf.Tensor
    is_one: tf.Tensor


class SamePair:
    """Images of a trained generator, judged by another classifier.

    Which of two networks an image goes to, and which of them decodes its path, stays the trained classifier's
    decision. So what changes in a map is what the classifier's gradient contributes to it.

    Args:
        generator: Trained generator.
        classifier: Classifier that judges in place of the one that it was trained against.
    """

    def __init__(self, generator: PairGenerator, classifier: keras.Model):
        self.generator = generator
        self.classifier = classifier
        # The manifold path takes its decoder from them: CyCE and SyCE have the first, SAGen the second.
        self.generators = getattr(generator, "generators", None)
        self.network = getattr(generator, "network", None)

    def generate(self, images: tf.Tensor) -> JudgedPair:
        """Returns the pair of the trained generator, with the other classifier's probability.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
        """
        pair = self.generator.generate(images)
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        return JudgedPair(pair.start, pair.adversary, probability, pair.is_one)


def without_learning(bundle: Bundle, method: str, seed: int, share: float = 1.0) -> Any:
    """Returns what ``explainers.get`` takes for a method whose classifier has random weights.

    Args:
        bundle: Bundle with the networks of the method.
        method: Name of the explainer.
        seed: Seed of the weights, which are the same for every method of a seed.
        share: Share of the classifier's layers that have random weights, from the output: all, or fewer, at
            least the last.
    """
    classifier = partly_randomized(bundle.classifier, max(share, _LEAST_SHARE), seed)
    name = explainers.generator_of(method)
    if name is None:
        return classifier
    generator = bundle.generators[name]
    if isinstance(generator, MaskGenerator):
        return MaskGenerator(classifier, generator.decoder)
    return SamePair(generator, classifier)
