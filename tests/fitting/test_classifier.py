"""What is found of a classifier: its outputs, its range, the decision, and what is refused in one line."""

import keras
import numpy as np
import pytest
from support.own_classifiers import classifier, images, probability

from tfadvpath.errors import InputError
from tfadvpath.fitting.classifier import (
    check_can_be_kept,
    digest_of,
    examine,
    images_size,
    load_classifier,
)
from tfadvpath.fitting.images import GivenImages, array_of_images

LAYERS = keras.layers
IMAGES = images()
TO_UNIT = LAYERS.Rescaling(1 / 255)


def found(model, values=IMAGES, labels=None, **options):
    return examine(load_classifier(model), array_of_images(values, labels=labels), **options)


def f(examined, values=IMAGES):
    return examined.decision.predict(values, verbose=0)[:, 0]


# Classifiers that say the same of an image, each in its own way: f is the same function of all of them.
ALIKE = {
    "sigmoid": lambda: classifier(),
    "two softmax outputs": lambda: classifier(2, "softmax"),
    "a softmax layer behind": lambda: classifier(2, None, last=[LAYERS.Softmax()]),
    "an activation behind": lambda: classifier(2, None, last=[LAYERS.Activation("softmax")]),
    "a logit": lambda: classifier(1, None),
    "two logits": lambda: classifier(2, None),
    "colours and Rescaling": lambda: classifier(channels=3, first=[LAYERS.Rescaling(1 / 255)]),
    "colours and softmax": lambda: classifier(2, "softmax", 3, [LAYERS.Rescaling(1 / 255)]),
    "a model inside": lambda: keras.Sequential([keras.Input((32, 32, 1)), classifier()]),
    "any size": lambda: _open_size(),
}


def _open_size():
    inner = classifier()
    image = keras.Input((None, None, 1))
    return keras.Model(image, inner.layers[-1](inner.layers[0](image)))


@pytest.mark.parametrize("kind", ALIKE)
def test_the_decision_is_the_classifiers_own_probability(kind):
    np.testing.assert_allclose(f(found(ALIKE[kind]())), probability(IMAGES), atol=1e-5)


@pytest.mark.parametrize("kind", ALIKE)
def test_the_decision_is_the_same_after_it_was_saved_and_loaded(kind):
    check_can_be_kept(found(ALIKE[kind]()).decision, IMAGES)


def test_four_classes_are_asked_two_by_two():
    examined = found(classifier(4, "softmax"), images(means=(0.3, 0.7)))
    assert (examined.question.target, examined.question.against) in [(1, 2), (2, 1)]
    assert "explained is class" in examined.notes[-1]
    chosen = found(classifier(4, "softmax"), target=3, against=1)
    answers = classifier(4, "softmax").predict(IMAGES, verbose=0).astype(np.float64)
    np.testing.assert_allclose(f(chosen), answers[:, 3] / (answers[:, 1] + answers[:, 3]), atol=1e-5)
    of_either = np.isin(answers.argmax(axis=1), (1, 3))
    np.testing.assert_array_equal(chosen.question.concerns(chosen.probabilities), of_either)
    assert 0 < of_either.sum() < len(IMAGES)


def test_logits_of_four_classes_are_the_softmaxs_two():
    softmax, logits = (found(classifier(4, kind), target=2, against=0) for kind in ("softmax", None))
    np.testing.assert_allclose(f(softmax), f(logits), atol=1e-5)
    assert "taken for logits" in " ".join(logits.notes)


def test_the_rarer_of_the_two_most_frequent_classes_is_class_1():
    few_bright = np.concatenate([images(30, means=(0.3, 0.45)), images(10, means=(0.55, 0.7))])
    question = found(classifier(4, "softmax"), few_bright).question
    assert (question.target, question.against) == (2, 1)


def test_outputs_that_are_findings_of_their_own_need_a_target():
    model = classifier(4, "sigmoid")
    with pytest.raises(InputError, match=r"`target`: the classifier's 4 outputs are findings of their own"):
        found(model)
    expected = model.predict(IMAGES, verbose=0)[:, 2]
    np.testing.assert_allclose(f(found(model, target=2)), expected, atol=1e-6)
    with pytest.raises(InputError, match="nothing in `against`"):
        found(model, target=2, against=1)


