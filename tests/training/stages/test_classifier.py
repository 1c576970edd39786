"""The classifier's stage: its loss against NumPy, and what a step does."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import tiny, toys

from tfadvpath import metrics
from tfadvpath.bundle.networks import scores_of
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import Attack, Augmentation, ClassifierOptions
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


def local_stage(tmp_path, masks, **changes):
    """A stage with a local head on a network of one convolution, which sees cells of 2 x 2 pixels."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Conv2D(4, 2, strides=2, activation="relu", name="features")
    keras.Sequential([keras.Input((8, 8, 1)), layer]).save(tmp_path / "backbone.keras")
    images = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    part = LabelledImages(images, LABELS, masks, np.arange(8).astype(str))
    still = Augmentation(flip=False, rotation=0, zoom=0, translation=0, sharpness=0)
    options = ClassifierOptions(
        backbone=str(tmp_path / "backbone.keras"),
        head="local",
        batch_size=8,
        dropout=0.0,
        learning_rate=0.1,
        augmentation=still,
        **{"finding_weight": 0.7, **changes},
    )
    return ClassifierStage(options, StageData("squares", {"train": part, "validation": part}), seed=0)


def one_mask():
    """Of the two images of class 1 the first has a mask: a cell and half of the one below it."""
    masks = np.zeros((8, 8, 8), bool)
    masks[6, 2:5, 4:6] = True
    return masks


def test_cells_learn_the_masks_that_are_known(tmp_path):
    stage = local_stage(tmp_path, one_mask())
    model = stage.build()
    answers = model.predict(stage.data.parts["train"].images, verbose=0)
    p, cells = (answers[name].astype(np.float64)[..., 0] for name in ("probability", "cells"))
    of_images = np.mean(np.where(LABELS == 1, 2, 4 / 6) * -np.log(np.where(LABELS == 1, p, 1 - p)))
    true = np.zeros((8, 4, 4))
    true[6, 1, 2], true[6, 2, 2] = 1.0, 0.5
    of_cells = -(true * np.log(cells) + (1 - true) * np.log(1 - cells)) * (1 + 4 * true)
    of_cells[7] = 0.0  # of class 1, and nobody has drawn where
    step = compiled_step(model, model.test_step, tf.distribute.get_strategy())
    logs = run_epoch(model, step, tf.distribute.get_strategy(), stage.batches(0))
    assert logs["loss"] == pytest.approx(of_images + 0.7 * np.mean(of_cells), rel=1e-4)


def test_what_is_kept_of_a_local_head_is_the_classifier(tmp_path):
    stage = local_stage(tmp_path, one_mask(), attack=Attack(radius=0.1, scale=2, steps=1), monitor="auc")
    model = stage.build()
    before = scores_of(stage.networks(model)["classifier"], stage.data.parts["train"].images)
    strategy = tf.distribute.get_strategy()
    run_epoch(model, compiled_step(model, stage.step(model), strategy), strategy, stage.batches(0))
    logs = run_epoch(model, compiled_step(model, model.test_step, strategy), strategy, stage.validation())
    stage.finish(model)
    kept = stage.networks(model)["classifier"]
    after = scores_of(kept, stage.data.parts["train"].images)
    assert kept.output_shape == (None, 1)
    assert np.abs(after - before).max() > 1e-3
    assert stage.rank({f"val_{name}": value for name, value in logs.items()}) == -logs["probability_auc"]
    assert stage.figures(model, stage.data.parts["train"])["auc"] == pytest.approx(metrics.auc(LABELS, after))


def test_a_backbone_that_stays_leaves_a_local_head_to_train(tmp_path):
    model = local_stage(tmp_path, one_mask(), backbone_rate=0).build()
    assert [weight.path.split("/")[0] for weight in model.trainable_weights] == ["evidence"] + 2 * [
        "probability"
    ]


