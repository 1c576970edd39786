"""Other people's classifiers as f."""

import keras
import numpy as np
import pytest

from tfadvpath.models import binary_classifier

SHAPE = (8, 8, 1)


def model(channels=3, classes=4, size=None, activation="softmax", dtype=None):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((size, size, channels)),
        keras.layers.Conv2D(4, 3, dtype=dtype),
        keras.layers.GlobalAveragePooling2D(dtype=dtype),
        keras.layers.Dense(classes, activation, dtype=dtype),
    ]
    return keras.Sequential(layers)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((5, *SHAPE)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("target", [0, 2, 3])
def test_grey_images_stand_in_every_channel_and_the_target_is_class_1(images, target):
    rgb = model()
    f = binary_classifier(rgb, SHAPE, target)
    assert f.input_shape == (None, *SHAPE)
    expected = rgb.predict(np.repeat(images, 3, axis=3), verbose=0)[:, target : target + 1]
    np.testing.assert_allclose(f.predict(images, verbose=0), expected, rtol=1e-6)


def test_what_fits_is_left_as_it_is():
    own = model(channels=1, classes=1, size=8, activation="sigmoid")
    assert binary_classifier(own, SHAPE) is own


def test_open_sizes_are_fixed_and_the_answer_is_float32(images):
    own = model(channels=1, classes=1, activation="sigmoid", dtype="mixed_bfloat16")
    f = binary_classifier(own, SHAPE)
    assert f.input_shape == (None, *SHAPE)
    assert f.output.dtype == "float32"
    assert f.predict(images, verbose=0).dtype == np.float32


def test_it_is_saved_and_loaded_in_safe_mode(images, tmp_path):
    f = binary_classifier(model(), SHAPE, 1)
    f.save(tmp_path / "f.keras")
    loaded = keras.saving.load_model(tmp_path / "f.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), f.predict(images, verbose=0))


@pytest.mark.parametrize(
    ("options", "target", "says"),
    [
        ({}, None, "`target` must name one of the 4 outputs"),
        ({}, 4, r"`target` must be in 0…3\. Received: 4"),
        ({"size": 16}, 1, r"images of shape \(8, 8, 1\)\. Received: one for \(16, 16, 3\)"),
        ({"channels": 1, "classes": 1}, 1, r"`target` must be in 0…0\. Received: 1"),
    ],
)
def test_what_does_not_fit_is_said(options, target, says):
    with pytest.raises(ValueError, match=says):
        binary_classifier(model(**options), SHAPE, target)


def test_several_inputs_or_outputs_are_refused():
    one, other = keras.Input(SHAPE), keras.Input(SHAPE)
    flat = keras.layers.GlobalAveragePooling2D()
    with pytest.raises(ValueError, match=r"images .* alone"):
        binary_classifier(keras.Model([one, other], flat(one + other)), SHAPE)
    with pytest.raises(ValueError, match="one tensor"):
        binary_classifier(keras.Model(one, one), SHAPE)
