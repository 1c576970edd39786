import numpy as np
import pytest
import tensorflow as tf
from support import tiny

from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.path.importance import MAPS, feature_importance


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(tiny.write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny"))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)


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


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batches_of_any_size_give_the_same_maps_from_one_trace(bundle, images, jit_compile):
    one_by_one = explainers.get("syce", bundle, batch_size=1, steps=4, jit_compile=jit_compile)
    batched = explainers.get("syce", bundle, batch_size=3, steps=4, jit_compile=jit_compile)
    a, b = one_by_one.explain(images), batched.explain(images)
    for name in MAPS:
        np.testing.assert_allclose(a.maps[name], b.maps[name], atol=1e-5 * a.maps[name].max())
    assert batched.run_batch.experimental_get_tracing_count() == 1


def test_everything_is_float32(bundle, images):
    explanation = explainers.get("syce", bundle, steps=2).explain(images.astype(np.float64))
    arrays = [*explanation.maps.values(), explanation.images, explanation.start, explanation.score_start]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_decisions_of_start_and_adversary_are_compared_with_the_images(bundle):
    class Pair:
        classifier = staticmethod(lambda x: tf.reduce_mean(x, axis=(1, 2, 3)))

        def generate(self, x):
            from tfadvpath.generators import AdversarialPair

            return AdversarialPair(
                x, tf.where(self.classifier(x)[:, None, None, None] < 0.3, 1.0 - x, x), self.classifier(x)
            )

    images = np.stack([np.full((32, 32, 1), value, np.float32) for value in (0.1, 0.4, 0.9)])
    explanation = explainers.AdversarialPath(Pair(), steps=2).explain(images)
    assert explanation.decision.tolist() == [False, False, True]
    assert explanation.crossed.tolist() == [True, False, False]
    assert explanation.kept.tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((32, 32, 1)), r"must be \[B, H, W, C\]"),
        (np.zeros((0, 32, 32, 1)), "B >= 1"),
        (np.full((1, 32, 32, 1), np.nan), r"must be in \[0, 1\]"),
        (np.full((1, 32, 32, 1), 255.0), "from 255 to 255"),
    ],
)
def test_wrong_images_are_refused(bundle, images, message):
    with pytest.raises(ValueError, match=message):
        explainers.get("syce", bundle).explain(images)


def test_unknown_names_are_answered_with_the_known_ones(bundle):
    with pytest.raises(ValueError, match="syce"):
        explainers.get("sice", bundle)
