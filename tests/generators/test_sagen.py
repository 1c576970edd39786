"""SAGen's own: its loss and its two heads. What all generators share is in test_contract."""

import numpy as np
import pytest
from support import toys
from support.toys import both_classes, cross_entropy, rec, through


@pytest.fixture
def sagen():
    return toys.generator("sagen", toys.brightness_classifier())[0]


def test_loss_matches_numpy(sagen):
    x = both_classes().numpy().astype(np.float64)
    x_s, x_a = np.split(np.clip(through(sagen.network, x), 0, 1), 2, axis=-1)
    y = (through(sagen.classifier, x) >= 0.5).astype(np.float64)
    f_s, f_a = through(sagen.classifier, x_s), through(sagen.classifier, x_a)
    expected = 10 * rec(x, x_s) + 5 * rec(x_s, x_a)
    expected += 0.1 * cross_entropy(y, f_s) + 0.2 * cross_entropy(1 - y, f_a)
    loss, logs = sagen.generator_loss(both_classes(), training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(logs["flip_rate"], np.mean((f_a >= 0.5) != y))
    np.testing.assert_allclose(logs["keep_rate"], np.mean((f_s >= 0.5) == y))
    np.testing.assert_allclose(logs["adversary_distance"], np.mean(np.abs(x - x_a)), rtol=1e-4)
    np.testing.assert_allclose(logs["stable_distance"], np.mean(np.abs(x - x_s)), rtol=1e-4)


def test_both_images_are_clipped_heads_of_the_network(sagen):
    images = both_classes()
    pair = sagen.generate(images)
    heads = np.clip(sagen.network(images, training=False), 0, 1)
    np.testing.assert_allclose(pair.start, heads[..., :1], atol=1e-6)
    np.testing.assert_allclose(pair.adversary, heads[..., 1:], atol=1e-6)
