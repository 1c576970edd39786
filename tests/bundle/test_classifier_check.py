"""Classifiers that no command could use are not kept as bundles."""

import keras
import pytest
from support import tiny

from tfadvpath.bundle.bundle import save_bundle
from tfadvpath.bundle.classifier_check import check_classifier
from tfadvpath.errors import InputError
from tfadvpath.models import binary_classifier

layers = keras.layers
SIZE = tiny.SIZE


def made(shape=(SIZE, SIZE, 1), classes=1, heads=1, **options):
    image = keras.Input(shape, **options)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(layers.Rescaling(1.0)(image)))
    answers = [layers.Dense(classes, activation="sigmoid")(x) for _ in range(heads)]
    return keras.Model(image, answers if heads > 1 else answers[0])


def in_a_list():
    one = made()
    return keras.Model(one.inputs, list(one.outputs))


def two_inputs():
    image, age = keras.Input((SIZE, SIZE, 1)), keras.Input((1,))
    return keras.Model([image, age], layers.Dense(1)(layers.Concatenate()([layers.Flatten()(image), age])))


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: made((None, None, 1)), r"takes images of open size \(None, None, 1\)"),
        (lambda: made((None, SIZE, 1)), "takes images of open size"),
        (lambda: made((SIZE, SIZE, 3)), "takes images of 3 channels, where images are grey"),
        (lambda: made(batch_size=4), "takes 4 images at a time"),
        (lambda: made(dtype="uint8"), "takes uint8, which has no gradient"),
        (lambda: made(classes=3), r"returns \(None, 3\), where one probability"),
        (lambda: made(heads=2), r"returns \(None, 1\), \(None, 1\), where one probability"),
        (lambda: keras.Sequential([keras.Input((9,)), layers.Dense(1)]), r"takes \(9,\), where images are"),
        (two_inputs, "takes 2 inputs"),
        (in_a_list, "takes its images or returns its probability in a list"),
        (Subclassed, "does not know its input"),
        (lambda: lambda x: x, "is no Keras model but function"),
        (lambda: made((64, 64, 1)), f"takes images of 64 x 64, where the recipe's have {SIZE} x {SIZE}"),
    ],
)
def test_what_no_command_could_use_is_not_saved(tmp_path, make, problem):
    with pytest.raises(InputError, match=f"^`classifier`: {problem}"):
        save_bundle(tmp_path / "bundle", make(), {}, tiny.RECIPE, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(None, None, 1), (None, None, 3), (SIZE, SIZE, 3)])
def test_the_remedy_helps(shape):
    check_classifier("it", binary_classifier(made(shape, classes=3), (SIZE, SIZE, 1), 2), SIZE)
    check_classifier("it", binary_classifier(in_a_list(), (SIZE, SIZE, 1)), SIZE)


@pytest.mark.parametrize("generators", [{"magic": {}}, {"syce": {}}, {"syce": {"generator_0": None}}])
def test_generators_that_no_command_knows_are_not_saved(tmp_path, generators):
    with pytest.raises(
        InputError, match=r"^`generators`: no command knows .* Give those of cyce of generator_0"
    ):
        save_bundle(tmp_path / "bundle", made(), generators, tiny.RECIPE, {})
