"""The warm-up of U-Nets: an easier task that they learn before they train by the stage's own loss.

On several devices these functions are called in the scope of their strategy, and share out every batch as the
epochs do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.bundle.figures import image_figures
from tfadvpath.datasets.batches import batches, epoch_order
from tfadvpath.generators import losses
from tfadvpath.generators.base import PairGenerator, clip_inward, descend
from tfadvpath.metrics.sharpness import high_frequency_energy, structural_similarity
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import UNetOptions
from tfadvpath.training.loop import STEPS_BETWEEN_LOOKS, on_every_device, shared_out
from tfadvpath.training.stage import Look, unheard
from tfadvpath.training.stages.generator import GeneratorStage

# A copy is sharp from this SSIM on, and with the image's high frequencies within this share.
_SIMILAR, _SHARP = 0.97, 0.1
_LOOKED_AT = 32  # validation images
# Steps between two measurements of copies, which may end the warm-up, and of how far networks undo.
_STEPS_BETWEEN_COPIES, _STEPS_BETWEEN_UNDONE = 50, 200
# Seed of the images' order within a recipe's seed, far from the stages' own.
_ORDER = 3_000


def learn_to_copy(
    network: keras.Model,
    copies: int,
    options: UNetOptions,
    stage: GeneratorStage,
    look: Look = unheard,
) -> int:
    """Teaches a network to reproduce its input, ``copies`` times along the channels.

    Without it the first hundreds of steps learn just this, at several times the cost of a step. It ends when
    the copies of validation images are sharp, or after ``warm_up_steps``: an adversary that is a blurred copy
    differs from the image at every edge, and the maps would show those.

    Args:
        network: Network to teach.
        copies: Number of copies that it makes.
        options: Options with the warm-up's steps and learning rate.
        stage: Stage that gives the images.
        look: Function that is told how far the warm-up is, and how sharp the copies are; also, where they
            are not after the last step.

    Returns:
        Number of steps that were taken.
    """
    if not options.warm_up_steps or options.residual is not None:
        return 0
    images = stage.data.parts["train"].images
    rate = keras.optimizers.schedules.CosineDecay(options.warm_up_learning_rate, options.warm_up_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)

    def step(batch: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            copied = network(batch, training=True)
            loss = losses.reconstruction(tf.concat([batch] * copies, axis=-1), copied)
        descend(optimizer, loss, network.trainable_variables, tape)

    count = options.warm_up_steps * 2 * stage.per_class
    order = epoch_order(len(images), count, stage.seed + _ORDER, 0)
    held_out = stage.data.parts["validation"].images
    looked_at = np.asarray(held_out[np.linspace(0, len(held_out) - 1, _LOOKED_AT).astype(int)])

    def sharp(steps: int) -> bool:
        answer = network.predict_on_batch(looked_at)
        # On several devices each of them answers all images; with two copies, the first one counts.
        copied = np.clip(answer[: len(looked_at), ..., : looked_at.shape[-1]], 0.0, 1.0)
        detail = copied_detail(looked_at, copied)
        line = f"after {steps} steps the copies have {detail}"
        if steps == options.warm_up_steps and not detail.sharp:
            line = (
                f"warning, the copies are not sharp after all {steps} steps. They have {detail}. Raise "
                f"{stage.name}.warm_up_steps, or use {stage.name}.residual"
            )
        look(steps, options.warm_up_steps, line)
        return detail.sharp

    images_of_step = batches((images,), order, 2 * stage.per_class)
    return _run(step, [images_of_step], options.warm_up_steps, look, sharp, _STEPS_BETWEEN_COPIES)


@dataclass(frozen=True)
class CopiedDetail:
    """How much of the detail of images their copies keep; ``str`` says it with the limits.

    Attributes:
        similarity: Median structural similarity, at most 1.
        sharpness: Median ratio of their high frequencies to those of the images, 1 where all are kept.
    """

    similarity: float
    sharpness: float

    @property
    def sharp(self) -> bool:
        """Whether copies are sharp."""
        return bool(self.similarity >= _SIMILAR and abs(self.sharpness - 1.0) <= _SHARP)

    def __str__(self) -> str:
        return (
            f"structural similarity {self.similarity:.3f} (at least {_SIMILAR} is wanted) and sharpness "
            f"{self.sharpness:.3f} ({1 - _SHARP:.1f} to {1 + _SHARP:.1f} is wanted)"
        )


def copied_detail(images: np.ndarray, copies: np.ndarray) -> CopiedDetail:
    """Returns how much of the detail of images their copies keep.

    Args:
        images: float32 [N, H, W, C] in [0, 1].
        copies: float32 [N, H, W, C] in [0, 1].
    """
    similarity = np.median(structural_similarity(images, copies))
    energy = high_frequency_energy(images)
    ratio = np.median(high_frequency_energy(copies)[energy > 0] / energy[energy > 0])
    return CopiedDetail(float(similarity), float(ratio))


def learn_to_undo(
    networks: Sequence[keras.Model],
    trained: Sequence[keras.Model],
    options: UNetOptions,
    stage: GeneratorStage,
    look: Look = unheard,
) -> int:
    """Teaches U-Nets to change an image as trained ones do, and to undo that.

    With g the trained U-Net of a class, C the clip to [0, 1] and x_a = C(g(x)), a network learns x -> x_a and
    x_a -> x. Left to SyCE's loss alone, x_s gets the decision back by a spot painted at the same place in
    every image, long before it shows what x_a lacks.

    The loss is the squared error in units of the change, ||. - x_a||^2 / ||x - x_a||^2 and
    ||. - x||^2 / ||x - x_a||^2. The reconstruction error of the generators' losses would weigh every pixel
    alike, and a network that leaves x_a as it is has nearly none: few pixels were changed.

    Args:
        networks: U-Nets of class 0 and class 1, with the weights to begin with.
        trained: Trained U-Nets of the same classes, which cross the decision; they are not changed.
        options: Options with the warm-up's steps and learning rate.
        stage: Stage that gives the images of both predicted classes.
        look: Function that is told how far the warm-up is, and the loss and ``undoing`` of validation images.

    Returns:
        Number of steps that were taken.
    """
    if not options.warm_up_steps:
        return 0
    rate = keras.optimizers.schedules.CosineDecay(options.warm_up_learning_rate, options.warm_up_steps)
    optimizer = keras.optimizers.Adam(rate)
    weights = [weight for network in networks for weight in network.trainable_variables]
    optimizer.build(weights)

    def step(domains: tuple[tf.Tensor, tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            loss = tf.constant(0.0)
            for images, network, across in zip(domains, networks, trained, strict=True):
                adversary = tf.clip_by_value(across(images, training=False), 0.0, 1.0)
                both = clip_inward(network(tf.concat([images, adversary], axis=0), training=True))
                changed, undone = tf.split(both, 2)
                loss += losses.relative_error(changed, adversary, images)
                loss += losses.relative_error(undone, images, adversary)
        descend(optimizer, loss, weights, tape)

    @tf.function(autograph=False)
    def made(domains: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        # The loss as above, and x_a and x_s that the networks make of each class.
        loss, pairs = tf.constant(0.0), []
        for images, network, across in zip(domains, networks, trained, strict=True):
            adversary = tf.clip_by_value(across(images, training=False), 0.0, 1.0)
            changed = tf.clip_by_value(network(images, training=False), 0.0, 1.0)
            again = network(tf.concat([adversary, changed], axis=0), training=False)
            undone, stable = tf.split(tf.clip_by_value(again, 0.0, 1.0), 2)
            loss += losses.relative_error(changed, adversary, images)
            loss += losses.relative_error(undone, images, adversary)
            pairs.append([changed, stable])
        return loss, pairs

    held_out = stage.measured()
    ones = np.repeat([False, True], [len(images) for images in held_out])

    def measure(steps: int) -> bool:
        loss, pairs = made(tuple(tf.constant(images) for images in held_out))
        adversaries, stable = (np.concatenate(each) for each in zip(*pairs, strict=True))
        figures = image_figures(np.concatenate(held_out), adversaries, stable, ones)
        zero, one = (
            "unknown" if value is None else f"{value:.3f}" for value in figures["undoing_by_class"].values()
        )
        line = f"undoing {zero} of images predicted 0, {one} of images predicted 1"
        look(steps, options.warm_up_steps, f"after {steps} steps val_loss {float(loss):.4g}, {line}")
        return False  # it takes all of its steps

    return _run(step, _epochs(options, stage), options.warm_up_steps, look, measure, _STEPS_BETWEEN_UNDONE)


def learn_pairs(
    network: keras.Model,
    trained: PairGenerator,
    options: UNetOptions,
    stage: GeneratorStage,
    look: Look = unheard,
) -> int:
    """Teaches a network with two heads the stable image and the adversary that a trained generator makes.

    Left to SAGen's loss alone, for minutes the heads make one and the same change in images of both classes:
    the network has to find out the class by itself, and nothing but the classifier's answer asks for it.

    Args:
        network: Network as ``models.two_headed_unet`` builds it.
        trained: Generator that makes the pairs to learn; it is not changed.
        options: Options with the warm-up's steps and learning rate.
        stage: Stage that gives the images, as many of each predicted class.
        look: Function that is told how far the warm-up is.

    Returns:
        Number of steps that were taken.
    """
    if not options.warm_up_steps:
        return 0
    rate = keras.optimizers.schedules.CosineDecay(options.warm_up_learning_rate, options.warm_up_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)

    def step(images: tf.Tensor) -> None:
        pair = trained.generate(images)
        wanted = tf.concat([pair.start, pair.adversary], axis=-1)
        with tf.GradientTape() as tape:
            loss = losses.reconstruction(wanted, clip_inward(network(images, training=True)))
        descend(optimizer, loss, network.trainable_variables, tape)

    return _run(step, _epochs(options, stage), options.warm_up_steps, look)


def _epochs(options: UNetOptions, stage: GeneratorStage) -> Iterable[tf.data.Dataset]:
    """Gives as many of the stage's batches as the warm-up has steps, epoch by epoch."""
    # Epochs after the last one: other orders than those of the training.
    for first in range(0, options.warm_up_steps, stage.steps):
        epoch = options.epochs + first // stage.steps
        yield stage.batches(epoch).take(options.warm_up_steps - first)


def _run(
    step: Callable[[Any], None],
    epochs: Iterable[tf.data.Dataset],
    most: int,
    look: Look,
    done: Callable[[int], bool] | None = None,
    between: int = 1,
) -> int:
    """Runs a step on every batch, on the devices of the strategy whose scope this is.

    Args:
        step: Function of a batch.
        epochs: Batches, epoch by epoch.
        most: Number of all batches.
        look: Function that is told how far the warm-up is.
        done: Function of the steps that were taken, which measures and says whether to end. It is asked after
            the last step, too.
        between: Number of steps between two of these questions.

    Returns:
        Number of steps that were taken.
    """
    strategy = tf.distribute.get_strategy()
    compiled = on_every_device(step, strategy, use_xla("auto"))
    steps = 0
    for batches_of_epoch in epochs:
        for batch in shared_out(batches_of_epoch, strategy):
            compiled(batch)
            steps += 1
            if steps % STEPS_BETWEEN_LOOKS == 0:
                look(steps, most)
            if done is not None and (steps % between == 0 or steps == most) and done(steps):
                return steps
    return steps
