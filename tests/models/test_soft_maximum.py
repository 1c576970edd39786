import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.models.soft_maximum import SoftMaximum


def values(seed=0, scale=3.0):
    return (scale * np.random.default_rng(seed).normal(size=(2, 5, 4, 3))).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.5, 4.0, 20.0])
def test_it_is_the_closed_form(sharpness):
    z = values().astype(np.float64)
    expected = np.log(np.mean(np.exp(sharpness * z), axis=(1, 2))) / sharpness
    np.testing.assert_allclose(SoftMaximum(sharpness)(values()), expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), sharpness=st.floats(0.01, 50), scale=st.floats(0.1, 1000))
def test_it_lies_between_mean_and_maximum_and_moves_with_its_values(seed, sharpness, scale):
    z = values(seed, scale)
    pooled = SoftMaximum(sharpness)(z).numpy()
    room = 1e-4 * scale
    assert np.all(pooled <= z.max(axis=(1, 2)) + room)
    assert np.all(pooled >= z.mean(axis=(1, 2)) - room - 1e-5 / sharpness)
    np.testing.assert_allclose(SoftMaximum(sharpness)(z + 7.0), pooled + 7.0, rtol=1e-4, atol=room + 1e-3)


def test_its_gradient_is_the_share_of_each_cell():
    z = tf.constant(values())
    with tf.GradientTape() as tape:
        tape.watch(z)
        pooled = SoftMaximum(4.0)(z)
    powers = np.exp(4.0 * z.numpy().astype(np.float64))
    shares = powers / powers.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(tape.gradient(pooled, z), shares, rtol=1e-4, atol=1e-7)


def test_a_saved_one_is_the_same(tmp_path):
    model = keras.Sequential([keras.Input((5, 4, 3)), SoftMaximum(2.5)])
    model.save(tmp_path / "pool.keras")
    loaded = keras.saving.load_model(tmp_path / "pool.keras")
    assert loaded.layers[-1].sharpness == 2.5
    np.testing.assert_array_equal(loaded.predict(values(), verbose=0), model.predict(values(), verbose=0))
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("sharpness", [0, -1.0, float("nan"), float("inf")])
def test_a_sharpness_that_is_none_is_refused(sharpness):
    with pytest.raises(ValueError, match="`sharpness` must be a number above 0"):
        SoftMaximum(sharpness)
