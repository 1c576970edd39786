"""Explanations by one call, whatever explains."""

import cv2
import keras
import numpy as np
import pytest
from support.explanations import KnownExplainer
from support.own_classifiers import classifier, images, probability
from support.tiny import write_tiny_bundle

import tfadvpath as tap
from tfadvpath.errors import InputError

IMAGES = images(6)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(IMAGES):
        cv2.imwrite(str(folder / f"{i}.png"), np.rint(image[..., 0] * 255).astype(np.uint8))
    return folder


def test_a_bundle_explains_arrays_and_files_alike(bundle, pictures):
    of_files = tap.explain(bundle, pictures, steps=3)
    studies = [tap.read_study(path) for path in sorted(pictures.iterdir())]
    read = np.concatenate([study.images for study in studies])
    of_array = tap.explain(tap.load_bundle(bundle), read, method="syce", steps=3)
    np.testing.assert_array_equal(of_files.images, read)
    np.testing.assert_allclose(of_files.maps["fi_v1"], of_array.maps["fi_v1"], atol=1e-6)
    one = tap.explain(bundle, [pictures / "2.png"], steps=3)
    np.testing.assert_allclose(one.score, of_files.score[2:3], atol=1e-6)


def test_bytes_are_images_too(bundle):
    as_bytes = np.rint(IMAGES * 255).astype(np.uint8)
    explained = tap.explain(bundle, as_bytes, method="gradient")
    np.testing.assert_allclose(explained.images, as_bytes / 255, atol=1e-6)


def test_an_explainer_explains_by_its_own_method():
    explained = tap.explain(KnownExplainer(), IMAGES)
    np.testing.assert_allclose(explained.maps["fi_v2_smooth"], IMAGES)
    with pytest.raises(InputError, match="does not go with an explainer"):
        tap.explain(KnownExplainer(), IMAGES, method="syce")


@pytest.mark.parametrize("method", [None, "gradient", "grad_cam"])
def test_a_classifier_alone_is_brought_to_its_decision(method, tmp_path):
    """Logits of colour images in 0 to 255: each method sees the probability on images in [0, 1]."""
    if method == "grad_cam":
        inside = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Conv2D(2, 3), classifier_of_two()])
        explained = tap.explain(inside, IMAGES, method=method)
        assert explained.maps["grad_cam"].shape == IMAGES.shape
        return
    model = classifier(1, None, 3, [keras.layers.Rescaling(1 / 255)])
    model.save(tmp_path / "own.keras")
    for given in (model, tmp_path / "own.keras"):
        explained = tap.explain(given, IMAGES, method=method)
        np.testing.assert_allclose(explained.score, probability(IMAGES), atol=1e-5)


def classifier_of_two():
    layers = keras.layers
    return keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")])


def test_any_function_of_probabilities_is_explained():
    def mean(x):
        return keras.ops.mean(x, axis=(1, 2, 3))

    explained = tap.explain(mean, IMAGES, method="gradient")
    np.testing.assert_allclose(explained.maps["gradient"], 1 / 32**2, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda b, p: tap.explain(b, IMAGES, method="other"),
            "`method`: 'other' is no method of this bundle",
        ),
        (lambda b, p: tap.explain(b, IMAGES, method="gradient", steps=3), "`steps`: 'gradient' has no such"),
        (
            lambda b, p: tap.explain(b, np.zeros((1, 30, 32))),
            "are of 30 x 32, where the bundle takes 32 x 32",
        ),
        (lambda b, p: tap.explain(classifier(), IMAGES, method="syce"), "'syce' needs a trained generator"),
        (lambda b, p: tap.explain(classifier(), IMAGES, method="other"), "'other' is none that is known"),
        (lambda b, p: tap.explain(classifier(), IMAGES, sigma=3.0), "`sigma`: is no option of integrated"),
        (lambda b, p: tap.explain(b, p / "missing.png"), "missing.png"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(bundle, pictures, call, says):
    with pytest.raises(InputError, match=says):
        call(bundle, pictures)
