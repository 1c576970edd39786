"""Test images of a bundle's recipe, and which of them each metric takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.errors import InputError
from tfadvpath.evaluation.options import EvaluationOptions


@dataclass(frozen=True, eq=False)
class EvaluatedImages:
    """Test images with the classifier's answers, and which of them take part in what.

    Attributes:
        images: Images, labels, masks and patients, N of each.
        scores: float32 [N], f(x).
        localised: int64 [M], places of those of class 1 whose finding is annotated, in their order.
        without_mask: Number of images of class 1 without annotation.
        relevance: int64 [R], places of those whose pixels are replaced, as many of each class, in order.
        subset: int64 [K], places in ``relevance`` of those that are taken for what is costly, as many of each
            class.
    """

    images: LabelledImages
    scores: np.ndarray
    localised: np.ndarray
    without_mask: int
    relevance: np.ndarray
    subset: np.ndarray

    @property
    def decisions(self) -> np.ndarray:
        """bool [N]: the image is predicted class 1."""
        return self.scores >= 0.5

    @property
    def explained(self) -> np.ndarray:
        """int64 [U]: places of the images that maps are needed of, in their order."""
        return np.union1d(self.localised, self.relevance)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns which images these are, and which take part in what: fields by name, without images."""
        images = self.images
        return {
            "patients": np.asarray(images.patients, np.str_),
            "labels": np.asarray(images.labels),
            "scores": self.scores,
            "localised": self.localised,
            "relevance": self.relevance,
            "subset": self.subset,
        }


def load_evaluated_images(bundle: Bundle, options: EvaluationOptions) -> EvaluatedImages:
    """Loads the test images of a bundle's recipe and draws those that each metric takes.

    Args:
        bundle: Bundle whose test images are loaded, and whose classifier answers.
        options: Options of the measurement: how many images, and the seed.

    Raises:
        InputError: The images cannot be loaded, are others than those of the training, or one of the classes
            is missing among them.
    """
    recipe = bundle.recipe
    recorded = bundle.manifest.get("data")
    if recorded is not None and recorded != recipe.data.fingerprint(recipe.seed):
        raise InputError(
            getattr(recipe.data, "path", recipe.name),
            "holds other images than the bundle was trained on, perhaps in other parts",
            "Prepare them as for the training",
        )
    images = recipe.data.load("test", recipe.seed)
    return choose_images(images, scores_of(bundle.classifier, images.images), options, recipe.name)


def choose_images(
    images: LabelledImages, scores: np.ndarray, options: EvaluationOptions, name: str
) -> EvaluatedImages:
    """Draws the images that each metric takes.

    Args:
        images: All test images.
        scores: float [N], f(x).
        options: Options of the measurement: how many images, and the seed.
        name: Name of the data, for the message.

    Raises:
        InputError: One of the classes is missing.
    """
    positive = np.asarray(images.labels) == 1
    if positive.all() or not positive.any():
        raise InputError(
            name,
            f"all test images are of class {int(positive.any())}",
            "Evaluate on data with test images of both classes",
        )
    annotated = positive & np.asarray(images.masks).any(axis=(1, 2))
    relevance = balanced(positive, options.images, options.seed)
    return EvaluatedImages(
        images=images,
        scores=np.asarray(scores),
        localised=np.flatnonzero(annotated),
        without_mask=int((positive & ~annotated).sum()),
        relevance=relevance,
        subset=balanced(positive[relevance], options.subset, options.seed),
    )


def balanced(positive: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draws images, as many of each class, without replacement.

    Args:
        positive: bool [N], whether an image is of class 1.
        count: Largest number of images; half of them, rounded down, are of each class, fewer where one has
            fewer.
        seed: Seed of the draw, not negative.

    Returns:
        int64, places of the images in ascending order.
    """
    generator = np.random.default_rng(seed)
    classes = [generator.permutation(np.flatnonzero(positive == one)) for one in (False, True)]
    each = min(count // 2, *map(len, classes))
    return np.sort(np.concatenate([rows[:each] for rows in classes]))