def test_the_threshold_becomes_one_half_and_the_order_stays():
    score = probability(IMAGES)
    moved = f(found(classifier(), threshold=0.2))
    np.testing.assert_array_equal(moved >= 0.5, score >= 0.2)
    assert (np.diff(moved[np.argsort(score)]) >= -1e-6).all()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ([], (0.0, 1.0)),
        ([LAYERS.Rescaling(1 / 255)], (0.0, 255.0)),
        ([LAYERS.Rescaling(1 / 127.5, -1)], (0.0, 255.0)),
        ([LAYERS.Rescaling(2.0, -1)], (0.0, 1.0)),
        ([LAYERS.Rescaling(0.5, 0.5)], (-1.0, 1.0)),
        ([LAYERS.Rescaling(1 / 65535)], (0.0, 65535.0)),
        ([LAYERS.Normalization(mean=[0.45], variance=[0.05])], (0.0, 1.0)),
        ([LAYERS.Normalization(mean=[116.0], variance=[58.0**2])], (0.0, 255.0)),
        ([LAYERS.BatchNormalization()], (0.0, 1.0)),
    ],
)
def test_the_first_layers_tell_the_range(first, expected):
    assert found(classifier(first=first)).value_range == expected


def test_an_array_is_given_to_the_classifier_as_it_is():
    """A classifier trained on 0 to 255 without a layer for it: bytes, and floats of that range."""
    model = classifier()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel / 255, bias])
    as_bytes = np.rint(IMAGES * 255).astype(np.uint8)
    for values in (as_bytes, as_bytes.astype(np.float32)):
        examined = found(model, values)
        assert examined.value_range == (0.0, 255.0)
        expected = model.predict(as_bytes.astype(np.float32), verbose=0)[:, 0]
        np.testing.assert_allclose(f(examined, as_bytes / np.float32(255)), expected, atol=1e-5)


def of_files(labels=None):
    """Images as of files, which have no range of their own."""
    names = np.array([str(i) for i in range(len(IMAGES))])
    return GivenImages(IMAGES, names, names, labels, None)


def test_labels_tell_the_range_where_nothing_else_does():
    model = classifier()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel / 255, bias])
    labels = (probability(IMAGES) >= 0.5).astype(np.int64)
    examined = examine(model, of_files(labels))
    assert examined.value_range == (0.0, 255.0)
    assert "decides as labelled" in examined.notes[0]


def test_an_assumed_range_is_said():
    examined = examine(classifier(), of_files())
    assert examined.value_range == (0.0, 1.0)
    assert "nothing in it says otherwise" in examined.notes[0]
    assert "value_range" in examined.notes[0]


@pytest.mark.parametrize(("channels", "is_said"), [(1, False), (3, True)])
def test_that_grey_images_fill_three_channels_is_said(channels, is_said):
    notes = " ".join(examine(classifier(channels=channels), of_files()).notes)
    assert ("each grey image is given to it in all three" in notes) is is_said


def test_scaling_that_turns_decisions_is_said():
    """The stored pictures are half as bright as the images that were scaled to [0, 1]."""
    given = of_files()
    given = GivenImages(*(getattr(given, name) for name in ("images", "patients", "cases", "labels")), None)
    stored = (np.arange(len(IMAGES)), 0.5 * IMAGES)
    given = GivenImages(given.images, given.patients, given.cases, None, None, (), stored)
    turned = np.mean((probability(IMAGES) >= 0.5) != (probability(0.5 * IMAGES) >= 0.5))
    assert f"This turns {turned:.0%} of the classifier's decisions" in " ".join(
        examine(classifier(), given).notes
    )


def test_answers_that_have_no_slope_are_said():
    model = classifier()
    model.layers[-1].set_weights([50 * weight for weight in model.layers[-1].get_weights()])
    assert "hardly a slope" in found(model).notes[-1]


def functional(shape, outputs=1, **options):
    image = keras.Input(shape, **options)
    return keras.Model(image, LAYERS.Dense(outputs, "sigmoid")(LAYERS.Flatten()(image)))


