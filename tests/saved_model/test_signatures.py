"""The graph against the library, image by image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.serving import STEPS, assert_same_maps, images, relative

from tfadvpath import explainers
from tfadvpath.saved_model import signatures
from tfadvpath.saved_model.signatures import make_signatures

OUTPUTS = {
    "score": "probability",
    "start": "start",
    "adversary": "adversary",
    "score_start": "probability_start",
    "score_adversary": "probability_adversary",
    "completeness_residual": "completeness_residual",
    "crossed": "flipped",
}


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported)).signatures


def call(signature, values):
    return {name: value.numpy() for name, value in signature(images=tf.constant(values)).items()}


def graph(bundle, method, xla=False):
    explainer = explainers.get(method, bundle, steps=STEPS, path_chunk=STEPS)
    return make_signatures(explainer, "fi_v2_smooth", (*bundle.image_size, 1), xla)


def test_the_images_are_of_both_decisions(library):
    assert 0 < library.decision.sum() < len(library)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_batch_of_any_size_gives_what_the_library_gives(loaded, library, count):
    outputs = call(loaded["serving_default"], images()[:count])
    assert_same_maps(outputs["map"], library.maps["fi_v2_smooth"][:count])
    for field, name in OUTPUTS.items():
        # On some processors a graph rounds otherwise: gradients jump where a ReLU of one of few steps opens.
        allowed = 2e-3 if field == "completeness_residual" else 1e-5
        np.testing.assert_allclose(outputs[name], getattr(library, field)[:count], atol=allowed, err_msg=name)
    np.testing.assert_allclose(
        call(loaded["predict"], images()[:count])["probability"], library.score[:count], atol=1e-6
    )


def test_every_input_and_output_has_the_batch_in_front(loaded):
    for signature in loaded.values():
        (spec,) = signature.structured_input_signature[1].values()
        for tensor in (spec, *signature.structured_outputs.values()):
            assert tensor.shape.rank >= 1
            assert tensor.shape[0] is None


def test_a_batch_of_none_is_answered(loaded):
    outputs = call(loaded["serving_default"], np.zeros((0, 32, 32, 1), np.float32))
    assert outputs["map"].shape == (0, 32, 32, 1)
    assert outputs["flipped"].shape == (0,)


@pytest.mark.parametrize("wrong", [np.nan, -0.1, 1.5])
def test_an_image_that_cannot_be_explained_gets_nan_and_does_not_disturb_the_others(loaded, library, wrong):
    values = images()[:3].copy()
    values[1, 5, 5, 0] = wrong
    outputs = call(loaded["serving_default"], values)
    for name, value in outputs.items():
        if name != "flipped":
            assert np.isnan(value[1]).all()
    assert not outputs["flipped"][1]
    assert np.isnan(call(loaded["predict"], values)["probability"]).tolist() == [False, True, False]
    assert_same_maps(outputs["map"][[0, 2]], library.maps["fi_v2_smooth"][[0, 2]])


def test_pixels_in_another_shape_are_refused(loaded):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError, TypeError)):
        call(loaded["serving_default"], images()[:1].reshape(1, 64, 16, 1))


@pytest.mark.parametrize("method", ["cyce", "sagen"])
def test_every_generator_of_pairs_can_be_exported(bundle, method):
    function, _ = graph(bundle, method)["serving_default"]
    outputs = function(tf.constant(images()))
    expected = explainers.get(method, bundle, steps=STEPS).explain(images())
    assert_same_maps(outputs["map"].numpy(), expected.maps["fi_v2_smooth"])
    np.testing.assert_allclose(outputs["adversary"], expected.adversary, atol=1e-5)


def test_xla_gives_the_same_maps(bundle, library):
    function, _ = graph(bundle, "syce", xla=True)["explain_xla"]
    outputs = function(tf.constant(images()[:3]))
    assert relative(outputs["map"].numpy(), library.maps["fi_v2_smooth"][:3]).max() < 1e-3


def test_only_the_signature_for_xla_must_be_compiled(bundle):
    compiled = {}
    for name, (function, spec) in graph(bundle, "syce", xla=True).items():
        concrete = tf.function(function, input_signature=[spec]).get_concrete_function()
        definitions = concrete.graph.as_graph_def().library.function
        compiled[name] = any(definition.attr["_XlaMustCompile"].b for definition in definitions)
    assert compiled == {
        "predict": False,
        "serving_default": False,
        "explain_bytes": False,
        "explain_xla": True,
    }


def test_no_more_images_than_a_group_are_in_the_networks_at_once(bundle, monkeypatch):
    # 32x32 pixels: groups of 3.
    monkeypatch.setattr(signatures, "_GROUP_PIXELS", 3 * 32 * 32)
    explainer = explainers.get("syce", bundle, steps=STEPS, path_chunk=STEPS)
    seen, points = [], []
    explain_batch, probability = explainer.explain_batch, explainer.probability

    def spy(batch, count):
        tf.py_function(
            lambda size, used: seen.append((int(size), int(used))), [tf.shape(batch)[0], count], []
        )
        return explain_batch(batch, count)

    def counted(points_):
        tf.py_function(lambda size: points.append(int(size)), [tf.shape(points_)[0]], [])
        return probability(points_)

    monkeypatch.setattr(explainer, "explain_batch", spy)
    monkeypatch.setattr(explainer, "probability", counted)
    function, _ = make_signatures(explainer, "fi_v2_smooth", (32, 32, 1), xla=False)["serving_default"]
    expected = explainers.get("syce", bundle, steps=STEPS).explain(images()).maps["fi_v2_smooth"]
    assert_same_maps(function(tf.constant(images())).get("map").numpy(), expected)
    # 8 images: three groups of nearly one size, one place of 9 is padding.
    assert seen == [(3, 3), (3, 3), (3, 2)]
    # Each image's path in one pass, and its two ends; the padding has none.
    assert points.count(STEPS) == 8
    assert max(points) == STEPS
