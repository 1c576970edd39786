import keras
import numpy as np
import pytest
import tiny

from tfadvpath.bundle import load_bundle
from tfadvpath.datasets.slices import phantom_brain_slices
from tfadvpath.errors import InputError
from tfadvpath.generators import losses
from tfadvpath.models.unet import UNet
from tfadvpath.training import run
from tfadvpath.training.best_weights import BestWeights
from tfadvpath.training.classifier import class_weights, train_classifier, training_batches
from tfadvpath.training.recipe import Augmentation
from tfadvpath.training.run import patient_seeds, slices_of
from tfadvpath.training.syce import domain_batches, train_syce, warm_up


def bright_slices():
    """Stands in for a trained classifier that finds both classes."""
    model = keras.Sequential(
        [keras.Input((tiny.SIZE, tiny.SIZE, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    model.layers[-1].set_weights([np.full((tiny.SIZE**2, 1), 0.05, np.float32), np.array([-4.0], np.float32)])
    return model


def test_the_same_seed_trains_the_same_networks():
    train_part, validation = slices_of(tiny.RECIPE, "train"), slices_of(tiny.RECIPE, "validation")

    def networks():
        run.make_deterministic(tiny.RECIPE.seed)
        classifier = train_classifier(tiny.RECIPE, train_part, validation, verbose=0)
        syce = train_syce(tiny.RECIPE, bright_slices(), train_part, validation, verbose=0)
        return [classifier, *syce.generators]

    for one, two in zip(networks(), networks(), strict=True):
        for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_run_leaves_a_bundle_with_its_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "train_classifier", lambda *_: bright_slices())
    run.train(tiny.RECIPE, tmp_path / "run", verbose=0)
    bundle = load_bundle(tmp_path / "run")
    assert bundle.recipe == tiny.RECIPE
    for part in ("validation", "test"):
        assert bundle.figures[part]["classifier"]["slices"] == len(slices_of(tiny.RECIPE, part).labels)
        assert 0 <= bundle.figures[part]["syce"]["flip_rate"] <= 1


def test_a_classifier_of_one_answer_stops_the_generators_with_the_reason(tmp_path, monkeypatch):
    one_answer = bright_slices()
    one_answer.layers[-1].bias.assign([-1e3])
    monkeypatch.setattr(run, "train_classifier", lambda *_: one_answer)
    with pytest.raises(InputError, match="0 to class 1"):
        run.train(tiny.RECIPE, tmp_path / "run", verbose=0)


def test_no_patient_is_in_two_parts_nor_in_another_recipe():
    other = tiny.RECIPE.model_copy(update={"seed": 1})
    seeds = [
        patient_seeds(recipe, part)
        for recipe in (tiny.RECIPE, other)
        for part in ("train", "validation", "test")
    ]
    everyone = [seed for part in seeds for seed in part]
    assert len(everyone) == len(set(everyone)) == 14


def test_classes_weigh_the_same_whatever_their_share():
    labels = np.array([0.0] * 6 + [1.0] * 2)
    weights = class_weights(labels)
    assert weights[0] * 6 == pytest.approx(weights[1] * 2)
    assert np.mean([weights[int(label)] for label in labels]) == pytest.approx(1.0)


def test_training_batches_stay_images_and_repeat_with_the_seed():
    slices = phantom_brain_slices([3], 32, min_tumour_pixels=2)

    def batches(seed):
        data = training_batches(slices, 4, Augmentation(darkening=0.5), seed)
        return [(images.numpy(), labels.numpy()) for images, labels in data]

    one, two, other = batches(0), batches(0), batches(1)
    for (a, labels), (b, _) in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == (4, 32, 32, 1)
        assert labels.shape == (4, 1)
        assert a.min() >= 0
        assert a.max() <= 1 + 1e-6
    assert any(np.any(a != b) for (a, _), (b, _) in zip(one, other, strict=True))
    brightest = {round(float(image.max()), 3) for images, _ in one for image in images}
    assert len(brightest) > 4  # darkened each its own way


def test_domain_batches_pair_one_batch_of_each_decision():
    zero, one = np.zeros((7, 4, 4, 1), np.float32), np.ones((5, 4, 4, 1), np.float32)
    pairs = list(domain_batches((zero, one), 2, seed=0))
    assert len(pairs) == 2
    for a, b in pairs:
        assert a.shape == b.shape == (2, 4, 4, 1)
        assert a.numpy().max() == 0
        assert b.numpy().min() == 1


def test_warm_up_teaches_both_generators_the_same_copy():
    images = slices_of(tiny.RECIPE, "train").images
    options = tiny.RECIPE.syce.model_copy(update={"warm_up_steps": 80, "batch_size": 8})
    unets = tuple(UNet((tiny.SIZE, tiny.SIZE, 1), [4, 8], dropout=0.0) for _ in (0, 1))

    def error(unet):
        return float(losses.reconstruction(images, unet(images, training=False)))

    before = error(unets[0])
    warm_up(unets, images, options, seed=0, verbose=0)
    assert error(unets[0]) < 0.5 * before
    assert error(unets[0]) == error(unets[1])


def test_best_weights_are_those_of_the_lowest_epoch():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    best = BestWeights("val_loss")
    best.set_model(model)
    for epoch, loss in enumerate([3.0, 1.0, float("nan"), 2.0]):
        model.layers[0].kernel.assign([[float(epoch)]])
        best.on_epoch_end(epoch, {"val_loss": loss})
    best.restore()
    assert float(model.layers[0].kernel[0, 0]) == 1.0


def test_a_loss_that_was_never_a_number_stops_with_the_remedy():
    best = BestWeights("val_loss")
    best.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    best.on_epoch_end(0, {"val_loss": float("nan")})
    with pytest.raises(InputError, match="Lower the learning rate"):
        best.restore()


def test_too_few_slices_are_said_before_the_training():
    part = slices_of(tiny.RECIPE, "validation")
    classifier = tiny.RECIPE.classifier.model_copy(update={"batch_size": 10_000})
    with pytest.raises(InputError, match="a batch of 10000"):
        train_classifier(tiny.RECIPE.model_copy(update={"classifier": classifier}), part, part, verbose=0)
