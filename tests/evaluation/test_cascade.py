"""Maps of a classifier that forgets its layers one after the other."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfadvpath.evaluation.cascade import SHARES, cascade, shares
from tfadvpath.explainers.base import Explainer

NAMES = ("difference", "fi_v2")
IMAGES = np.random.default_rng(0).uniform(0.1, 0.9, (3, 6, 5, 2)).astype(np.float32)


class Weighted(Explainer):
    """A difference that stays, and a weight that turns round from the share of a half on."""

    def __init__(self, share):
        super().__init__(NAMES, batch_size=2)
        self.turned = share >= 0.5

    def explain_batch(self, images, count):
        difference = tf.where(images > 0.5, images, 0.0)
        weight = 1 / (1 + images) if self.turned else 1 + images
        maps = {"difference": difference, "fi_v2": weight * difference**2}
        return {"maps": maps, "score": tf.reduce_mean(images, axis=(1, 2, 3))}


@pytest.fixture(scope="module")
def measured():
    maps = Weighted(0.0).explain(IMAGES).maps
    progress = []
    found = cascade("syce", Weighted, IMAGES, maps, NAMES, 80.0, progress.append)
    assert sum(progress) == len(IMAGES) * len(SHARES)
    return found


def test_the_weight_alone_is_compared_where_the_images_differ(measured):
    # All pixels but those of no difference are turned round: 1 before a half of the layers, -1 after it.
    expected = np.broadcast_to([1.0, 1.0, -1.0, -1.0, -1.0], (3, 5))
    np.testing.assert_allclose(measured["fi_v2"]["cascade_weight"], expected, atol=1e-6)
    assert "cascade_weight" not in measured["difference"]


def test_maps_are_compared_whole(measured):
    np.testing.assert_allclose(measured["difference"]["cascade"], 1.0, atol=1e-12)
    own, other = (Weighted(share).explain(IMAGES).maps["fi_v2"].sum(axis=3) for share in (0.0, 1.0))
    for i in range(len(IMAGES)):
        expected = stats.spearmanr(own[i].ravel(), other[i].ravel()).statistic
        assert measured["fi_v2"]["cascade"][i, -1, 0] == pytest.approx(expected)
        first, second = (set(np.argsort(-one[i].ravel())[:6].tolist()) for one in (own, other))
        same = len(first & second) / len(first | second)
        assert measured["fi_v2"]["cascade"][i, -1, 1] == pytest.approx(same)


def test_pixels_without_difference_have_no_weight():
    dark = np.full((1, 4, 4, 1), 0.2, np.float32)
    found = cascade("syce", Weighted, dark, Weighted(0.0).explain(dark).maps, NAMES, 80.0)
    assert np.isnan(found["fi_v2"]["cascade_weight"]).all()


def test_a_costly_method_is_measured_at_the_last_step_alone():
    assert shares("gradient") == SHARES
    assert shares("mask_perturbation") == (1.0,)
