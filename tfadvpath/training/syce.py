"""The stage of the SyCE generators."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.slices import SliceSet
from tfadvpath.errors import InputError
from tfadvpath.generators import losses
from tfadvpath.generators.syce import SyCE
from tfadvpath.importance import use_xla
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet
from tfadvpath.training.best_weights import BestWeights
from tfadvpath.training.recipe import Recipe
from tfadvpath.training.recipe import SyCE as SyCEOptions


def train_syce(
    recipe: Recipe,
    classifier: keras.Model,
    train: SliceSet,
    validation: SliceSet,
    verbose: int | str = "auto",
) -> SyCE:
    """Trains the generators and returns them with the weights of the lowest validation loss.

    Images are split into domains by the classifier's decision, not by label.

    Raises:
        InputError: The classifier's decisions leave one domain without a batch of images.
    """
    options = recipe.syce
    shape = train.images.shape[1:]
    zero, one = (UNet(shape, options.filters, options.normalization, options.dropout) for _ in (0, 1))
    unets = (zero, one)
    warm_up(unets, train.images, options, recipe.seed, verbose)
    model = SyCE(
        classifier,
        unets,
        (discriminator(shape, options.filters), discriminator(shape, options.filters)),
        loss_weights={str(name): weight for name, weight in options.loss_weights.items()},
        seed=recipe.seed,
    )
    steps = options.epochs * options.steps_per_epoch
    model.compile(
        # The U-Nets' optimizer moves twice in a step, once for each domain.
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(options.learning_rate, 2 * steps),
            global_clipnorm=options.clip_norm,
        ),
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(options.discriminator_learning_rate, steps)
        ),
        jit_compile=use_xla("auto"),
    )
    domains = split_by_decision(classifier, train.images)
    held_out = split_by_decision(classifier, validation.images)
    for part, (x_0, x_1) in {"training": domains, "validation": held_out}.items():
        if min(len(x_0), len(x_1)) < options.batch_size:
            raise InputError(
                recipe.name,
                f"the classifier assigns {len(x_0)} {part} images to class 0 and {len(x_1)} to class 1, "
                f"where SyCE needs a batch of {options.batch_size} of each",
                "Train the classifier longer or add images",
            )
    best = BestWeights("val_loss")
    model.fit(
        domain_batches(domains, options.batch_size, recipe.seed).repeat(),
        epochs=options.epochs,
        steps_per_epoch=options.steps_per_epoch,
        validation_data=domain_batches(held_out, options.batch_size, seed=None),
        callbacks=[best],
        verbose=verbose,
    )
    best.restore()
    return model


def warm_up(
    unets: tuple[UNet, UNet], images: np.ndarray, options: SyCEOptions, seed: int, verbose: int | str
) -> None:
    """Teaches the first U-Net to reproduce its input and copies its weights to the second.

    Without it the first hundreds of steps learn just this, at the cost of eight passes through a U-Net each.
    """
    if not options.warm_up_steps:
        return
    autoencoder = unets[0]
    rate = keras.optimizers.schedules.CosineDecay(options.warm_up_learning_rate, options.warm_up_steps)
    autoencoder.compile(keras.optimizers.Adam(rate), loss=losses.reconstruction, jit_compile=use_xla("auto"))
    batches = (
        tf.data.Dataset.from_tensor_slices((images, images))
        .shuffle(len(images), seed=seed)
        .repeat()
        .batch(2 * options.batch_size)
    )
    autoencoder.fit(batches, steps_per_epoch=options.warm_up_steps, verbose=verbose)
    autoencoder.compile()  # drops the optimizer: the file shall hold the network alone
    unets[1].set_weights(autoencoder.get_weights())


def split_by_decision(classifier: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images predicted 0 and those predicted 1."""
    one = classifier.predict(images, batch_size=256, verbose=0)[:, 0] >= 0.5
    return images[~one], images[one]


def domain_batches(
    domains: tuple[np.ndarray, np.ndarray], batch_size: int, seed: int | None
) -> tf.data.Dataset:
    """Returns batches (x_0, x_1), shuffled where a seed is given, until the smaller domain is used up."""

    def batches(images: np.ndarray, offset: int) -> tf.data.Dataset:
        data = tf.data.Dataset.from_tensor_slices(images)
        if seed is not None:
            data = data.shuffle(len(images), seed=seed + offset)
        return data.batch(batch_size, drop_remainder=True)

    return tf.data.Dataset.zip(batches(domains[0], 0), batches(domains[1], 1)).prefetch(2)


def syce_figures(model: SyCE, slices: SliceSet) -> dict[str, float]:
    """Returns the flip rate of x_a, the keep rate of x_s, mean |x - x_a| and mean |x - x_s|."""
    generate = tf.function(model.generate)
    flips, keeps, adversary_distance, stable_distance = [], [], [], []
    for i in range(0, len(slices.images), 64):
        images = slices.images[i : i + 64]
        pair = generate(tf.constant(images))
        decision = pair.probability.numpy() >= 0.5
        after, stable = (
            model.classifier(x, training=False).numpy()[:, 0] >= 0.5 for x in (pair.adversary, pair.start)
        )
        flips.append(after != decision)
        keeps.append(stable == decision)
        adversary_distance.append(np.abs(images - pair.adversary).mean(axis=(1, 2, 3)))
        stable_distance.append(np.abs(images - pair.start).mean(axis=(1, 2, 3)))
    lists = {
        "flip_rate": flips,
        "keep_rate": keeps,
        "adversary_distance": adversary_distance,
        "stable_distance": stable_distance,
    }
    return {name: float(np.mean(np.concatenate(values))) for name, values in lists.items()}
