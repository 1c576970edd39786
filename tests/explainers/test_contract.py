"""What every explainer promises, whatever its method and the classifier. A new method needs no line here."""

from __future__ import annotations

import dataclasses
import functools
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath import explainers
from tfadvpath.generators import CyCE, MaskGenerator, SAGen, SyCE
from tfadvpath.models import UNet, mask_decoder, two_headed_unet

layers = keras.layers
SIZE = 32
COUNT = 5
BATCH = 2
# Where a method has the option: enough to be told apart, not to be accurate.
QUICK = {"steps": 4, "iterations": 10}


def residual_v1(image):
    """Convolution, normalization, addition, ReLU, as in ResNet50."""
    x = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    shortcut = layers.Conv2D(8, 1, strides=2)(x)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(x))
    return layers.ReLU()(layers.Add()([x, shortcut]))


def residual_v2(image):
    """Normalization, ReLU, convolution, addition, as in ResNet50V2."""
    x = shortcut = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([layers.Conv2D(8, 3, padding="same")(x), shortcut])
    x = layers.MaxPooling2D()(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def flat(channels):
    image = keras.Input((SIZE, SIZE, channels))
    x = layers.GlobalAveragePooling2D()(residual_v1(image))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x)))


def nested(channels):
    """A backbone that is one layer of the classifier, as those of keras.applications."""
    inner = keras.Input((SIZE, SIZE, channels))
    backbone = keras.Model(inner, residual_v2(inner), name="backbone")
    head = [
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
        layers.Dense(1),
        layers.Activation("sigmoid"),
    ]
    return keras.Sequential([keras.Input((SIZE, SIZE, channels)), backbone, *head])


KINDS = {"grey": (flat, 1), "RGB, nested": (nested, 3)}


