"""What is measured of one method, against the metrics called one by one."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support.evaluations import OPTIONS, evaluated_images, labelled_images, without_annotation

from tfadvpath import metrics
from tfadvpath.evaluation import measure as measure_module
from tfadvpath.evaluation.controls import control_names
from tfadvpath.evaluation.measure import (
    RandomOrders,
    Setting,
    measure,
    measure_random,
    work,
    work_random,
)
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import PathExplanation
from tfadvpath.path.gaussian import gaussian_filter

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
def setting(evaluated):
    x = evaluated.images.images[evaluated.relevance]
    return Setting(classifier, evaluated, {"": np.zeros_like(x)}, OPTIONS)


@pytest.fixture(scope="module")
def measured(setting):
    """What was measured, with the explainer and the progress that was told."""
    explainer = Bright()
    progress = []
    found = measure(explainer, NAMES, setting, lambda share: Bright(-1.0), progress.append)
    return found, explainer, progress


@pytest.fixture(scope="module")
def maps(measured):
    """Measurements by map and metric."""
    return measured[0].maps


def maps_of(name, images):
    return np.floor(8 * images[..., 0]) + 1 if name == "bright" else images[..., 0] * np.arange(16)[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_localisation_is_of_every_annotated_image_in_order(evaluated, maps, name):
    images = evaluated.images.images[evaluated.localised]
    values, masks = maps_of(name, images), evaluated.images.masks[evaluated.localised]
    found = maps[name]
    for i, percentile in enumerate(OPTIONS.percentiles):
        for j, exact in enumerate((False, True)):
            iou = metrics.iou(values, masks, percentile, exact)
            np.testing.assert_allclose(found["iou"][:, i, j], iou)
            fnr = metrics.false_negative_rate(values, masks, percentile, exact)
            np.testing.assert_allclose(found["fnr"][:, i, j], fnr)
        np.testing.assert_allclose(found["share"][:, i], metrics.selected_share(values, percentile))
    np.testing.assert_allclose(found["curve"][:, 1], metrics.iou(values, masks, OPTIONS.curve[1]))
    np.testing.assert_array_equal(found["pointing"], metrics.pointing_game(values, masks))
    np.testing.assert_allclose(found["average_precision"], metrics.average_precision(values, masks))


@pytest.mark.parametrize("name", NAMES)
def test_curves_are_of_the_balanced_images_in_order(setting, maps, name):
    images = setting.replaced
    values, black = maps_of(name, images), np.zeros_like(images)
    for order in ("most", "least"):
        expected = metrics.perturbation_curves(
            classifier, images, values, black, steps=OPTIONS.steps, order=order
        )
        np.testing.assert_allclose(maps[name][order], expected, atol=1e-6)
    expected = metrics.perturbation_curves(classifier, images, values, black, steps=20, region=8)
    np.testing.assert_allclose(maps[name]["regions"], expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_sensitivity_of_each_map_is_that_of_the_map_alone(setting, maps, name):
    subset = setting.replaced[setting.evaluated.subset]
    expected = metrics.map_sensitivity(
        lambda x: maps_of(name, x), subset, radius=OPTIONS.radius, samples=OPTIONS.samples, seed=0
    )
    np.testing.assert_allclose(
        maps[name]["sensitivity"], np.stack([expected.maximum, expected.mean], axis=1), rtol=1e-5
    )


def test_an_explanation_serves_all_maps(evaluated, measured):
    _, explainer, _ = measured
    disturbed = len(evaluated.subset) * (OPTIONS.samples + 2)
    compiling = 1
    assert explainer.explained == compiling + len(evaluated.explained) + disturbed


def test_progress_adds_up_to_the_work(setting, measured):
    _, _, progress = measured
    assert sum(progress) == work(setting, len(NAMES))


def test_the_randomised_explainer_is_compared_with_the_trained_one(maps):
    # The map of the first is turned upside down there, that of the second is the same.
    np.testing.assert_allclose(maps["bright"]["randomised"], -1, atol=1e-6)
    np.testing.assert_allclose(maps["row"]["randomised"], 1, atol=1e-6)
    np.testing.assert_array_equal(maps["row"]["same_pixels"], 1)
    np.testing.assert_array_equal(maps["bright"]["same_pixels"], 0)
    assert (maps["row"]["other_image"] < 0.99).all()


def test_crossings_are_of_the_balanced_images(evaluated, measured):
    rates = measured[0].rates
    assert rates["crossed"].shape == rates["kept"].shape == (len(evaluated.relevance),)
    assert rates["kept"].all()
    assert not rates["crossed"].any()


def test_without_annotation_there_is_no_row_of_localisation():
    evaluated = evaluated_images(without_annotation())
    setting = Setting(classifier, evaluated, {"": np.zeros((8, 16, 16, 1))}, OPTIONS)
    found = measure(Bright(), ("bright",), setting, lambda share: Bright()).maps["bright"]
    assert found["iou"].shape == (0, 2, 2)
    assert found["most"].shape == (8, OPTIONS.steps + 1)


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
    found = measure(slow, ("row",), setting, lambda share: Bright())
    images = len(setting.evaluated.explained)
    assert found.seconds == pytest.approx(0.05 * -(-images // slow.batch_size) / images)


def test_another_image_is_one_of_another_patient(setting, evaluated, maps):
    subset = setting.replaced[evaluated.subset]
    patients = evaluated.images.patients[evaluated.relevance][evaluated.subset]
    values = maps_of("row", subset)
    shifts = range(len(values))
    everyone = np.stack([metrics.rank_correlation(values, np.roll(values, k, axis=0)) for k in shifts])
    theirs = np.stack([np.roll(patients, k) for k in shifts])
    for i, value in enumerate(maps["row"]["other_image"]):
        other = np.isclose(everyone[:, i], value)
        assert other.any()
        assert (theirs[other, i] != patients[i]).all()


def test_one_patient_has_no_other_image():
    evaluated = evaluated_images(labelled_images(patients=1))
    black = {"": np.zeros((len(evaluated.relevance), 16, 16, 1))}
    setting = Setting(classifier, evaluated, black, OPTIONS)
    found = measure(Bright(), ("row",), setting, lambda share: Bright()).maps["row"]
    assert np.isnan(found["other_image"]).all()
    assert not np.isnan(found["randomised"]).any()


def test_random_orders_end_where_everything_is_replaced(setting):
    progress = []
    found = measure_random(setting, progress.append)
    assert sum(progress) == work_random(setting)
    assert found.pixels.shape == (8, OPTIONS.steps + 1)
    assert found.regions.shape == (8, OPTIONS.region_steps + 1)
    # Black is class 0: images of class 1 are turned.
    predicted = classifier(setting.replaced).numpy() >= 0.5
    assert predicted.any()
    np.testing.assert_array_equal(found.flipped, predicted)


def test_a_second_perturbation_and_controls_are_measured_beside(evaluated):
    options = dataclasses.replace(OPTIONS, second_perturbation="noise")
    evaluated = dataclasses.replace(evaluated, subset=evaluated.subset[:0])
    x = evaluated.images.images[evaluated.relevance]
    setting = Setting(classifier, evaluated, {"": np.zeros_like(x), "_2": np.ones_like(x)}, options)
    names = ("difference", "fi_v1", "fi_v2", "fi_v2_smooth")

    class Path(Bright):
        def __init__(self, factor):
            super().__init__()
            self.map_names, self.factor = names, factor

        def explain_batch(self, images, count):
            found = super().explain_batch(images, count)
            return {**found, "maps": dict.fromkeys(names, self.factor * images)}

    progress = []
    found = measure(Path(1.0), names, setting, lambda share: Path(-1.0), progress.append, "syce").maps
    assert list(found) == [*names, *control_names("syce")]
    assert sum(progress) == len(evaluated.explained) + 2 * len(found) * len(evaluated.relevance)
    values = x[..., 0]
    for ending, replacement in (("", np.zeros_like(x)), ("_2", np.ones_like(x))):
        expected = metrics.perturbation_curves(classifier, x, values, replacement, steps=OPTIONS.steps)
        np.testing.assert_allclose(found["fi_v2"][f"most{ending}"], expected, atol=1e-6)
    # The gradient of the random classifier is the other way round: so are its first and last pixels.
    np.testing.assert_allclose(found["fi_v2_of_random_gradient"]["least"], found["fi_v2"]["most"], atol=1e-6)
    smooth = np.asarray(gaussian_filter(tf.constant(x)))[..., 0]
    expected = metrics.perturbation_curves(classifier, x, smooth, np.zeros_like(x), steps=OPTIONS.steps)
    np.testing.assert_allclose(found["difference_smooth"]["most"], expected, atol=1e-6)
    assert "sensitivity" not in found["difference_smooth"]
    random = measure_random(setting)
    again = RandomOrders.of_arrays(random.as_arrays())
    np.testing.assert_array_equal(again.second["pixels"], random.second["pixels"])
    assert again.second["flipped"].tolist() == (random.second["pixels"][:, -1] < 0.5).tolist()


def test_without_controls_the_methods_own_maps_alone_are_measured(evaluated):
    options = dataclasses.replace(OPTIONS, controls=False)
    evaluated = dataclasses.replace(evaluated, subset=evaluated.subset[:0])
    black = {"": np.zeros((len(evaluated.relevance), 16, 16, 1))}
    setting = Setting(classifier, evaluated, black, options)
    found = measure(Bright(), ("bright",), setting, lambda share: None, method="gradient").maps
    assert list(found) == ["bright"]
