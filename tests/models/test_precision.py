import keras
import numpy as np
import pytest

from tfadvpath.models.precision import policy, with_policy
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.models.unet import UNet


def sequential():
    layers = [keras.Input((16, 16, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])


BUILDERS = {
    "sequential": sequential,
    "resnet50": lambda: resnet50_classifier((32, 32, 1), weights=None, width=4),
    "unet": lambda: UNet((16, 16, 1), [4, 8], dropout=0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_a_copy_in_bfloat16_gives_about_the_same_in_float32_and_comes_back_exactly(name):
    keras.utils.set_random_seed(0)
    model = BUILDERS[name]()
    size = 32 if name == "resnet50" else 16
    images = np.random.default_rng(0).random((2, size, size, 1)).astype(np.float32)
    half = with_policy(model, "mixed_bfloat16")
    expected, found = (np.asarray(network(images, training=False)) for network in (model, half))
    assert found.dtype == np.float32
    assert np.any(found != expected)
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())
    back = with_policy(half, "float32")
    np.testing.assert_array_equal(back(images, training=False), expected)
    assert keras.config.dtype_policy().name == "float32"


def test_the_policy_ends_with_its_block_even_by_an_error():
    def fails():
        with policy("mixed_bfloat16"):
            assert keras.layers.Dense(1).compute_dtype == "bfloat16"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert keras.layers.Dense(1).compute_dtype == "float32"