def some_images(channels):
    """Coarse patches with grain on them, each image of another brightness."""
    rng = np.random.default_rng(1)
    patches = np.kron(rng.random((COUNT, 4, 4, channels)), np.ones((1, SIZE // 4, SIZE // 4, 1)))
    brightness = np.linspace(0.3, 1, COUNT)[:, None, None, None]
    grain = rng.random((COUNT, SIZE, SIZE, channels))
    return (brightness * (0.5 * patches + 0.5 * grain)).astype(np.float32)


@functools.cache
def bundle(kind):
    """A classifier of both classes with statistics that are not those of a new one, and every generator."""
    make, channels = KINDS[kind]
    keras.utils.set_random_seed(0)
    classifier = make(channels)
    for layer in classifier._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(0.1 * np.random.default_rng(2).normal(size=layer.moving_mean.shape))
            layer.moving_variance.assign(1 + np.random.default_rng(3).random(layer.moving_variance.shape))
    [dense] = [layer for layer in classifier.layers if isinstance(layer, layers.Dense)]
    probability = classifier(some_images(channels))[:, 0].numpy().astype(np.float64)
    logit = np.log(probability / (1 - probability))
    gain = 2 / logit.std()  # untrained, it answers nearly the same to all
    dense.kernel.assign(gain * dense.kernel)
    dense.bias.assign([-gain * np.sort(logit)[1:3].mean()])  # two of class 0, three of class 1
    shape = (SIZE, SIZE, channels)
    unets = UNet(shape, [4, 8], dropout=0.0), UNet(shape, [4, 8], dropout=0.0)
    generators = {
        "cyce": CyCE(classifier, unets),
        "syce": SyCE(classifier, unets),
        "sagen": SAGen(classifier, two_headed_unet(shape, [4, 8])),
        "mask_generator": MaskGenerator(classifier, mask_decoder(classifier, width=4)),
    }
    return SimpleNamespace(classifier=classifier, generators=generators)


@functools.cache
def explained(name, kind, batch_size=BATCH):
    options = {key: value for key, value in QUICK.items() if key in explainers.options(name)}
    explainer = explainers.get(name, bundle(kind), batch_size=batch_size, **options)
    return explainer, explainer.explain(some_images(KINDS[kind][1]))


every_method = pytest.mark.parametrize("name", explainers.names())
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.slow
def test_every_method_is_run_on_every_kind():
    for kind in KINDS:
        assert explainers.names(bundle(kind)) == explainers.names()


@pytest.mark.slow
@every_kind
@every_method
def test_score_and_decision_are_the_classifiers(name, kind):
    _, explanation = explained(name, kind)
    images = some_images(KINDS[kind][1])
    score = bundle(kind).classifier.predict(images, verbose=0)[:, 0]
    np.testing.assert_allclose(explanation.score, score, atol=1e-6)
    assert sorted(explanation.decision) == [False, False, True, True, True]
    np.testing.assert_array_equal(explanation.decision, score >= 0.5)
    np.testing.assert_array_equal(explanation.images, images)


@every_kind
@every_method
def test_maps_are_finite_float32_not_negative_and_show_something(name, kind):
    explainer, explanation = explained(name, kind)
    assert tuple(explanation.maps) == explainer.map_names
    for map_name, values in explanation.maps.items():
        assert values.shape[:3] == (COUNT, SIZE, SIZE), map_name
        assert values.shape[3] in (1, KINDS[kind][1]), map_name
        assert values.dtype == explanation.score.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.min() >= 0
        shown = np.ptp(values, axis=(1, 2)).max(axis=1) > 0
        assert shown[explanation.decision].any(), map_name
        assert shown[~explanation.decision].any(), map_name
        # Each image has a map of its own.
        assert len(np.unique(values[shown].sum(axis=(1, 2, 3)))) == shown.sum(), map_name


@pytest.mark.slow
@every_method
def test_every_array_is_float32_whatever_comes_in(name):
    explainer, _ = explained(name, "grey")
    explanation = explainer.explain(some_images(1).astype(np.float64)[:1])
    for field in dataclasses.fields(explanation):
        values = getattr(explanation, field.name)
        if values is None:  # of a number of steps that each image has for itself
            continue
        for array in values.values() if isinstance(values, dict) else [values]:
            assert array.dtype == np.float32, field.name


def assert_same(explanation, other, score=1e-6):
    np.testing.assert_allclose(explanation.score, other.score, atol=score)
    for name, values in explanation.maps.items():
        # Convolutions add up in another order in another batch; optimisation passes the difference on.
        np.testing.assert_allclose(values, other.maps[name], atol=1e-4 * values.max(), rtol=0, err_msg=name)


@pytest.mark.slow
@every_kind
@every_method
def test_a_map_depends_on_its_image_alone(name, kind):
    explainer, explanation = explained(name, kind)
    others = explainer.explain(explanation.images[::-1])
    assert_same(others.take(slice(None, None, -1)), explanation)
    assert_same(explainer.explain(explanation.images[1:2]), explanation.take(slice(1, 2)))


@pytest.mark.slow
@every_method
def test_batches_give_what_single_images_give(name):
    kind = "RGB, nested"
    assert_same(explained(name, kind)[1], explained(name, kind, batch_size=1)[1])


@pytest.mark.slow
@every_kind
@every_method
def test_nothing_is_drawn_or_changed_by_explaining(name, kind):
    explainer, explanation = explained(name, kind)
    before = [weight.copy() for weight in bundle(kind).classifier.get_weights()]
    again = explainer.explain(explanation.images)  # dropout and batch statistics would differ
    for map_name, values in explanation.maps.items():
        np.testing.assert_array_equal(values, again.maps[map_name])
    for weight, after in zip(before, bundle(kind).classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, after)


@pytest.mark.slow
@every_kind
@every_method
def test_batches_are_of_one_shape_traced_once_and_reported(name, kind):
    explainer, explanation = explained(name, kind)
    done = []
    explainer.explain(explanation.images, on_batch=done.append)
    assert done == [2, 2, 1]
    assert explainer.run_batch.experimental_get_tracing_count() == 1


@pytest.mark.slow
# The others' generators take XLA long, and they share one computation, which has its own tests.
@pytest.mark.parametrize("name", explainers.names(SimpleNamespace(generators={})))
def test_xla_gives_what_the_graph_gives(name):
    options = {key: value for key, value in QUICK.items() if key in explainers.options(name)}
    explainer = explainers.get(name, bundle("grey"), batch_size=BATCH, jit_compile=True, **options)
    _, expected = explained(name, "grey")
    # XLA rounds otherwise than oneDNN, by how much depends on the processor: 1.2e-6 was seen on one.
    assert_same(explainer.explain(expected.images), expected, score=1e-5)
    assert explainer.run_batch.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((SIZE, SIZE, 1)), r"must be \[B, H, W, C\]"),
        (np.zeros((0, SIZE, SIZE, 1)), "B >= 1"),
        (np.full((1, SIZE, SIZE, 1), np.nan), r"must be in \[0, 1\]"),
        (np.full((1, SIZE, SIZE, 1), np.inf), r"must be in \[0, 1\]"),
        (np.full((1, SIZE, SIZE, 1), -0.1), "from -0.1 to -0.1"),
        (np.full((1, SIZE, SIZE, 1), 255, np.uint8), "from 255 to 255"),
    ],
)
@every_method
def test_wrong_images_are_refused(name, images, message):
    with pytest.raises(ValueError, match=message):
        explained(name, "grey")[0].explain(images)


@pytest.mark.parametrize("shape", [(1, SIZE, SIZE, 3), (1, SIZE, SIZE + 2, 1)])
@every_method
def test_images_of_another_shape_than_the_classifiers_are_refused(name, shape):
    with pytest.raises(ValueError, match="incompatible with the layer"):
        explained(name, "grey")[0].explain(np.zeros(shape))


@every_method
def test_a_batch_without_an_image_is_refused(name):
    with pytest.raises(ValueError, match="`batch_size` must be positive"):
        explainers.get(name, bundle("grey"), batch_size=0)


@pytest.mark.parametrize("value", [1.5, -0.5, float("nan")])
def test_answers_that_are_no_probabilities_are_refused(value):
    def logit(x):
        return value + 0 * tf.reduce_mean(x, axis=(1, 2, 3))

    with pytest.raises(ValueError, match="must answer with probabilities"):
        explainers.get("gradient", logit).explain(np.full((2, 8, 8, 1), 0.5))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"must be one of \('cyce', .*'syce'\)\. Received: 'sice'"):
        explainers.get("sice", bundle("grey"))


@pytest.mark.parametrize("name", ["syce", "cyce", "sagen", "mask_generator"])
def test_a_classifier_in_a_generators_place_is_refused(name):
    with pytest.raises(TypeError, match=r"`generator` must .*Received: Sequential"):
        explainers.get(name, keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]))
