"""A segmentation network that learned from annotations: how well any map could be expected to localise.

The explained methods never see an annotation. A network that is trained on them shows what the images, the
annotations and their number allow: where it is poor itself, a poor map says little against a method.

Source: Arun et al. 2021, "Assessing the trustworthiness of saliency maps for localizing abnormalities in
medical imaging", which compares saliency maps with a U-Net that is trained on the annotations.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.datasets.augmentation import Augmentation
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.models.unet import UNet

LEAST_ANNOTATED = 8
_FILTERS = (8, 16, 32, 64)
_MULTIPLE = 2 ** (len(_FILTERS) - 1)  # sides that the network halves without a rest
_LONGEST_SIDE = 80  # pixels
_BATCH = 16
_LEARNING_RATE = 3e-3
_RESIZED = 64  # images in one call of a resizing, or of the trained network


def segmentation_maps(
    bundle: Bundle,
    images: LabelledImages,
    *,
    seed: int = 0,
    steps: int = 300,
    on_progress: Callable[[float], None] = lambda amount: None,
) -> np.ndarray | None:
    """Returns the maps of a segmentation network trained on the annotations of a bundle's recipe.

    It is trained by ``learned_maps`` on the recipe's training images. Of generated phantoms it takes the
    fewer validation images: the training images would take minutes to generate. Images are moved as the
    recipe's ``augmentation`` moves the classifier's: flips, rotations, zooms and translations.

    Args:
        bundle: Bundle whose recipe names the images.
        images: Images that get maps, such as the test images, N of them: of other patients than the training.
            Their masks and labels are not looked at.
        seed: Seed of the weights, of the batches and of the augmentation, not negative.
        steps: Number of training steps, positive.
        on_progress: Function that is called with 1 after every training step.

    Returns:
        float32 [N, H, W] in [0, 1]; None where fewer than 8 images of class 1 are annotated.

    Raises:
        InputError: The recipe's images cannot be loaded.
        ValueError: ``steps`` is not positive, or ``images`` are of another shape than the recipe's.
    """
    recipe = bundle.recipe
    # As for the mean annotation, which the report compares with too.
    part = recipe.data.load("validation" if recipe.data.GENERATED else "train", recipe.seed)
    options = recipe.classifier.augmentation
    augmentation = Augmentation(options.flip, options.rotation, options.zoom, options.translation, 0.0, seed)
    return learned_maps(part, images.images, augmentation, seed=seed, steps=steps, on_progress=on_progress)


def learned_maps(
    annotated: LabelledImages,
    images: np.ndarray,
    augmentation: Augmentation | None = None,
    *,
    seed: int = 0,
    steps: int = 300,
    on_progress: Callable[[float], None] = lambda amount: None,
) -> np.ndarray | None:
    """Trains a small U-Net on annotated images and returns its probabilities for others.

    The U-Net has four levels of 8, 16, 32 and 64 filters. Images are resized so that the longer side has at
    most 80 pixels, which bounds the time: 300 steps of 16 images took 56 s of processor time at 64 pixels and
    71 s at 160 on a machine with two cores. A batch has as many annotated images of class 1 as images of
    class 0, whose masks are empty; images of class 1 without annotation take no part. The loss is the
    pixels' binary cross-entropy plus the soft Dice loss of the batch, with p the probability and G the
    annotation:

        1 - (2 Σ p G + 1) / (Σ p + Σ G + 1)

    Adam's learning rate falls from 0.003 to 0 along half a cosine. Nothing is chosen by other images.

    Args:
        annotated: Images to train on. Where none is of class 0, all of a batch are annotated.
        images: Images that get maps, float32 [N, H, W, 1] in [0, 1], of the shape of those to train on.
        augmentation: Moves of the images and their masks; None leaves them as they are. It must not change
            grey values.
        seed: Seed of the weights and of the batches, not negative.
        steps: Number of training steps, positive.
        on_progress: Function that is called with 1 after every training step.

    Returns:
        float32 [N, H, W] in [0, 1]; None where fewer than 8 images of class 1 are annotated.

    Raises:
        ValueError: ``steps`` is not positive, or the images differ in shape.
    """
    if steps < 1:
        raise ValueError(f"`steps` must be positive. Received: {steps}")
    shape = annotated.images.shape[1:]
    if images.shape[1:] != shape:
        raise ValueError(
            f"`images` must be [N, {', '.join(map(str, shape))}] like those to train on. "
            f"Received: {images.shape}"
        )
    positive = np.asarray(annotated.labels) == 1
    marked = np.flatnonzero(positive & np.asarray(annotated.masks).any(axis=(1, 2)))
    if len(marked) < LEAST_ANNOTATED:
        return None
    draws = np.random.default_rng(seed)
    sets = [rows for rows in (marked, np.flatnonzero(~positive)) if len(rows)]
    batches = np.concatenate([_in_turn(rows, steps, _BATCH // len(sets), draws) for rows in sets], axis=1)
    # Of many images a training sees a part: the others need not be read.
    rows, batches = np.unique(batches, return_inverse=True)
    size = _working_size(shape[0], shape[1])
    pictures = _resized(annotated.images, rows, size)
    masks = _resized(annotated.masks, rows, size)
    network = _network((*size, 1), draws)
    _train(network, np.concatenate([pictures, masks], axis=3), batches, augmentation, on_progress)
    return _probabilities(network, images, size)


def _in_turn(rows: np.ndarray, steps: int, each: int, draws: np.random.Generator) -> np.ndarray:
    """Returns int64 [steps, each]: rows in random orders, all of them once before any comes again."""
    rounds = -(-steps * each // len(rows))
    drawn = np.concatenate([draws.permutation(rows) for _ in range(rounds)])
    return drawn[: steps * each].reshape(steps, each)


def _working_size(height: int, width: int) -> tuple[int, int]:
    """Returns the height and width of the network's images."""
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    rows, columns = (_MULTIPLE * max(1, round(side * scale / _MULTIPLE)) for side in (height, width))
    return rows, columns


