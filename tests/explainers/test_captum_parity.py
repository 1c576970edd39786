"""Integrated gradients and GradCAM as Captum gives them, on the same weights in PyTorch."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tfadvpath import explainers

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "captum.npz"
layers = keras.layers


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def classifier(golden):
    """The network of tests/parity/make_captum_golden.py. Keras's "same" would pad a strided one elsewhere."""

    def convolution(name, strides=1):
        kernel, bias = golden[f"{name}/kernel"], golden[f"{name}/bias"]
        layer = layers.Conv2D(kernel.shape[3], kernel.shape[0], strides=strides, name=name)
        layer.build((None, None, None, kernel.shape[2]))
        layer.set_weights([kernel, bias])
        return layer

    def padded(name, x, strides=1):
        return convolution(name, strides)(layers.ZeroPadding2D(1)(x))

    image = keras.Input(golden["images"].shape[1:])
    norm = layers.BatchNormalization(epsilon=1e-3)
    x = layers.ReLU()(norm(padded("stem", image, strides=2)))
    norm.set_weights([golden[f"norm/{name}"] for name in ("gamma", "beta", "mean", "variance")])
    main = padded("keep", layers.ReLU()(padded("down", x, strides=2)))
    last = layers.ReLU(name="last")(layers.Add()([main, convolution("shortcut", strides=2)(x)]))
    probability = layers.Dense(1, activation="sigmoid")
    model = keras.Model(image, probability(layers.GlobalAveragePooling2D()(last)))
    probability.set_weights([golden["head/kernel"][0, 0], golden["head/bias"]])
    return model


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam"])
def test_a_map_is_captums(golden, classifier, method):
    explanation = explainers.get(method, classifier, batch_size=4).explain(golden["images"])
    np.testing.assert_allclose(explanation.score, golden["probability"], rtol=1e-4)
    assert 0 < explanation.decision.sum() < len(explanation)
    for ours, theirs in zip(explanation.maps[method], np.abs(golden[method]), strict=True):
        assert theirs.max() > 0
        # float32 here, float64 there.
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * theirs.max(), rtol=0)
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999999
