"""The ceiling of localisation: a network that learned from annotations finds what it was shown."""

from __future__ import annotations

import dataclasses
import functools
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfadvpath import metrics
from tfadvpath.datasets.augmentation import Augmentation
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation import segmentation_ceiling
from tfadvpath.evaluation.segmentation_ceiling import LEAST_ANNOTATED, learned_maps, segmentation_maps

SIZE, SIDE, STEPS = 32, 6, 120


def labelled_images(count=32, seed=0, size=SIZE):
    """Noise on a smooth background; class 1 has a bright square somewhere, class 0 a dark one."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = 0.5 + 0.6 * ndimage.gaussian_filter(rng.normal(size=(count, size, size)), (0, 4, 4))
    images += 0.03 * rng.normal(size=images.shape)
    masks = np.zeros(images.shape, bool)
    for image, mask, label in zip(images, masks, labels, strict=True):
        row, column = rng.integers(1, size - SIDE, 2)
        square = slice(row, row + SIDE), slice(column, column + SIDE)
        image[square] += 0.3 if label else -0.3
        mask[square] = label == 1
    images = np.clip(images, 0, 1).astype(np.float32)[..., np.newaxis]
    patients = np.array([f"patient {i}" for i in range(count)])
    return LabelledImages(images, labels.astype(np.float32), masks, patients)


@functools.cache
def training_images():
    return labelled_images()


@functools.cache
def other_images():
    return labelled_images(seed=1)


@functools.cache
def maps():
    """Maps of a short training on mirrored images too; no test writes to them."""
    flips = Augmentation(flip=True, rotation=0.0, zoom=0.0, translation=0.0, sharpness=0.0, seed=0)
    return learned_maps(training_images(), other_images().images, flips, steps=STEPS)


@pytest.mark.slow
def test_it_finds_the_annotated_pixels_of_other_images():
    """Half of the training images are mirrored: a mask that stayed behind could not be learned."""
    of_one = other_images().labels == 1
    found, masks = maps()[of_one], other_images().masks[of_one]
    percentile = 100 * (1 - SIDE**2 / SIZE**2)  # as many pixels as are annotated
    random = np.random.default_rng(0).random(found.shape)
    assert metrics.iou(random, masks, percentile, exact=True).mean() < 0.1
    assert metrics.iou(found, masks, percentile, exact=True).mean() > 0.5
    # Where there is nothing, nothing is found.
    assert maps()[~of_one].mean() < 0.2 * found.mean()


@pytest.mark.slow
def test_maps_are_probabilities_of_every_pixel():
    found = maps()
    assert found.shape == other_images().images.shape[:3]
    assert found.dtype == np.float32
    assert 0 <= found.min() < 0.1
    assert 0.9 < found.max() <= 1


@pytest.mark.slow
def test_a_seed_decides_and_that_of_the_process_does_not():
    few = functools.partial(learned_maps, training_images(), other_images().images[:4], steps=4)
    found = []
    for of_the_process in (5, 6):
        keras.utils.set_random_seed(of_the_process)
        found.append(few(seed=0))
    np.testing.assert_array_equal(*found)
    assert np.abs(few(seed=1) - found[0]).max() > 0.01


@pytest.fixture
def asked(monkeypatch):
    """Images that a training got, [K, h, w, 2], and their places in batches; nothing is trained."""
    found = []

    def train(network, pictures, batches, augmentation, on_progress):
        found.append(SimpleNamespace(network=network, pictures=pictures, batches=batches))

    monkeypatch.setattr(segmentation_ceiling, "_train", train)
    return found


def marked(pictures, batch):
    """Whether each image of a batch has an annotation."""
    return pictures[batch][..., 1].any(axis=(1, 2))


def test_a_batch_is_half_annotated_and_half_of_class_0(asked):
    given = training_images()
    masks = given.masks.copy()
    masks[1:10:2] = False  # five of class 1 whose annotation is not known
    unknown = given.images[1:10:2]
    learned_maps(dataclasses.replace(given, masks=masks), given.images[:2], steps=9)
    (training,) = asked
    assert training.batches.shape == (9, 16)
    for batch in training.batches:
        assert marked(training.pictures, batch).tolist() == [True] * 8 + [False] * 8
    # 72 draws of 11: each comes six or seven times.
    times = np.unique(training.batches[:, :8], return_counts=True)[1]
    assert sorted(set(times)) == [6, 7]
    assert len(times) == 11
    for image in unknown:
        assert not np.isclose(training.pictures[..., :1], image).all(axis=(1, 2, 3)).any()


def test_without_class_0_all_of_a_batch_is_annotated(asked):
    of_one = training_images().labels == 1
    part = LabelledImages(*(values[of_one] for values in vars(training_images()).values()))
    learned_maps(part, part.images[:1], steps=3)
    assert marked(asked[0].pictures, asked[0].batches.ravel()).all()
    assert asked[0].batches.shape == (3, 16)


@pytest.mark.parametrize("count", [LEAST_ANNOTATED - 1, LEAST_ANNOTATED])
def test_too_few_annotations_are_no_ceiling(asked, count):
    masks = training_images().masks.copy()
    masks[np.flatnonzero(masks.any(axis=(1, 2)))[count:]] = False
    found = learned_maps(dataclasses.replace(training_images(), masks=masks), other_images().images, steps=1)
    assert (found is None) == (count < LEAST_ANNOTATED)
    assert len(asked) == (found is not None)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (64, 64, (64, 64)),
        (160, 160, (80, 80)),
        (224, 224, (80, 80)),
        (50, 50, (48, 48)),
        (160, 80, (80, 40)),
        (400, 10, (80, 8)),
    ],
)
def test_large_images_are_made_smaller(height, width, expected):
    assert segmentation_ceiling._working_size(height, width) == expected


def test_the_resized_masks_keep_the_annotated_share_and_the_maps_the_images_size(asked):
    rng = np.random.default_rng(0)
    images = rng.random((20, 160, 160, 1)).astype(np.float32)
    masks = np.zeros((20, 160, 160), bool)
    masks[:10, 31:64, 40:73] = True
    labels = (np.arange(20) < 10).astype(np.float32)
    part = LabelledImages(images, labels, masks, np.arange(20).astype(str))
    found = learned_maps(part, images[:3], steps=2)
    assert found.shape == (3, 160, 160)
    (training,) = asked
    assert training.pictures.shape[1:] == (80, 80, 2)
    shares = training.pictures[..., 1].mean(axis=(1, 2))
    np.testing.assert_allclose(np.unique(shares), [0, masks[0].mean()], rtol=1e-5)


def test_the_loss_is_its_definition():
    rng = np.random.default_rng(0)
    odds, masks = rng.normal(size=(2, 4, 5, 1)), rng.random((2, 4, 5, 1)) < 0.3
    p = 1 / (1 + np.exp(-odds))
    entropy = -np.where(masks, np.log(p), np.log(1 - p)).mean()
    dice = 1 - (2 * (p * masks).sum() + 1) / (p.sum() + masks.sum() + 1)
    found = segmentation_ceiling._loss(tf.constant(odds, tf.float32), tf.constant(masks, tf.float32))
    np.testing.assert_allclose(found, entropy + dice, rtol=1e-5)


def test_progress_is_told_step_by_step():
    told = []
    learned_maps(training_images(), other_images().images[:1], steps=3, on_progress=told.append)
    assert told == [1, 1, 1]


@dataclasses.dataclass
class Data:
    """Images by part, as a recipe's data has them."""

    GENERATED: bool
    asked: list

    def load(self, part, seed):
        self.asked.append((part, seed))
        return training_images()


