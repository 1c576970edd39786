import itertools

import keras
import numpy as np
import pytest

from tfadvpath.models.instance_normalization import InstanceNormalization
from tfadvpath.models.translators import class_discriminator, translator


def images(size=16, channels=1, count=2):
    values = np.random.default_rng(0).uniform(-1, 1, (count, size, size, channels))
    return values.astype(np.float32)


def kernels(model):
    return [tuple(w.shape) for w in model.weights if len(w.shape) == 4]


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3), (224, 1)])
def test_a_change_of_the_images_shape_comes_out(size, channels):
    network = translator((size, size, channels), width=2, residual_blocks=1)
    change = network([images(size, channels, 1), np.ones((1, 1), np.float32)])
    assert change.shape == (1, size, size, channels)


def test_the_published_translator_has_the_published_layers():
    expected = [(7, 7, 2, 64), (4, 4, 64, 128), (4, 4, 128, 256)] + [(3, 3, 256, 256)] * 12
    expected += [(4, 4, 128, 256), (4, 4, 64, 128), (7, 7, 64, 1)]  # transposed kernels: out before in
    network = translator((224, 224, 1))
    assert kernels(network) == expected
    assert len([layer for layer in network.layers if isinstance(layer, InstanceNormalization)]) == 17


def test_the_target_changes_the_answer():
    network = translator((16, 16, 1), width=4, residual_blocks=1)
    zero, one = (network([images(), np.full((2, 1), c, np.float32)]) for c in (0, 1))
    assert np.abs(zero - one).max() > 1e-3


def test_each_image_has_its_own_target():
    network = translator((16, 16, 1), width=4, residual_blocks=1)
    together = network([images(), np.array([[0.0], [1.0]], np.float32)])
    for i in (0, 1):
        alone = network([images()[i : i + 1], np.full((1, 1), i, np.float32)])
        np.testing.assert_allclose(together[i], alone[0], atol=1e-5)


def test_change_is_not_bounded():
    network = translator((16, 16, 1), width=4, residual_blocks=1)
    kernel = network.get_layer("change").kernel
    kernel.assign(100 * kernel)
    assert np.abs(network([images(), np.ones((2, 1), np.float32)])).max() > 2


def test_instance_normalization_is_per_image_and_channel():
    layer = InstanceNormalization()
    x = np.random.default_rng(1).normal(3, 2, (2, 5, 4, 3)).astype(np.float32)
    layer.build(x.shape)
    layer.scale.assign([1.0, 2.0, 3.0])
    layer.offset.assign([0.0, -1.0, 4.0])
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=(1, 2), keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(x), expected * [1, 2, 3] + [0, -1, 4], atol=1e-5)


def test_the_critic_has_the_published_layers_and_scales_with_its_width():
    widths = [1, 2, 4, 8, 16, 32, 64]  # published: 64 … 2048
    expected = [(4, 4, a, b) for a, b in itertools.pairwise(widths)]
    heads = [(4, 4, 64, 1), (3, 3, 64, 1)]  # class, scores
    assert kernels(class_discriminator((224, 224, 1), width=2)) == expected + heads


@pytest.mark.parametrize(("size", "levels", "patches"), [(64, 6, 1), (64, 3, 8), (32, 2, 8)])
def test_critic_scores_patches_and_tells_one_class(size, levels, patches):
    scores, logit = class_discriminator((size, size, 1), width=2, levels=levels)(images(size))
    assert scores.shape == (2, patches, patches, 1)
    assert logit.shape == (2, 1)


@pytest.mark.parametrize(
    "network",
    [
        lambda: translator((16, 16, 1), width=4, residual_blocks=1),
        lambda: class_discriminator((16, 16, 1), width=4, levels=2),
    ],
)
def test_saved_and_loaded_in_safe_mode_it_answers_the_same(network, tmp_path):
    model = network()
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    inputs = [images(), np.ones((2, 1), np.float32)][: len(model.inputs)]
    arguments = inputs if len(inputs) > 1 else inputs[0]
    for a, b in zip(keras.tree.flatten(model(arguments)), keras.tree.flatten(loaded(arguments)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_wrong_arguments_get_the_rule():
    with pytest.raises(ValueError, match="multiples of 4"):
        translator((30, 32, 1))
    with pytest.raises(ValueError, match=r"2 \*\* levels"):
        class_discriminator((32, 32, 1), levels=6)
