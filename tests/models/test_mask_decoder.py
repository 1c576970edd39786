import keras
import numpy as np
import pytest

from tfadvpath.models.mask_decoder import activation_levels, mask_decoder
from tfadvpath.models.resnet50 import resnet50_classifier

layers = keras.layers


def images(size=32):
    return np.random.default_rng(0).random((2, size, size, 1)).astype(np.float32)


def two_stages(padding="same"):
    """Halves 32 pixels twice; the last output of each size is that of a ReLU."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(3, 3, strides=2, padding=padding, name="first"),
            layers.ReLU(name="first_relu"),
            layers.ZeroPadding2D(1),
            layers.Conv2D(5, 3, strides=2, name="second"),
            layers.ReLU(name="second_relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.slow
def test_resnet_gives_every_resolution_down_to_a_thirty_second():
    encoder = activation_levels(resnet50_classifier((64, 64, 1), weights=None, width=4))
    assert encoder.output_shape == [
        (None, 32, 32, 4),
        (None, 16, 16, 4),
        (None, 8, 8, 8),
        (None, 4, 4, 16),
        (None, 2, 2, 128),  # 2048 / 16 filters
    ]


@pytest.mark.slow
def test_resnet_ends_with_its_last_activation():
    classifier = resnet50_classifier((32, 32, 1), weights=None, width=4)
    last = keras.Model(classifier.inputs, classifier.get_layer("post_relu").output)
    np.testing.assert_array_equal(activation_levels(classifier)(images())[-1], last([images()]))


@pytest.mark.parametrize("padding", ["same", "valid"])  # valid: 15 pixels, which count for a half of 32
def test_the_last_output_of_each_resolution_is_taken_and_padding_is_passed_over(padding):
    classifier = two_stages(padding)
    first, second = activation_levels(classifier)(images())
    relu = [classifier.get_layer(name).output for name in ("first_relu", "second_relu")]
    expected = keras.Model(classifier.inputs, relu)([images()])
    np.testing.assert_array_equal(first, expected[0])
    np.testing.assert_array_equal(second, expected[1])


def test_layers_of_a_model_inside_the_model_count():
    backbone = keras.Sequential(
        [keras.Input((32, 32, 2)), *(layers.Conv2D(4, 3, strides=2, padding="same") for _ in range(2))]
    )
    backbone(np.zeros((1, 32, 32, 2)))
    image = keras.Input((32, 32, 1))
    x = layers.GlobalAveragePooling2D()(backbone(layers.Concatenate()([image, image])))
    classifier = keras.Model(image, layers.Dense(1, activation="sigmoid")(x))
    levels = activation_levels(classifier)(images())
    half = backbone.layers[0](np.concatenate([images(), images()], axis=-1))
    np.testing.assert_allclose(levels[0], half, atol=1e-6)
    np.testing.assert_allclose(levels[1], backbone.layers[1](half), atol=1e-6)


def test_layers_that_an_earlier_model_used_are_found_in_this_one():
    conv = layers.Conv2D(2, 3, strides=2, padding="same")
    keras.Sequential([keras.Input((32, 32, 1)), conv])
    x = image = keras.Input((32, 32, 1))
    x = layers.GlobalAveragePooling2D()(conv(layers.Rescaling(2.0)(x)))
    classifier = keras.Model(image, layers.Dense(1, activation="sigmoid")(x))
    (half,) = keras.tree.flatten(activation_levels(classifier)(images()))
    np.testing.assert_allclose(half, conv(2 * images()), atol=1e-6)


@pytest.mark.parametrize("strides", [1, 64])
def test_a_classifier_without_a_stage_is_refused(strides):
    conv = layers.Conv2D(2, 1, strides=strides)
    stack = [keras.Input((64, 64, 1)), conv, layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")]
    with pytest.raises(ValueError, match="halves"):
        activation_levels(keras.Sequential(stack))


def test_a_classifier_that_does_not_know_its_layers_outputs_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = two_stages()

        def call(self, x):
            return self.inner(x)

    own = Own()
    own(images())
    with pytest.raises(ValueError, match=r"functional or sequential .* Received: 'own', a Own"):
        activation_levels(own)


@pytest.mark.parametrize("skipped", [False, True])
def test_two_channels_at_half_the_resolution_come_out(skipped):
    classifier = two_stages()
    if skipped:
        conv = layers.Conv2D(2, 5, strides=8, padding="same")
        stack = [keras.Input((32, 32, 1)), conv, layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")]
        classifier = keras.Sequential(stack)
    channels = mask_decoder(classifier, width=4)(activation_levels(classifier)(images()))
    assert channels.shape == (2, 16, 16, 2)


def test_sizes_that_are_no_powers_of_two_meet():
    classifier = keras.Sequential(
        [
            keras.Input((50, 36, 1)),
            *(layers.Conv2D(4, 3, strides=2) for _ in range(3)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    encoder = activation_levels(classifier)
    assert [shape[1:3] for shape in encoder.output_shape] == [(24, 17), (11, 8), (5, 3)]
    assert mask_decoder(classifier, width=4).output_shape == (None, 24, 17, 2)


@pytest.mark.slow
def test_filters_double_with_every_level_down_to_eight_times():
    classifier = resnet50_classifier((32, 32, 1), weights=None, width=4)
    kernels = [tuple(w.shape) for w in mask_decoder(classifier, 2).weights if w.shape[:2] == (3, 3)]
    # Beside the level's own n filters come those of the level below.
    pairs = [(16, 16), (16, 16), (32, 16), (16, 16), (24, 8), (8, 8), (12, 4), (4, 4), (6, 2), (2, 2)]
    assert kernels == [(3, 3, *pair) for pair in pairs]


def test_the_decoders_file_holds_the_decoder_alone_and_works_with_the_classifiers_file(tmp_path):
    classifier = two_stages()
    decoder = mask_decoder(classifier, width=4)
    classifier.save(tmp_path / "classifier.keras")
    decoder.save(tmp_path / "decoder.keras")
    loaded = keras.saving.load_model(tmp_path / "decoder.keras", safe_mode=True)
    encoder = activation_levels(keras.saving.load_model(tmp_path / "classifier.keras", safe_mode=True))
    expected = decoder(activation_levels(classifier)(images()))
    np.testing.assert_array_equal(loaded(encoder(images())), expected)
    encoders = {tuple(w.shape) for w in classifier.weights if len(w.shape) == 4}
    assert not encoders & {tuple(w.shape) for w in loaded.weights}