def _resized(pixels: np.ndarray, rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns rows of images [N, H, W, 1] or masks [N, H, W] of another size, float32 [K, h, w, 1]."""
    parts = []
    for begin in range(0, len(rows), _RESIZED):
        part = np.asarray(pixels[rows[begin : begin + _RESIZED]], np.float32)
        part = part.reshape(*part.shape[:3], 1)
        parts.append(tf.image.resize(part, size, method="area").numpy())
    return np.concatenate(parts)


def _network(shape: tuple[int, int, int], draws: np.random.Generator) -> UNet:
    network = UNet(shape, _FILTERS, dropout=0.0)
    # Weights by He et al. 2015, drawn here so that no seed of the whole process is touched.
    network.set_weights(
        [
            draws.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
            if len(weight.shape) == 4
            else weight.numpy()
            for weight in network.weights
        ]
    )
    return network


def _train(
    network: UNet,
    pictures: np.ndarray,
    batches: np.ndarray,
    augmentation: Augmentation | None,
    on_progress: Callable[[float], None],
) -> None:
    """Trains on images with their masks behind them, [K, h, w, 2], by their places, int [steps, batch]."""
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, len(batches)), global_clipnorm=1.0
    )
    optimizer.build(network.trainable_variables)

    def step(batch: tf.Tensor) -> None:
        moved = augmentation(batch) if augmentation is not None else batch
        with tf.GradientTape() as tape:
            loss = _loss(network(moved[..., :1], training=True), moved[..., 1:])
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    compiled = tf.function(step, autograph=False)
    for rows in batches:
        compiled(tf.constant(pictures[rows]))
        on_progress(1)


def _loss(odds: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
    """Returns cross-entropy plus soft Dice loss of logits and masks in [0, 1], float32 [B, h, w, 1]."""
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(masks, odds))
    found = tf.sigmoid(odds)
    both, either = tf.reduce_sum(found * masks), tf.reduce_sum(found) + tf.reduce_sum(masks)
    return entropy + 1.0 - (2.0 * both + 1.0) / (either + 1.0)


def _probabilities(network: UNet, images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns float32 [N, H, W]."""
    height, width = images.shape[1:3]

    def answer(pictures: tf.Tensor) -> tf.Tensor:
        # Logits of far background all give 0 or 1 as float32: before the sigmoid they are resized, not after.
        odds = network(tf.image.resize(pictures, size, method="area"), training=False)
        return tf.sigmoid(tf.image.resize(odds, (height, width)))[..., 0]

    compiled = tf.function(answer, autograph=False, reduce_retracing=True)
    maps = np.empty((len(images), height, width), np.float32)
    for begin in range(0, len(images), _RESIZED):
        batch = slice(begin, begin + _RESIZED)
        maps[batch] = compiled(tf.constant(np.asarray(images[batch], np.float32))).numpy()
    return maps
