import math

import keras
import numpy as np
import pytest
from keras import layers

from tfadvpath.models.backbone import backbone_classifier
from tfadvpath.models.classifier_head import head_weights, shift_decision, with_cells


def extractor(size=32, channels=3, kind="functional", pooled=False):
    """A feature extractor with a layer whose name the head has, too."""
    inner = [
        layers.Rescaling(2.0, offset=-1.0),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first"),
        layers.BatchNormalization(),
        layers.Dropout(0.1, name="dropout"),
        layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", name="last"),
    ]
    if pooled:
        inner.append(layers.GlobalAveragePooling2D())
    shape = (size, size, channels)
    if kind == "sequential":
        return keras.Sequential([keras.Input(shape), *inner])
    image = x = keras.Input(shape)
    for layer in inner:
        x = layer(x)
    return keras.Model(image, x)


def images(size, channels=1):
    return np.random.default_rng(0).random((2, size, size, channels)).astype(np.float32)


@pytest.mark.parametrize("kind", ["functional", "sequential"])
@pytest.mark.parametrize("size", [32, 48])
def test_features_of_any_size_are_those_of_the_extractor(kind, size):
    backbone = extractor(kind=kind)
    model = backbone_classifier(backbone, (size, size, 1))
    features = keras.Model(model.input, model.get_layer("last").output)
    grey = images(size)
    if size == 32:
        expected = backbone.predict(np.repeat(grey, 3, axis=-1), verbose=0)
    else:  # the same weights in one that was built for the size
        other = extractor(size, kind=kind)
        other.set_weights(backbone.get_weights())
        expected = other.predict(np.repeat(grey, 3, axis=-1), verbose=0)
    np.testing.assert_allclose(features.predict(grey, verbose=0), expected, atol=1e-6)
    assert model.output_shape == (None, 1)
    assert all(not isinstance(layer, keras.Model) for layer in model.layers)


def test_training_the_classifier_leaves_the_extractor():
    backbone = extractor()
    before = backbone.get_weights()
    model = backbone_classifier(backbone, (32, 32, 1))
    for weight in model.weights:
        weight.assign(weight + 1.0)
    for one, other in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pooled_features_and_colour_images_get_the_same_head():
    model = backbone_classifier(extractor(pooled=True), (32, 32, 3))
    assert model.output_shape == (None, 1)
    assert [weight.shape for weight in head_weights(model)] == [(4, 128), (128,), (128, 1), (1,)]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer = layers.Conv2D(4, 3)

    def call(self, x):
        return self.layer(x)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (lambda: keras.Sequential([keras.Input((8,)), layers.Dense(2)]), r"must take images \[N, H, W, C\]"),
        (lambda: extractor(channels=3), "a multiple. Received: 3"),
        (
            lambda: keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten(), layers.Dense(3)]),
            "built for images of 48 x 48 pixels",
        ),
        (
            lambda: keras.Sequential([keras.Input((32, 32, 1)), layers.Reshape((1024, 1))]),
            r"must give features .* Received: outputs \[\(None, 1024, 1\)\]",
        ),
        (Subclassed, r"Received: inputs \[\]"),
    ],
)
def test_what_is_no_extractor_of_such_images_is_said(backbone, message):
    channels = 2 if "multiple" in message else 1
    with pytest.raises(ValueError, match=message):
        backbone_classifier(backbone(), (48, 48, channels))


def local_classifier(size=32, **options):
    keras.utils.set_random_seed(1)
    return backbone_classifier(extractor(), (size, size, 1), head="local", **options)


def test_a_local_head_pools_what_each_cell_answers():
    model = local_classifier()
    answers = with_cells(model).predict(images(32), verbose=0)
    assert answers["cells"].shape == (2, 8, 8, 1)
    np.testing.assert_array_equal(answers["probability"], model.predict(images(32), verbose=0))
    cells = answers["cells"].astype(np.float64)
    evidence = np.log(cells / (1 - cells)) + 2.0  # the bias at the start
    pooled = np.log(np.mean(np.exp(4.0 * evidence), axis=(1, 2))) / 4.0
    np.testing.assert_allclose(answers["probability"], 1 / (1 + np.exp(2.0 - pooled)), rtol=1e-4)


def test_a_cell_does_not_depend_on_what_it_does_not_see():
    model = with_cells(local_classifier())
    changed = images(32)
    changed[:, 24:] = 0.0
    before, after = (model.predict(x, verbose=0)["cells"] for x in (images(32), changed))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 1e-4


def test_a_local_head_has_weights_of_its_own_and_a_bias_to_shift():
    model = local_classifier()
    assert [weight.shape for weight in head_weights(model)] == [(1, 1, 4, 1), (1, 1), (1,)]
    before = model.predict(images(32), verbose=0)
    shift_decision(model, 0.2)
    odds = before / (1 - before) / (0.2 / 0.8)
    np.testing.assert_allclose(model.predict(images(32), verbose=0), odds / (1 + odds), rtol=1e-4)


def test_features_of_an_earlier_layer_have_more_cells():
    assert with_cells(local_classifier(layer="first")).output["cells"].shape == (None, 16, 16, 1)
    with pytest.raises(
        ValueError, match=r"`layer` must be one of `backbone`, such as 'last'\. Received: 'no'"
    ):
        local_classifier(layer="no")


def test_heads_that_do_not_fit_are_said():
    with pytest.raises(ValueError, match=r"must give features \[N, h, w, F\]\. Received: \(None, 4\)"):
        backbone_classifier(extractor(pooled=True), (32, 32, 1), head="local")
    with pytest.raises(ValueError, match=r"`head` must be 'pooled' or 'local'\. Received: 'both'"):
        backbone_classifier(extractor(), (32, 32, 1), head="both")
    with pytest.raises(ValueError, match="must have a local head"):
        with_cells(backbone_classifier(extractor(), (32, 32, 1)))


def classifier():
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(1, "sigmoid", kernel_initializer="ones", bias_initializer="ones")]
    )


@pytest.mark.parametrize("threshold", [0.03, 0.5, 0.9])
def test_a_shifted_classifier_decides_at_the_threshold_and_keeps_its_order(threshold):
    model = classifier()
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    before = model.predict(x, verbose=0)[:, 0].astype(np.float64)
    shift_decision(model, threshold)
    after = model.predict(x, verbose=0)[:, 0]
    odds = before / (1 - before) / (threshold / (1 - threshold))
    np.testing.assert_allclose(after, odds / (1 + odds), atol=1e-6)
    np.testing.assert_array_equal(after >= 0.5, before >= threshold)
    assert math.isclose(
        float(model.layers[-1].bias[0]), 1 - math.log(threshold / (1 - threshold)), rel_tol=1e-5
    )


def test_a_classifier_without_a_sigmoid_cannot_be_shifted():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="dense layer with a sigmoid"):
        shift_decision(model, 0.3)