@pytest.mark.parametrize(("generated", "part"), [(True, "validation"), (False, "train")])
def test_a_bundle_trains_on_its_recipes_images_and_moves(monkeypatch, generated, part):
    data = Data(generated, [])
    options = SimpleNamespace(flip=True, rotation=0.1, zoom=0.2, translation=0.3)
    recipe = SimpleNamespace(data=data, seed=7, classifier=SimpleNamespace(augmentation=options))
    given = []

    def learn(images, others, augmentation, **options):
        given.append((images, others, augmentation, options["seed"], options["steps"]))

    monkeypatch.setattr(segmentation_ceiling, "learned_maps", learn)
    segmentation_maps(SimpleNamespace(recipe=recipe), other_images(), seed=3, steps=5)
    assert data.asked == [(part, 7)]
    ((images, others, augmentation, seed, steps),) = given
    assert images is training_images()
    assert others is other_images().images
    assert (seed, steps) == (3, 5)
    assert [type(layer).__name__ for layer in augmentation.moves] == [
        "RandomFlip",
        "RandomRotation",
        "RandomZoom",
        "RandomTranslation",
    ]
    assert augmentation.greys == []


def test_other_shapes_and_no_step_are_refused():
    with pytest.raises(ValueError, match=r"`images` must be \[N, 32, 32, 1\]"):
        learned_maps(training_images(), np.zeros((1, 16, 16, 1), np.float32))
    with pytest.raises(ValueError, match="`steps` must be positive"):
        learned_maps(training_images(), other_images().images, steps=0)
