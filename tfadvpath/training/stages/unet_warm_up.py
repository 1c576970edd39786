"""The warm-up of U-Nets: an easier task that they learn before they train by the stage's own loss.

On several devices these functions are called in the scope of their strategy, and share out every batch as the
epochs do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.datasets.batches import batches, epoch_order
from tfadvpath.generators import losses
from tfadvpath.generators.base import PairGenerator, clip_inward, descend
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import UNetOptions
from tfadvpath.training.loop import on_every_device, shared_out
from tfadvpath.training.stages.generator import GeneratorStage

# Seed of the images' order within a recipe's seed, far from the stages' own.
_ORDER = 3_000


def learn_to_copy(network: keras.Model, copies: int, options: UNetOptions, stage: GeneratorStage) -> None:
    """Teaches a network to reproduce its input, ``copies`` times along the channels.

    Without it the first hundreds of steps learn just this, at several times the cost of a step.
    """
    if not options.warm_up_steps:
        return
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
    _run(step, [batches((images,), order, 2 * stage.per_class)])


def learn_to_undo(
    networks: Sequence[keras.Model],
    trained: Sequence[keras.Model],
    options: UNetOptions,
    stage: GeneratorStage,
) -> None:
    """Teaches U-Nets to change an image as trained ones do, and to undo that.

    With g the trained U-Net of a class, C the clip to [0, 1] and x_a = C(g(x)), a network learns x -> x_a and
    x_a -> x. Left to SyCE's loss alone, x_s gets the decision back by a spot painted at the same place in
    every image, long before it shows what x_a lacks.

    Args:
        networks: U-Nets of class 0 and class 1, with the weights to begin with.
        trained: Trained U-Nets of the same classes, which cross the decision; they are not changed.
        options: Options with the warm-up's steps and learning rate.
        stage: Stage that gives the images of both predicted classes.
    """
    if not options.warm_up_steps:
        return
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
                loss += losses.reconstruction(tf.concat([adversary, images], axis=0), both)
        descend(optimizer, loss, weights, tape)

    _run(step, _epochs(options, stage))


def learn_pairs(
    network: keras.Model, trained: PairGenerator, options: UNetOptions, stage: GeneratorStage
) -> None:
    """Teaches a network with two heads the stable image and the adversary that a trained generator makes.

    Left to SAGen's loss alone, for minutes the heads make one and the same change in images of both classes:
    the network has to find out the class by itself, and nothing but the classifier's answer asks for it.

    Args:
        network: Network as ``models.two_headed_unet`` builds it.
        trained: Generator that makes the pairs to learn; it is not changed.
        options: Options with the warm-up's steps and learning rate.
        stage: Stage that gives the images, as many of each predicted class.
    """
    if not options.warm_up_steps:
        return
    rate = keras.optimizers.schedules.CosineDecay(options.warm_up_learning_rate, options.warm_up_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)

    def step(images: tf.Tensor) -> None:
        pair = trained.generate(images)
        wanted = tf.concat([pair.start, pair.adversary], axis=-1)
        with tf.GradientTape() as tape:
            loss = losses.reconstruction(wanted, clip_inward(network(images, training=True)))
        descend(optimizer, loss, network.trainable_variables, tape)

    _run(step, _epochs(options, stage))


def _epochs(options: UNetOptions, stage: GeneratorStage) -> Iterable[tf.data.Dataset]:
    """Gives as many of the stage's batches as the warm-up has steps, epoch by epoch."""
    # Epochs after the last one: other orders than those of the training.
    for first in range(0, options.warm_up_steps, stage.steps):
        epoch = options.epochs + first // stage.steps
        yield stage.batches(epoch).take(options.warm_up_steps - first)


def _run(step: Callable[[Any], None], epochs: Iterable[tf.data.Dataset]) -> None:
    """Runs a step on every batch, on the devices of the strategy whose scope this is."""
    strategy = tf.distribute.get_strategy()
    compiled = on_every_device(step, strategy, use_xla("auto"))
    for batches_of_epoch in epochs:
        for batch in shared_out(batches_of_epoch, strategy):
            compiled(batch)