def test_a_finding_without_masks_cannot_be_learned(tmp_path):
    with pytest.raises(InputError, match="no training image has a mask of the finding"):
        local_stage(tmp_path, np.zeros((8, 8, 8), bool))
    assert local_stage(tmp_path, np.zeros((8, 8, 8), bool), finding_weight=0).build().output_shape == (
        None,
        1,
    )


def test_one_class_alone_is_said():
    part = LabelledImages(
        np.zeros((8, 8, 8, 1), np.float32), np.ones(8), np.zeros((8, 8, 8), bool), np.arange(8).astype(str)
    )
    with pytest.raises(InputError, match="8 training images, 8 of them of class 1"):
        ClassifierStage(tiny.RECIPE.classifier, StageData("ones", {"train": part}), seed=0)


def with_shuffled_labels(seed, labels, images=None):
    """A stage whose training images are their own indices, and its validation images and labels."""
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1) if images is None else images
    options = ClassifierOptions(
        weights=None,
        batch_size=len(labels),
        shuffle_labels=True,
        augmentation=Augmentation(flip=False, rotation=0, zoom=0, translation=0),
    )
    return ClassifierStage(options, toys.stage_data(images, labels), seed)


def batch_of(stage, epoch):
    (batch,) = stage.batches(epoch)
    images, labels, weights = (tensor.numpy() for tensor in batch)
    return images[:, 0, 0, 0].astype(int), labels[:, 0], weights[:, 0]


def test_shuffled_labels_are_the_same_in_every_epoch_and_as_many_of_each_class():
    labels = (np.arange(400) < 100).astype(np.float32)
    stage = with_shuffled_labels(3, labels)
    found = []
    for epoch in (0, 1):
        places, given, weights = batch_of(stage, epoch)
        assert given.sum() == 100
        np.testing.assert_allclose(weights, np.where(given == 1, 400 / 200, 400 / 600), rtol=1e-6)
        found.append(given[np.argsort(places)])
    np.testing.assert_array_equal(*found)
    # The number of true labels among the 100 given ones is hypergeometric: mean 25, deviation 3.75.
    assert abs(labels[found[0] == 1].sum() - 25) < 4 * 3.75
    np.testing.assert_array_equal(with_shuffled_labels(3, labels).labels, stage.labels)
    assert (with_shuffled_labels(4, labels).labels != stage.labels).any()


def test_labels_that_are_measured_stay_true():
    labels = (np.arange(40) < 10).astype(np.float32)
    stage = with_shuffled_labels(0, labels)
    (batch,) = stage.validation()
    np.testing.assert_array_equal(batch[1].numpy()[:, 0], labels)
    np.testing.assert_array_equal(stage.data.parts["train"].labels, labels)
    true = stage.options.model_copy(update={"shuffle_labels": False})
    np.testing.assert_array_equal(ClassifierStage(true, stage.data, 0).labels, labels)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["none.h5", "damaged.h5"])
def test_weights_that_cannot_be_had_are_said(tmp_path, weights):
    (tmp_path / "damaged.h5").write_bytes(b"no weights")
    options = ClassifierOptions(weights=str(tmp_path / weights), batch_size=8)
    images = np.zeros((8, 32, 32, 1), np.float32)
    stage = ClassifierStage(options, toys.stage_data(images, LABELS), seed=0)
    with pytest.raises(InputError, match=rf"{weights}: these weights cannot be used .*weights: null"):
        stage.build()


def extractor(folder):
    """Saves a feature extractor that was built for another size; returns its file."""
    layers = [keras.Input((40, 40, 3)), keras.layers.Conv2D(4, 3, strides=4, activation="relu")]
    path = folder / "extractor.keras"
    keras.Sequential(layers).save(path)
    return path


def on_backbone(path, labels=LABELS, **options):
    images = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    options = ClassifierOptions(backbone=str(path), batch_size=8, learning_rate=0.01, **options)
    return ClassifierStage(options, toys.stage_data(images, labels), seed=0)


