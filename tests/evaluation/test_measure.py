"""What is measured of one method, against the metrics called one by one."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support.evaluations import OPTIONS, evaluated, labelled_images

from tfadvpath import metrics
from tfadvpath.evaluation import measure as measure_module
from tfadvpath.evaluation.measure import Setting, measure, measure_random, work, work_random
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import PathExplanation

NAMES = ("bright", "row")


def classifier(images):
    """The brightest 5 x 5 square, as a probability."""
    return tf.reduce_max(tf.nn.avg_pool2d(images, 5, 1, "VALID"), axis=(1, 2, 3))


class Bright(Explainer):
    """Two maps: the image in eight levels, and with a growing weight by row. Counts its images."""

    EXPLANATION = PathExplanation

    def __init__(self, factor=1.0):
        super().__init__(NAMES, batch_size=4)
        self.factor = factor
        self.explained = 0

    def explain_batch(self, images, count):
        self.explained += int(count)
        rows = tf.range(16, dtype=tf.float32)[:, None, None]
        score = tf.reduce_mean(images, axis=(1, 2, 3))
        return {
            "maps": {"bright": (tf.floor(8 * images) + 1) ** self.factor, "row": images * rows},
            "score": score,
            "start": images,
            "adversary": 1 - images,
            "score_start": score,
            "score_adversary": score,
            "completeness_residual": score,
        }


@pytest.fixture(scope="module")
def setting():
    held = evaluated()
    x = held.images.images[held.relevance]
    return Setting(classifier, held, np.zeros_like(x), OPTIONS)


@pytest.fixture(scope="module")
def measured(setting):
    explainer = Bright()
    progress = []
    found = measure(explainer, NAMES, setting, lambda: Bright(-1.0), progress.append)
    return found, explainer, progress


def maps_of(name, images):
    return np.floor(8 * images[..., 0]) + 1 if name == "bright" else images[..., 0] * np.arange(16)[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_localisation_is_of_every_annotated_image_in_order(setting, measured, name):
    held, found = setting.evaluated, measured[0]
    images = held.images.images[held.localised]
    maps, masks = maps_of(name, images), held.images.masks[held.localised]
    for i, percentile in enumerate(OPTIONS.percentiles):
        for j, exact in enumerate((False, True)):
            iou = metrics.iou(maps, masks, percentile, exact)
            np.testing.assert_allclose(found[f"{name}.iou"][:, i, j], iou)
            fnr = metrics.false_negative_rate(maps, masks, percentile, exact)
            np.testing.assert_allclose(found[f"{name}.fnr"][:, i, j], fnr)
        np.testing.assert_allclose(found[f"{name}.share"][:, i], metrics.selected_share(maps, percentile))
    np.testing.assert_allclose(found[f"{name}.curve"][:, 1], metrics.iou(maps, masks, OPTIONS.curve[1]))
    np.testing.assert_array_equal(found[f"{name}.pointing"], metrics.pointing_game(maps, masks))
    np.testing.assert_allclose(found[f"{name}.average_precision"], metrics.average_precision(maps, masks))


@pytest.mark.parametrize("name", NAMES)
def test_curves_are_of_the_balanced_images_in_order(setting, measured, name):
    images = setting.replaced
    maps, black = maps_of(name, images), np.zeros_like(images)
    for order in ("most", "least"):
        expected = metrics.perturbation_curves(
            classifier, images, maps, black, steps=OPTIONS.steps, order=order
        )
        np.testing.assert_allclose(measured[0][f"{name}.{order}"], expected, atol=1e-6)
    expected = metrics.perturbation_curves(classifier, images, maps, black, steps=20, region=8)
    np.testing.assert_allclose(measured[0][f"{name}.regions"], expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_sensitivity_of_each_map_is_that_of_the_map_alone(setting, measured, name):
    subset = setting.replaced[setting.evaluated.subset]
    expected = metrics.map_sensitivity(
        lambda x: maps_of(name, x), subset, radius=OPTIONS.radius, samples=OPTIONS.samples, seed=0
    )
    np.testing.assert_allclose(
        measured[0][f"{name}.sensitivity"], np.stack([expected.maximum, expected.mean], axis=1), rtol=1e-5
    )


def test_an_explanation_serves_all_maps(setting, measured):
    held = setting.evaluated
    disturbed = len(held.subset) * (OPTIONS.samples + 1)
    compiling = 1
    assert measured[1].explained == compiling + len(held.explained) + disturbed


def test_progress_adds_up_to_the_work(setting, measured):
    assert sum(measured[2]) == work(setting, len(NAMES))


def test_the_randomised_explainer_is_compared_with_the_trained_one(measured):
    # The map of the first is turned upside down there, that of the second is the same.
    np.testing.assert_allclose(measured[0]["bright.randomised"], -1, atol=1e-6)
    np.testing.assert_allclose(measured[0]["row.randomised"], 1, atol=1e-6)
    np.testing.assert_array_equal(measured[0]["row.same_pixels"], 1)
    np.testing.assert_array_equal(measured[0]["bright.same_pixels"], 0)
    assert (measured[0]["row.other_image"] < 0.99).all()


def test_crossings_are_of_the_balanced_images(setting, measured):
    assert measured[0]["crossed"].shape == measured[0]["kept"].shape == (len(setting.evaluated.relevance),)
    assert measured[0]["kept"].all()
    assert not measured[0]["crossed"].any()


def test_without_annotation_there_is_no_row_of_localisation():
    images = labelled_images()
    images.masks[:] = False
    held = evaluated(images)
    setting = Setting(classifier, held, np.zeros((8, 16, 16, 1)), OPTIONS)
    found = measure(Bright(), ("bright",), setting, Bright)
    assert found["bright.iou"].shape == (0, 2, 2)
    assert found["bright.most"].shape == (8, OPTIONS.steps + 1)


class Slow(Bright):
    """Takes a second for its first batch, as one that compiles, and a twentieth for the others."""

    def __init__(self):
        super().__init__()
        self.clock = 0.0

    def explain_batch(self, images, count):
        self.clock += 0.05 if self.explained else 1.0
        return super().explain_batch(images, count)


def test_seconds_are_those_of_an_image_without_compilation(setting, monkeypatch):
    slow = Slow()
    monkeypatch.setattr(measure_module, "time", SimpleNamespace(perf_counter=lambda: slow.clock))
    found = measure(slow, ("row",), setting, Bright)
    images = len(setting.evaluated.explained)
    assert found["seconds"] == pytest.approx(0.05 * -(-images // slow.batch_size) / images)


def test_another_image_is_one_of_another_patient(setting, measured):
    held = setting.evaluated
    subset = setting.replaced[held.subset]
    patients = held.images.patients[held.relevance][held.subset]
    maps = maps_of("row", subset)
    everyone = np.stack([metrics.rank_correlation(maps, np.roll(maps, k, axis=0)) for k in range(len(maps))])
    theirs = np.stack([np.roll(patients, k) for k in range(len(maps))])
    for i, value in enumerate(measured[0]["row.other_image"]):
        other = np.isclose(everyone[:, i], value)
        assert (theirs[other, i] != patients[i]).all()


def test_one_patient_has_no_other_image():
    held = evaluated(labelled_images(patients=1))
    setting = Setting(classifier, held, np.zeros((len(held.relevance), 16, 16, 1)), OPTIONS)
    found = measure(Bright(), ("row",), setting, Bright)
    assert np.isnan(found["row.other_image"]).all()
    assert not np.isnan(found["row.randomised"]).any()


def test_random_orders_end_where_everything_is_replaced(setting):
    progress = []
    found = measure_random(setting, progress.append)
    assert sum(progress) == work_random(setting)
    assert found["pixels"].shape == (8, OPTIONS.steps + 1)
    assert found["regions"].shape == (8, OPTIONS.region_steps + 1)
    # Black is class 0: images of class 1 are turned.
    predicted = classifier(setting.replaced).numpy() >= 0.5
    assert predicted.any()
    np.testing.assert_array_equal(found["flipped"], predicted)
