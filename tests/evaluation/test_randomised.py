"""The methods with a classifier that has learned nothing."""

import numpy as np
import pytest
from support import tiny
from support.toys import SHAPE, both_classes, brightness_classifier, domains, generator

from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.evaluation.randomised import SamePair, without_learning
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.models.mask_decoder import mask_decoder
from tfadvpath.path.importance import feature_importance
from tfadvpath.path.paths import ManifoldPath


class Negative:
    """The path from an image to its negative."""

    STABLE = False

    def __init__(self, classifier):
        self.classifier = classifier

    def generate(self, images):
        return AdversarialPair(images, 1 - images, self.classifier(images)[:, 0])


def bundle(**generators):
    return Bundle(brightness_classifier(), generators, tiny.RECIPE, {}, {})


def test_a_method_of_the_classifier_alone_gets_one_with_other_weights():
    trained = bundle()
    before = trained.classifier.layers[-1].kernel.numpy()
    other = without_learning(trained, "gradient", 0)
    assert not np.allclose(other.layers[-1].kernel, before)
    same = without_learning(trained, "gradient", 0)
    np.testing.assert_array_equal(other.layers[-1].kernel, same.layers[-1].kernel)
    np.testing.assert_array_equal(trained.classifier.layers[-1].kernel, before)


def test_a_path_stays_where_it_is_and_its_gradient_is_anothers():
    trained = bundle()
    trained.generators["syce"] = Negative(trained.classifier)
    images, _ = domains(3)
    other = without_learning(trained, "syce", 0)
    assert isinstance(other, SamePair)
    pair, before = other.generate(images), trained.generators["syce"].generate(images)
    np.testing.assert_array_equal(pair.start, before.start)
    np.testing.assert_array_equal(pair.adversary, before.adversary)
    assert not np.allclose(pair.probability, before.probability)
    options = {"batch_size": 3, "kernel_size": 5, "sigma": 1.0, "steps": 4}
    maps = explainers.get("syce", other, **options).explain(images.numpy()).maps
    own = explainers.get("syce", trained, **options).explain(images.numpy()).maps
    np.testing.assert_array_equal(maps["difference"], own["difference"])
    assert not np.allclose(maps["fi_v2"], own["fi_v2"])


@pytest.mark.slow
def test_the_network_that_made_a_pair_decodes_its_path_whatever_the_other_classifier_decides():
    classifier = brightness_classifier()
    syce, networks = generator("syce", classifier)
    trained = bundle(syce=syce)
    images = both_classes(2)
    options = {"steps": 4, "kernel_size": 5, "jit_compile": False}
    other = without_learning(trained, "syce", 0)
    # A classifier without learning that calls every image bright.
    other.classifier.layers[-1].set_weights([np.full((SHAPE[0], 1), 1.0), np.array([1.0])])
    found = explainers.get("syce", other, path="manifold", batch_size=4, **options).explain(images.numpy())
    assert found.decision.all()
    decisions = classifier(images).numpy()[:, 0] >= 0.5
    assert decisions.tolist() == [False, True, False, True]
    for k, network in enumerate(networks):
        pair, path = (found.start, found.adversary), ManifoldPath(network)
        expected = feature_importance(other.classifier, *pair, path=path, **options).fi_v2.numpy()
        away = np.abs(found.maps["fi_v2"] - expected).max(axis=(1, 2, 3))
        same = away < 1e-4 * expected.max(axis=(1, 2, 3))
        assert same.tolist() == (decisions == k).tolist()


def test_a_mask_generator_looks_at_the_activations_of_the_random_classifier():
    classifier = tiny.small_classifier((*SHAPE[:2], 1))
    trained = Bundle(classifier, {}, tiny.RECIPE, {}, {})
    trained.generators["mask_generator"] = MaskGenerator(classifier, mask_decoder(classifier, 4))
    other = without_learning(trained, "mask_generator", 0)
    assert other.decoder is trained.generators["mask_generator"].decoder
    assert other.classifier is not classifier


def test_another_seed_draws_other_weights():
    one, other = (without_learning(bundle(), "gradient", seed).layers[-1].kernel for seed in (0, 1))
    assert not np.allclose(one, other)
