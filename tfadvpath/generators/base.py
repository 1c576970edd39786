"""The base classes of networks that train against a frozen classifier, and of generators of explanations."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

# Of the dual ascent, see ``PairGenerator``: a weight rises or falls tenfold in 77 steps at most, and the mean
# of the shares follows within 20 steps.
_ASCENT_RATE = 0.03
_MEMORY = 0.95
_LARGEST_FACTOR = 5.3  # logarithm: 200 times the weight that was given, or a 200th of it


class AdversarialPair(NamedTuple):
    """The two ends of an explanation's path.

    Attributes:
        start: Stable images x_s (the input images where a method has none), float32 [B, H, W, C] in [0, 1].
        adversary: Adversaries x_a, close to the input images and on the other side of the decision, float32
            [B, H, W, C] in [0, 1].
        probability: Outputs of the classifier for the input images, float32 [B]; in an ``Explanation`` they
            are called ``score``.
    """

    start: tf.Tensor
    adversary: tf.Tensor
    probability: tf.Tensor

    @property
    def is_one(self) -> tf.Tensor:
        """bool [B]: the input image is of class 1, so the network of this class made its pair."""
        return self.probability >= 0.5


@tf.custom_gradient
def clip_inward(images: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Clips to [0, 1]; outside, only the gradient that leads back is passed on.

    A plain clip has no gradient outside [0, 1]: a generator whose outputs fall below 0 would stay black for
    ever. A clip that passes every gradient lets descent push a clipped pixel ever further out, where it
    changes nothing: training then diverges.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # Descent moves a pixel against its gradient.
        outward = ((images <= 0.0) & (upstream > 0.0)) | ((images >= 1.0) & (upstream < 0.0))
        return tf.where(outward, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(images, 0.0, 1.0), gradient


class AgainstClassifier(keras.Model):
    """A Keras model whose networks train against a classifier f that is never changed.

    Subclasses give ``LOSS_WEIGHTS``, the named coefficients of their loss with their defaults, and
    ``LOGGED``, every name that a step logs; they write ``compile``, ``train_step`` and ``test_step``.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1. It runs
            with ``training=False``.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        seed: Seed of the random numbers that a step draws, at most 2 000 000.

    Raises:
        TypeError: The classifier is no Keras 3 model.
        ValueError: An unknown name in ``loss_weights``, or a classifier with more than one output.
    """

    LOSS_WEIGHTS: ClassVar[Mapping[str, float]] = {}
    LOGGED: ClassVar[tuple[str, ...]] = ("loss",)

    def __init__(
        self,
        classifier: keras.Model,
        loss_weights: Mapping[str, float] | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        unknown = set(loss_weights or {}) - set(self.LOSS_WEIGHTS)
        if unknown:
            raise ValueError(
                f"`loss_weights` may name {sorted(self.LOSS_WEIGHTS)}. Received: {sorted(unknown)}"
            )
        if not isinstance(classifier, keras.Model):
            raise TypeError(
                "`classifier` must be a Keras 3 model, since generators train through it. "
                f"Received: {type(classifier).__name__}"
            )
        if tuple(classifier.output_shape) != (None, 1):
            raise ValueError(
                "`classifier` must have one output, the probability of class 1: [N, 1]; "
                "tfadvpath.models.binary_classifier takes one of several. "
                f"Received: output shape {classifier.output_shape}"
            )
        self.classifier = classifier
        self.loss_weights = {**self.LOSS_WEIGHTS, **(loss_weights or {})}
        self.seed = seed
        self.trackers: dict[str, keras.metrics.Mean] = {}
        self.built = True

    def classify(self, *batches: tf.Tensor) -> list[tf.Tensor]:
        """Returns f of several batches, float32 [B, 1] each, by one call: f is the slowest part of a step.

        Args:
            *batches: Batches of images, float32 [B, H, W, C] in [0, 1], of one shape.
        """
        probability = self.classifier(tf.concat(batches, axis=0), training=False)
        return tf.split(tf.cast(probability, tf.float32), len(batches))

    def start_logs(self) -> None:
        """Makes the epoch's means; ``compile`` calls it."""
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.LOGGED}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def weighted(self, terms: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the sum of the loss's terms by their weights."""
        return tf.add_n([self.loss_weights[name] * term for name, term in terms.items()])

    def track(self, logs: Mapping[str, tf.Tensor]) -> None:
        """Adds one step's scalars to the epoch's means."""
        for name, value in logs.items():
            self.trackers[name].update_state(value)

    def random_position(self, images: tf.Tensor, step: tf.Tensor, draw: int) -> tf.Tensor:
        """Returns float32 [B, 1, 1, 1] in [0, 1), one number an image.

        They depend on the seed, the step and the image's place in the global batch alone: a training that
        was resumed, or spread over several devices, draws the same.

        Args:
            images: Images of the batch that this device has, [B, H, W, C].
            step: Number of the step, int scalar, such as an optimizer's ``iterations``.
            draw: Number of the draw within the step, 0 to 999.
        """
        context = tf.distribute.get_replica_context()
        device, devices = context.replica_id_in_sync_group, context.num_replicas_in_sync
        count = tf.shape(images)[0]
        seed = seed_of_draw(self.seed, step, draw)
        everywhere = tf.random.stateless_uniform((count * devices, 1, 1, 1), seed)
        return everywhere[device * count : (device + 1) * count]


class PairGenerator(AgainstClassifier, abc.ABC):
    """A generator of explanations: it makes the start image and the adversary of every image.

    Where a target t is given, the weight of a decision's term in the loss is found by dual ascent, for each
    class by itself. A running mean s follows the shares of the steps. After each step the weight's logarithm
    rises by a rate times (t - s) / t where s is below t, and falls by the rate times (s - t) / (1 - t) where
    it is above: as fast down, where all decisions are as wanted, as up, where none is. So the weight grows
    until the share is reached, and comes back to what keeps it.

    Args:
        classifier: Keras model, float32 [B, H, W, C] in [0, 1] -> [B, 1] probability of class 1.
        loss_weights: Weights of single terms in place of those of ``LOSS_WEIGHTS``.
        seed: Seed of the random numbers that a step draws, at most 2 000 000.
        targets: Shares in (0, 1) to reach: "flip", of adversaries that cross the decision, and "keep", of
            stable images that do not. The weight of a term without a target stays as it is.

    Raises:
        ValueError: A target is no share, or of a term that the loss has not.

    Attributes:
        STABLE: Whether the start is a stable image; otherwise it is the input itself.
    """

    STABLE: ClassVar[bool] = True

    def __init__(
        self,
        classifier: keras.Model,
        loss_weights: Mapping[str, float] | None = None,
        seed: int = 0,
        targets: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(classifier, loss_weights, seed, **kwargs)
        self.targets = dict(targets or {})
        for term, share in self.targets.items():
            if term not in ("flip", "keep") or term not in self.LOSS_WEIGHTS or not 0 < share < 1:
                raise ValueError(
                    '`targets` may give "flip" and, where the loss has it, "keep" a share in (0, 1). '
                    f"Received: {term}: {share}"
                )
        # Logarithms of the factors by which the weights were raised, and running means of the shares: for
        # class 0 and class 1.
        self.raised = {term: self._of_both_classes(f"raised_{term}", 0.0) for term in self.targets}
        self.reached = {
            term: self._of_both_classes(f"reached_{term}", target) for term, target in self.targets.items()
        }

    def _of_both_classes(self, name: str, value: float) -> keras.Variable:
        return self.add_weight(
            shape=(2,),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
            name=name,
        )

    def start_logs(self) -> None:
        super().start_logs()
        for term in self.targets:
            self.trackers[f"{term}_weight"] = keras.metrics.Mean(name=f"{term}_weight")

    def factor(self, term: str, k: int | tf.Tensor) -> tf.Tensor:
        """Returns the factor by which a term's weight was raised for images predicted k, float32 as k."""
        if term not in self.raised:
            return tf.ones(tf.shape(k))
        return tf.exp(tf.gather(tf.convert_to_tensor(self.raised[term]), tf.cast(k, tf.int32)))

    def weighted_for(self, terms: Mapping[str, tf.Tensor], k: int, training: bool) -> tf.Tensor:
        """Returns the sum of the loss's terms for images predicted k.

        Raised weights count in training alone: what is measured on validation images can be compared from
        epoch to epoch.
        """
        if not training:
            return self.weighted(terms)
        return self.weighted({name: self.factor(name, k) * term for name, term in terms.items()})

    def raise_weights(self, k: int, shares: Mapping[str, tf.Tensor]) -> None:
        """Takes the step of the dual ascent for images predicted k.

        Args:
            k: Predicted class.
            shares: Shares that the training step reached on this device, float scalars, by the term's name.
        """
        context = tf.distribute.get_replica_context()
        for term, target in self.targets.items():
            share = shares[term]
            if context.num_replicas_in_sync > 1:
                share = context.all_reduce(tf.distribute.ReduceOp.MEAN, share)
            chosen = tf.one_hot(k, 2)
            reached = tf.convert_to_tensor(self.reached[term])
            reached += chosen * (1.0 - _MEMORY) * (share - reached)
            missing = target - reached[k]
            missing /= tf.where(missing > 0.0, target, 1.0 - target)
            raised = tf.convert_to_tensor(self.raised[term]) + chosen * _ASCENT_RATE * missing
            self.reached[term].assign(reached)
            self.raised[term].assign(tf.clip_by_value(raised, -_LARGEST_FACTOR, _LARGEST_FACTOR))
            self.trackers[f"{term}_weight"].update_state(self.loss_weights[term] * tf.exp(raised[k]))

    @abc.abstractmethod
    def generate(self, images: tf.Tensor) -> AdversarialPair:
        """Returns the two ends of the path of every image.

        Args:
            images: Images, float32 [B, H, W, C] in [0, 1].
        """

    def call(self, images: tf.Tensor, training: bool = False) -> AdversarialPair:
        return self.generate(images)


def seed_of_draw(seed: int, step: tf.Tensor, draw: int) -> tf.Tensor:
    """Returns the seed of one draw of random numbers, int32 [2], for TensorFlow's stateless functions.

    Every seed has a thousand draws of its own: neither two recipes nor two draws of a step share one. A step
    draws far fewer, and a thousand times a recipe's largest seed, 2 000 000, is still an int32.

    Args:
        seed: Seed of the recipe.
        step: Number of the step, int scalar.
        draw: Number of the draw within the step, 0 to 999.
    """
    return tf.stack([seed * 1000 + draw, tf.cast(step, tf.int32)])


def descend(
    optimizer: keras.Optimizer, loss: tf.Tensor, weights: Sequence[keras.Variable], tape: tf.GradientTape
) -> None:
    """Moves weights against the gradient of a loss, the mean over the images of all devices.

    On several devices every loss is the mean over one device's share. Keras adds up what the devices hand
    to the optimizer and clips before that; so the mean is taken first, and each hands over its part of it.
    """
    gradients = tape.gradient(loss, weights)
    context = tf.distribute.get_replica_context()
    devices = context.num_replicas_in_sync
    if devices > 1:
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        if optimizer.global_clipnorm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)
        gradients = [gradient / devices for gradient in gradients]
    optimizer.apply(gradients, weights)
