"""The classifier's stage: its loss against NumPy, and what a step does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import tiny, toys

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import Augmentation, ClassifierOptions
from tfadvpath.training.loop import compiled_step, run_epoch
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages import classifier
from tfadvpath.training.stages.classifier import ClassifierStage, class_weights

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1], np.float32)


def network(input_shape, *_):
    """Answers by brightness, from two weights."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, kernel_initializer="ones", activation="sigmoid"),
        ]
    )


@pytest.fixture
def stage(monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", network)
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((8, 8, 8, 1), np.float32) * 0.5
    images[LABELS == 1] += 0.5
    part = LabelledImages(images, LABELS, np.zeros((8, 8, 8), bool), np.arange(8).astype(str))
    options = ClassifierOptions(
        weights=None,
        batch_size=8,
        learning_rate=0.1,
        augmentation=Augmentation(flip=False, rotation=0, zoom=0, translation=0, sharpness=0),
    )
    return ClassifierStage(options, StageData("squares", {"train": part, "validation": part}), seed=0)


def weighted_cross_entropy(model, stage):
    part = stage.data.parts["train"]
    p = model.predict(part.images, verbose=0)[:, 0].astype(np.float64)
    losses = -(LABELS * np.log(p) + (1 - LABELS) * np.log(1 - p))
    # Six images of class 0 and two of class 1 weigh as much together.
    return np.mean(np.where(LABELS == 1, 8 / (2 * 2), 8 / (2 * 6)) * losses)


def test_classes_weigh_the_same_together():
    weights = class_weights(LABELS)
    np.testing.assert_allclose(weights, [4 / 6, 2], rtol=1e-6)
    assert weights[LABELS.astype(int)].mean() == pytest.approx(1)


@pytest.mark.slow
def test_a_step_logs_numpys_loss_and_lowers_it(stage):
    model = stage.build()
    before = weighted_cross_entropy(model, stage)
    step = compiled_step(model, model.train_step, tf.distribute.get_strategy())
    logs = run_epoch(model, step, tf.distribute.get_strategy(), stage.batches(0))
    assert logs["loss"] == pytest.approx(before, rel=1e-5)
    assert weighted_cross_entropy(model, stage) < before
    model.optimizer.learning_rate = 0.0
    weights = model.get_weights()
    run_epoch(model, step, tf.distribute.get_strategy(), stage.batches(1))
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_validation_loss_is_not_weighted(stage):
    model = stage.build()
    part = stage.data.parts["validation"]
    p = model.predict(part.images, verbose=0)[:, 0].astype(np.float64)
    step = compiled_step(model, model.test_step, tf.distribute.get_strategy())
    logs = run_epoch(model, step, tf.distribute.get_strategy(), stage.validation())
    expected = -np.mean(LABELS * np.log(p) + (1 - LABELS) * np.log(1 - p))
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_one_class_alone_is_said():
    part = LabelledImages(
        np.zeros((8, 8, 8, 1), np.float32), np.ones(8), np.zeros((8, 8, 8), bool), np.arange(8).astype(str)
    )
    with pytest.raises(InputError, match="8 training images, 8 of them of class 1"):
        ClassifierStage(tiny.RECIPE.classifier, StageData("ones", {"train": part}), seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["none.h5", "damaged.h5"])
def test_weights_that_cannot_be_had_are_said(tmp_path, weights):
    (tmp_path / "damaged.h5").write_bytes(b"no weights")
    options = ClassifierOptions(weights=str(tmp_path / weights), batch_size=8)
    images = np.zeros((8, 32, 32, 1), np.float32)
    stage = ClassifierStage(options, toys.stage_data(images, LABELS), seed=0)
    with pytest.raises(InputError, match=rf"{weights}: these weights cannot be used .*weights: null"):
        stage.build()