class Own(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: functional((8, 8, 8, 1)), r"takes volumes \(8, 8, 8, 1\).*Give a classifier of slices"),
        (lambda: functional((32, 32, 4)), "takes images of 4 channels"),
        (lambda: functional((32,)), r"takes \(32,\), where images are"),
        (lambda: functional((32, 32, 1), batch_size=4), "takes 4 images at a time"),
        (lambda: keras.Sequential([keras.Input((32, 32, 1)), LAYERS.Conv2D(2, 3)]), "as a segmentation does"),
        (lambda: Own(), "does not know its input"),
        (lambda: len, "is no Keras 3 model but builtin_function_or_method"),
        (lambda: "missing.keras", "missing.keras: is no file"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused_in_one_line(model, says):
    with pytest.raises(InputError, match=says) as error:
        load_classifier(model())
    assert "\n" not in str(error.value)


def test_two_outputs_and_two_inputs_are_refused():
    image = keras.Input((32, 32, 1))
    flat = LAYERS.Flatten()(image)
    two = [LAYERS.Dense(1)(flat), LAYERS.Dense(1)(flat)]
    with pytest.raises(InputError, match="returns 2 outputs"):
        load_classifier(keras.Model(image, two))
    other = keras.Input((32, 32, 1))
    with pytest.raises(InputError, match="takes 2 inputs"):
        load_classifier(keras.Model([image, other], LAYERS.Dense(1)(LAYERS.Flatten()(image + other))))


@pytest.mark.parametrize(
    ("last", "options", "says"),
    [
        ([LAYERS.Rescaling(float("nan"))], {}, "NaN or infinite values to 60 of 60 images"),
        ([LAYERS.Activation("tanh")], {}, "ends in the activation 'tanh'"),
        ([LAYERS.Rescaling(5.0)], {"logits": False}, "`logits`: says probabilities, but"),
        ([], {"target": 7}, "`target`: 7 is no output of the classifier"),
        ([], {"against": 0}, "`against`: does not go with a classifier of one output"),
        ([], {"threshold": 1.0}, "`threshold`: 1 is no probability"),
        ([], {"value_range": (1.0, 0.0)}, r"`value_range`: \[1, 0\] is no range"),
    ],
)
def test_answers_and_options_that_do_not_fit_are_refused(last, options, says):
    with pytest.raises(InputError, match=says):
        found(classifier(1, None, last=last), **options)


@pytest.mark.parametrize(
    ("size", "asked", "array", "expected"),
    [
        ((32, 32), None, None, 32),
        ((100, 100), None, None, 100),
        ((28, 28), None, None, 32),
        ((96, 128), None, None, 128),
        ((101, 101), None, None, 112),
        ((64, 64), 128, None, 128),
        ((None, None), None, None, 224),
        ((None, None), None, (64, 64), 64),
    ],
)
def test_the_generators_make_images_of_the_classifiers_size_or_one_that_they_can(
    size, asked, array, expected
):
    image = keras.Input((*size, 1))
    model = keras.Model(image, LAYERS.Dense(1, "sigmoid")(LAYERS.GlobalAveragePooling2D()(image)))
    found_size, note = images_size(model, asked, array)
    assert found_size == expected
    assert bool(note) == (size != (expected, expected) and asked is None and array is None)


def test_an_array_of_another_size_is_refused():
    with pytest.raises(InputError, match="are of 64 x 64, where the classifier takes 32 x 32"):
        images_size(classifier(), None, (64, 64))


def test_a_classifier_of_another_size_gets_resized_images():
    model = classifier(size=28)
    examined = examine(model, array_of_images(IMAGES))
    assert examined.decision.input_shape == (None, 32, 32, 1)
    np.testing.assert_allclose(f(examined), probability(IMAGES), atol=0.02)  # means of resized textures


def test_code_of_its_own_cannot_be_kept():
    model = keras.Sequential([keras.Input((32, 32, 1)), LAYERS.Lambda(lambda x: x + 0.0), classifier()])
    with pytest.raises(InputError, match="cannot be saved and loaded again"):
        check_can_be_kept(model, IMAGES)


def test_a_digest_tells_classifiers_apart():
    model, other = classifier(), classifier()
    assert digest_of(model) == digest_of(other)
    other.layers[-1].bias.assign([1.0])
    assert digest_of(model) != digest_of(other)
