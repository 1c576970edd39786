"""Our curves are those of Quantus on the same classifier, maps and perturbation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.metrics import aopc_from_curves, perturbation_curves

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "quantus.npz"
TOLERANCE = 1e-5  # its classifier is in float64, ours in float32


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def classifier(golden):
    first, second = (tf.constant(golden[name], tf.float32) for name in ("first", "second"))

    def f(x):
        hidden = tf.tanh(tf.reshape(x, [-1, first.shape[0]]) @ first)
        return tf.sigmoid(tf.linalg.matvec(hidden, second) + float(golden["offset"]))

    return f


def last_channel(images):
    return np.moveaxis(images, 1, 3)


def curves(golden, classifier, order, replacement, steps, region):
    images, perturbed, maps = (last_channel(golden[name]) for name in ("images", "perturbed", "maps"))
    perturbed = perturbed if replacement == "image" else np.zeros_like(images)
    return perturbation_curves(
        classifier, images, maps, perturbed, steps=steps, order=order, region=region, batch_size=100
    )


@pytest.mark.parametrize("replacement", ["image", "black"])
@pytest.mark.parametrize("order", ["most", "least"])
def test_region_perturbation(golden, classifier, order, replacement):
    falls = golden[f"region_perturbation_{order}_{replacement}/output"]
    assert set(golden["predicted"]) == {0, 1}
    ours = curves(golden, classifier, order, replacement, falls.shape[1], int(golden["region"]))
    np.testing.assert_allclose(ours[:, :1] - ours[:, 1:], falls, rtol=0, atol=TOLERANCE)
    # Its list of falls begins with the first region, AOPC with the image.
    expected = falls.mean(axis=0).sum() / (falls.shape[1] + 1)
    assert aopc_from_curves(ours) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("replacement", ["image", "black"])
@pytest.mark.parametrize("order", ["most", "least"])
def test_pixel_flipping(golden, classifier, order, replacement):
    scores = golden[f"pixel_flipping_{order}_{replacement}/output"]
    ours = curves(golden, classifier, order, replacement, scores.shape[1], 1)
    np.testing.assert_allclose(ours[:, 1:], scores, rtol=0, atol=TOLERANCE)
