"""What pixels are replaced with, by name."""

import numpy as np
import pytest
from support import tiny

from tfadvpath import metrics
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError
from tfadvpath.evaluation.replacement_images import (
    PERTURBATIONS,
    check_perturbation,
    chosen_perturbation,
    perturbed_images,
)

IMAGES = np.random.default_rng(0).random((40, 32, 32, 1)).astype(np.float32)


class Halved:
    def perturb(self, images):
        return images / 2


def bundle(**generators):
    return Bundle(None, generators, tiny.RECIPE, {}, {})


def test_the_generator_makes_every_image_in_batches():
    found = perturbed_images(bundle(fixed_point_gan=Halved()), "fixed_point_gan", IMAGES, 0)
    np.testing.assert_allclose(found, IMAGES / 2)


@pytest.mark.parametrize("name", ["blur", "zero", "noise"])
def test_others_are_the_metrics_own(name):
    found = perturbed_images(bundle(), name, IMAGES, 3)
    np.testing.assert_array_equal(found, metrics.perturbation(name, IMAGES, seed=3))


def test_inpainting_is_a_function_of_what_was_removed():
    assert perturbed_images(bundle(), "inpainting", IMAGES, 0) is metrics.inpaint


def test_a_bundle_without_the_generator_names_the_others():
    advice = r"Train that stage, or let `perturbation` be blur \(or inpainting, noise, zero\)"
    with pytest.raises(InputError, match=rf"bundle tiny has no fixed_point_gan\. {advice}"):
        check_perturbation(bundle(), "fixed_point_gan")
    for name in PERTURBATIONS:
        check_perturbation(bundle(fixed_point_gan=Halved()), name)


def test_the_papers_perturbation_is_taken_where_a_bundle_has_it():
    assert chosen_perturbation(bundle(fixed_point_gan=Halved()), "auto") == "fixed_point_gan"
    assert chosen_perturbation(bundle(), "auto") == "blur"
    assert chosen_perturbation(bundle(fixed_point_gan=Halved()), "noise") == "noise"


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"'magic' is not known\. Choose from fixed_point_gan, blur"):
        check_perturbation(bundle(), "magic")
