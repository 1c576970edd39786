"""Check that bundles were trained on the same images: else one may know the test images of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import Recipe


def check_own_images(bundle: Bundle) -> None:
    """Checks that the images of a bundle's recipe are those that it was trained on.

    Args:
        bundle: Bundle whose test images are to be loaded. One that records no images is taken as it is.

    Raises:
        InputError: The images have changed since, or their folder is missing.
    """
    recipe = bundle.recipe
    recorded = bundle.manifest.get("data")
    if recorded is not None and recorded != recipe.data.fingerprint(recipe.seed):
        raise InputError(
            getattr(recipe.data, "path", recipe.name),
            "holds other images than the bundle was trained on, perhaps in other parts",
            "Prepare them as for the training",
        )


def may_know_test_images(bundle: Bundle, recipe: Recipe, manifest: Mapping[str, Any]) -> bool:
    """Returns whether another bundle was trained on other images, perhaps on the test patients of this one.

    Phantoms of another seed are of other patients. Prepared images are the same for every seed, and their
    test part is nobody's training part. But a fingerprint holds the seed in both cases, so that of the other
    bundle is compared with that of this one's images by the other's seed.

    Args:
        bundle: Bundle whose test images are measured; ``check_own_images`` holds for it.
        recipe: Recipe of the other bundle.
        manifest: Manifest of the other bundle.

    Raises:
        InputError: The folder of prepared images is missing or incomplete.
    """
    data, recorded = bundle.recipe.data, manifest.get("data")
    if recorded == bundle.manifest.get("data"):
        return False
    if data.GENERATED:
        return recipe.data != data
    return recorded != data.fingerprint(recipe.seed)