def weights_by_layer(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


@pytest.mark.parametrize(("rate", "moved"), [(0.0, 0.0), (0.1, 0.001), (1.0, 0.01)])
@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_a_backbone_learns_at_a_rate_of_its_own(tmp_path, rate, moved, decay):
    stage = on_backbone(extractor(tmp_path), backbone_rate=rate, weight_decay=decay, dropout=0.0)
    model = stage.build()
    before = weights_by_layer(model)
    step = compiled_step(model, model.train_step, tf.distribute.get_strategy())
    run_epoch(model, step, tf.distribute.get_strategy(), stage.batches(0))
    after = weights_by_layer(model)
    steps = {
        name: max(np.abs(a - b).max() for a, b in zip(before[name], after[name], strict=True))
        for name in before
    }
    convolution = next(name for name in steps if name.startswith("conv"))
    # Adam's first step has the length of the rate, whatever the gradient.
    assert steps[convolution] == pytest.approx(moved, rel=0.05)
    assert steps["dense"] == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_backbone_that_cannot_be_had_is_said(tmp_path, content):
    path = tmp_path / "backbone.keras"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"classifier.backbone: .*backbone.keras: cannot be loaded"):
        on_backbone(path).build()


@pytest.mark.parametrize("point", ["half", "youden", 0.7])
def test_the_operating_point_becomes_the_decision_and_leaves_the_auc(tmp_path, point):
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1], np.float32)
    stage = on_backbone(extractor(tmp_path), labels, operating_point=point)
    model = stage.build()
    part = stage.data.parts["validation"]
    before = scores_of(model, part.images)
    stage.finish(model)
    after = scores_of(model, part.images)
    assert metrics.auc(part.labels, after) == metrics.auc(part.labels, before)
    if point == "half":
        np.testing.assert_array_equal(before, after)
        return
    threshold = metrics.operating_threshold(part.labels, before, point)
    np.testing.assert_array_equal(after >= 0.5, before >= threshold)
    if point == 0.7:
        assert metrics.sensitivity(part.labels, after) >= 0.7


def test_an_operating_point_needs_both_classes(tmp_path):
    stage = on_backbone(extractor(tmp_path), operating_point="youden")
    one_class = LabelledImages(
        stage.data.parts["train"].images,
        np.ones(8, np.float32),
        np.zeros((8, 32, 32), bool),
        np.arange(8).astype(str),
    )
    stage.data = dataclasses.replace(stage.data, parts={**stage.data.parts, "validation": one_class})
    with pytest.raises(InputError, match="operating_point: half"):
        stage.finish(stage.build())


@pytest.mark.parametrize(("monitor", "rank"), [("loss", 0.7), ("auc", -0.8), ("none", None)])
def test_the_best_epoch_is_chosen_by_the_monitored_number(tmp_path, monitor, rank):
    stage = on_backbone(extractor(tmp_path), monitor=monitor, schedule="cosine")
    assert stage.rank({"val_loss": 0.7, "val_auc": 0.8}) == rank


def test_an_attack_changes_the_images_that_a_step_learns_from(stage):
    def move(radius):
        options = stage.options.model_copy(update={"attack": Attack(radius=radius, scale=2, steps=1)})
        attacking = ClassifierStage(options, stage.data, seed=0)
        keras.utils.set_random_seed(0)
        model = attacking.build()
        before = weighted_cross_entropy(model, attacking)
        logs = run_epoch(
            model,
            compiled_step(model, attacking.step(model), tf.distribute.get_strategy()),
            tf.distribute.get_strategy(),
            attacking.batches(0),
        )
        return before, logs["loss"]

    plain, attacked = move(0.0), move(0.3)
    assert plain[0] == attacked[0] == pytest.approx(plain[1], rel=1e-5)
    assert attacked[1] > plain[1]


def test_an_attack_that_does_not_fit_the_images_is_refused():
    options = ClassifierOptions(weights=None, attack=Attack(radius=0.1, scale=7))
    with pytest.raises(ValueError, match=r"attack\.scale must divide data"):
        options.check("classifier", 64, {})
    ClassifierOptions(weights=None, attack=Attack(scale=7)).check("classifier", 64, {})
