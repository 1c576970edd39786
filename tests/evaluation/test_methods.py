"""Methods are measured once, and one that fails stops no other."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from support import tiny, toys
from support.evaluations import OPTIONS, bright_square_classifier, evaluated_images

from tfadvpath import explainers, metrics
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError
from tfadvpath.evaluation import cascade, methods
from tfadvpath.evaluation.compared_maps import compared_maps
from tfadvpath.evaluation.controls import control_names
from tfadvpath.evaluation.measure import MeasuredMethod
from tfadvpath.evaluation.methods import Evaluation, Failed, Measured
from tfadvpath.evaluation.randomised import without_learning
from tfadvpath.explainers.base import Explainer


class Known(Explainer):
    def __init__(self, name):
        super().__init__((name,), batch_size=8)
        self.calls = 0

    def explain_batch(self, images, count):
        self.calls += 1
        if self.map_names == ("grad_cam",):
            raise RuntimeError("no convolution")
        return {"maps": {self.map_names[0]: images}, "score": tf.reduce_mean(images, axis=(1, 2, 3))}


@pytest.fixture
def made(monkeypatch):
    """The explainers that were asked for."""
    found = []

    def get(name, models, **options):
        found.append(Known(name))
        return found[-1]

    monkeypatch.setattr(explainers, "get", get)
    monkeypatch.setattr(methods, "without_learning", lambda *arguments: None)
    monkeypatch.setattr(methods, "perturbed_images", lambda bundle, name, images, seed: np.zeros_like(images))
    return found


def evaluation(out, options=OPTIONS, **manifest):
    bundle = Bundle(lambda x: tf.reduce_mean(x, axis=(1, 2, 3)), {}, tiny.RECIPE, {}, manifest)
    return Evaluation(bundle, evaluated_images(), options, out)


def arrays_of(result):
    """Every array of a method's or the random orders' measurements, by name."""
    return result.as_arrays() if isinstance(result, MeasuredMethod) else vars(result)


METHODS = ("gradient", "grad_cam", "integrated_gradients")


def test_a_failing_method_is_named_and_the_others_go_on(made, tmp_path):
    outcomes = list(evaluation(tmp_path).run(METHODS, {}))
    assert [outcome.method for outcome in outcomes] == ["random", *METHODS]
    assert [type(outcome) for outcome in outcomes] == [Measured, Measured, Failed, Measured]
    assert "no convolution" in str(outcomes[2].error)
    names = {path.name for path in (tmp_path / "methods").iterdir()}
    assert names == {"images.npz", "random.npz", "gradient.npz", "integrated_gradients.npz"}


def test_what_is_measured_is_read_again(made, tmp_path):
    first = {outcome.method: outcome for outcome in evaluation(tmp_path).run(METHODS[::2], {})}
    made.clear()
    again = evaluation(tmp_path)
    outcomes = list(again.run(METHODS[::2], again.stored(METHODS[::2])))
    assert made == []
    for outcome in outcomes:
        assert outcome.seconds is None
        expected, found = (arrays_of(one.result) for one in (first[outcome.method], outcome))
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)


def test_a_stopped_run_goes_on_with_the_next_method(made, tmp_path):
    outcomes = evaluation(tmp_path).run(METHODS[::2], {})
    assert [next(outcomes).method for _ in range(2)] == ["random", "gradient"]
    outcomes.close()
    again = evaluation(tmp_path)
    assert set(again.stored(METHODS)) == {"random", "gradient"}


def test_a_method_whose_code_changed_is_measured_again(made, tmp_path, monkeypatch):
    list(evaluation(tmp_path).run(METHODS[::2], {}))
    code = explainers.code
    monkeypatch.setattr(explainers, "code", lambda name: "new" if name == "gradient" else code(name))
    again = evaluation(tmp_path)
    assert set(again.stored(METHODS[::2])) == {"random", "integrated_gradients"}
    made.clear()
    again.maps("gradient", np.array([0]))
    assert [explainer.map_names for explainer in made] == [("gradient",)]


def test_the_images_are_named_beside_their_measurements(made, tmp_path):
    one = evaluation(tmp_path)
    list(one.run(("gradient",), {}))
    with np.load(tmp_path / "methods/images.npz") as file, np.load(tmp_path / "methods/gradient.npz") as of:
        patients = file["patients"][file["localised"]]
        assert patients.tolist() == one.evaluated.images.patients[one.evaluated.localised].tolist()
        assert len(of["gradient.iou"]) == len(patients)
        assert len(of["gradient.most"]) == len(file["relevance"])
        assert len(of["gradient.randomised"]) == len(file["subset"])
        np.testing.assert_array_equal(file["scores"], one.evaluated.scores)


def test_other_images_are_refused_in_the_same_folder(made, tmp_path):
    list(evaluation(tmp_path).run(("gradient",), {}))
    other = evaluation(tmp_path)
    other.evaluated.images.patients[0] = "patient 9"
    with pytest.raises(InputError, match="names other test images"):
        other.stored(("gradient",))


def test_the_seed_reaches_a_method_that_draws(made, tmp_path, monkeypatch):
    given = []

    def get(name, models, **options):
        given.append((name, options))
        return Known(name)

    monkeypatch.setattr(explainers, "get", get)
    options = dataclasses.replace(OPTIONS, seed=7)
    list(evaluation(tmp_path, options=options).run(("gradient", "mask_perturbation"), {}))
    seeds = {name: options.get("seed") for name, options in given}
    assert seeds == {"gradient": None, "mask_perturbation": 7}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["syce", "sagen"])
def test_the_path_of_the_decoder_is_measured_with_controls_and_cascade(tmp_path, method, monkeypatch):
    monkeypatch.setattr(cascade, "SHARES", (0.0, 1.0))  # each step traces the path anew
    classifier = bright_square_classifier()
    bundle = Bundle(classifier, {method: toys.generator(method, classifier)[0]}, tiny.RECIPE, {}, {})
    given = {method: {"path": "manifold", "steps": 2, "jit_compile": False}}
    options = dataclasses.replace(OPTIONS, perturbation="zero", method_options=given)
    _, outcome = Evaluation(bundle, evaluated_images(), options, tmp_path).run((method,), {})
    assert isinstance(outcome, Measured), outcome.error
    maps = outcome.result.maps
    assert {one.map_name for one in compared_maps({method: control_names(method)})} == set(maps)
    assert maps["difference"]["cascade"].shape == (OPTIONS.subset, 2, 2)


@pytest.mark.slow
def test_one_kernel_smooths_the_maps_of_every_method_and_control(tmp_path):
    classifier = bright_square_classifier()
    bundle = Bundle(classifier, {"syce": toys.generator("syce", classifier)[0]}, tiny.RECIPE, {}, {})
    few = {"steps": 2, "jit_compile": False}
    given = {"integrated_gradients": few, "syce": few}
    options = dataclasses.replace(
        OPTIONS, perturbation="zero", subset=0, sigma=1.5, kernel_size=9, method_options=given
    )
    evaluated = evaluated_images(options=options)
    names = ("gradient", "integrated_gradients", "syce")
    found = {}
    for outcome in Evaluation(bundle, evaluated, options, tmp_path).run(names, {}):
        assert isinstance(outcome, Measured), outcome.error
        found |= outcome.result.maps if outcome.method in names else {}

    images, masks = (part[evaluated.localised] for part in (evaluated.images.images, evaluated.images.masks))
    maps = {}
    for name in names:
        maps |= explainers.get(name, bundle, **given.get(name, {})).explain(images).maps
    random = explainers.get("syce", without_learning(bundle, "syce", 0), **few).explain(images).maps
    unsmoothed = {
        "gradient_smooth": maps["gradient"],
        "integrated_gradients_smooth": maps["integrated_gradients"],
        "difference_smooth": maps["difference"],
        "difference_squared_smooth": maps["difference"] ** 2,
        "fi_v2_smooth": maps["fi_v2"],
        "fi_v2_smooth_of_random_gradient": random["fi_v2"],
    }
    assert {name for name in found if "smooth" in name} == unsmoothed.keys()
    for column, values in unsmoothed.items():
        smooth, in_proportion = (
            ndimage.gaussian_filter(values, sigma, axes=(1, 2), radius=4, mode="mirror").sum(axis=3)
            for sigma in (1.5, 2 * 16 / 224)
        )
        precision = found[column]["average_precision"]
        # Rounding may swap pixels that are nearly alike.
        np.testing.assert_allclose(precision, metrics.average_precision(smooth, masks), atol=2e-3)
        assert np.abs(precision - metrics.average_precision(in_proportion, masks)).max() > 0.02


def test_another_bundle_is_refused_in_the_same_folder(made, tmp_path):
    list(evaluation(tmp_path).run(("gradient",), {}))
    before, now = (
        one.bundle.digest[:12] for one in (evaluation(tmp_path), evaluation(tmp_path, data="other"))
    )
    with pytest.raises(InputError, match=f"was measured with bundle {before}…, not {now}…"):
        evaluation(tmp_path, data="other").stored(("gradient",))


def test_maps_of_examples_are_kept(made, tmp_path):
    rows = np.array([0, 5])
    one = evaluation(tmp_path)
    maps = one.maps("gradient", rows)
    np.testing.assert_array_equal(maps["gradient"], one.evaluated.images.images[rows][..., 0])
    made.clear()
    np.testing.assert_array_equal(evaluation(tmp_path).maps("gradient", rows)["gradient"], maps["gradient"])
    assert made == []
    other = evaluation(tmp_path).maps("gradient", np.array([1]))
    np.testing.assert_array_equal(other["gradient"], one.evaluated.images.images[[1]][..., 0])
