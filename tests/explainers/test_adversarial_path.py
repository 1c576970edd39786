from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support import tiny

from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.generators import AdversarialPair
from tfadvpath.path.gaussian import gaussian_filter
from tfadvpath.path.importance import MAPS, feature_importance


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(tiny.write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny"))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)


@pytest.mark.slow
def test_it_integrates_between_what_the_generator_makes(bundle, images):
    explanation = explainers.get("syce", bundle, batch_size=2, steps=10).explain(images)
    syce = bundle.generators["syce"]
    pair = syce.generate(images)
    expected = feature_importance(bundle.classifier, pair.start, pair.adversary, steps=10)
    for name in MAPS:
        scale = np.abs(getattr(expected, name)).max()
        np.testing.assert_allclose(explanation.maps[name], getattr(expected, name), atol=1e-5 * scale)
    np.testing.assert_allclose(explanation.score, bundle.classifier(images)[:, 0], atol=1e-6)
    np.testing.assert_allclose(
        explanation.score_adversary, bundle.classifier(pair.adversary)[:, 0], atol=1e-6
    )
    np.testing.assert_allclose(explanation.start, pair.start, atol=1e-6)
    assert len(explanation) == 5


@pytest.mark.slow
def test_xla_gives_what_the_graph_gives_from_one_trace(bundle, images):
    """The contract leaves this to the smallest generator: XLA takes long over the others."""
    graph = explainers.get("syce", bundle, batch_size=3, steps=4, jit_compile=False).explain(images)
    compiled = explainers.get("syce", bundle, batch_size=3, steps=4, jit_compile=True)
    xla = compiled.explain(images)
    for name in MAPS:
        np.testing.assert_allclose(xla.maps[name], graph.maps[name], atol=1e-5 * graph.maps[name].max())
    np.testing.assert_allclose(xla.score_adversary, graph.score_adversary, atol=1e-6)
    assert compiled.run_batch.experimental_get_tracing_count() == 1


def test_lengths_are_those_of_the_kernel_for_the_images():
    generator = SimpleNamespace(classifier=lambda x: x[:, 0, 0, 0], generate=lambda x: None)
    by_size = explainers.AdversarialPath(generator).lengths(64, 64)
    assert by_size == {"sigma": pytest.approx(4 / 7), "kernel_size": 8}
    in_pixels = explainers.AdversarialPath(generator, sigma=2.0, kernel_size=28)
    assert in_pixels.lengths(64, 64) == {"sigma": 2.0, "kernel_size": 28}


@pytest.mark.slow
def test_sigma_and_kernel_size_are_those_of_the_smoothed_map(bundle, images):
    given = {"sigma": 1.5, "kernel_size": 7}
    explanation = explainers.get("syce", bundle, steps=2, **given).explain(images)
    expected = gaussian_filter(explanation.maps["fi_v2"], **given)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(explanation.maps["fi_v2_smooth"], expected, atol=1e-5 * scale)


def test_decisions_of_start_and_adversary_are_compared_with_the_images(bundle):
    class Pair:
        classifier = staticmethod(lambda x: tf.reduce_mean(x, axis=(1, 2, 3)))

        def generate(self, x):
            return AdversarialPair(
                x, tf.where(self.classifier(x)[:, None, None, None] < 0.3, 1.0 - x, x), self.classifier(x)
            )

    images = np.stack([np.full((32, 32, 1), value, np.float32) for value in (0.1, 0.4, 0.9)])
    explanation = explainers.AdversarialPath(Pair(), steps=2).explain(images)
    assert explanation.decision.tolist() == [False, False, True]
    assert explanation.crossed.tolist() == [True, False, False]
    assert explanation.kept.tolist() == [True, True, True]


def test_a_classifier_with_a_condition_on_its_values_is_explained():
    class Pair:
        @staticmethod
        def classifier(x):
            if tf.reduce_mean(x) > 0.5:
                return tf.reduce_mean(x, axis=(1, 2, 3))
            return tf.reduce_max(x, axis=(1, 2, 3))

        def generate(self, x):
            return AdversarialPair(x, 1.0 - x, self.classifier(x))

    images = np.full((1, 32, 32, 1), 0.75, np.float32)
    images[0, 0, 0] = 1.0
    assert explainers.AdversarialPath(Pair(), batch_size=1, steps=2).explain(images).score[0] < 0.76
