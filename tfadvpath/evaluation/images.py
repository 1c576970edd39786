"""Test images of a bundle's recipe, and which of them each metric takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.networks import scores_of
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.datasets.splits import read_list
from tfadvpath.errors import InputError, quoted
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.same_images import check_own_images


@dataclass(frozen=True, eq=False)
class EvaluatedImages:
    """Test images with the classifier's answers, and which of them take part in what.

    Attributes:
        images: Images, labels, masks and patients, N of each.
        scores: float32 [N], f(x).
        localised: int64 [M], places of those of class 1 whose finding is annotated, in their order.
        without_mask: Number of images of class 1 without annotation.
        relevance: int64 [R], places of those whose pixels are replaced, in order: as many of each class,
            or those of a list.
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


def load_evaluated_images(
    bundle: Bundle, options: EvaluationOptions, listed: Path | None = None
) -> EvaluatedImages:
    """Loads the test images of a bundle's recipe and draws those that each metric takes.

    Args:
        bundle: Bundle whose test images are loaded, and whose classifier answers.
        options: Options of the measurement: how many images, and the seed.
        listed: List of images as ``datasets.splits`` reads it, whose test images are those of AOPC and R;
            None draws them.

    Raises:
        InputError: The images cannot be loaded, are others than those of the training, or one of the classes
            is missing among them; the list is none, or names images that are no test images.
    """
    recipe = bundle.recipe
    check_own_images(bundle)
    images = recipe.data.load("test", recipe.seed)
    rows = None if listed is None else _rows_of(listed, images.cases)
    return choose_images(images, scores_of(bundle.classifier, images.images), options, recipe.name, rows)


def _rows_of(listed: Path, cases: np.ndarray) -> np.ndarray:
    """Returns the places, int64, of the images that a list names as test images."""
    places = {name: place for place, name in enumerate(np.asarray(cases).tolist())}
    rows, missing = [], []
    for case, index in read_list(listed)["test"]:
        # A single image has the index 0 in lists, and none in its name.
        place = places.get(f"{case}:{index}", places.get(case) if index == 0 else None)
        if place is None:
            missing.append(f"{case}, {index}")
        else:
            rows.append(place)
    if missing:
        raise InputError(
            listed,
            f"names {len(missing)} images that are no test images of the data, such as {quoted(missing[0])}",
            "Prepare the data by a split that has them in its test part, or leave them out",
        )
    return np.unique(np.array(rows, np.int64))


def choose_images(
    images: LabelledImages,
    scores: np.ndarray,
    options: EvaluationOptions,
    name: str,
    listed: np.ndarray | None = None,
) -> EvaluatedImages:
    """Draws the images that each metric takes.

    Args:
        images: All test images.
        scores: float [N], f(x).
        options: Options of the measurement: how many images, and the seed.
        name: Name of the data, for the message.
        listed: int64, places of the images whose pixels are replaced, in ascending order; None draws as many
            of each class.

    Raises:
        InputError: One of the classes is missing, among all images or among those that are listed.
    """
    positive = np.asarray(images.labels) == 1
    if positive.all() or not positive.any():
        raise InputError(
            name,
            f"all test images are of class {int(positive.any())}",
            "Evaluate on data with test images of both classes",
        )
    annotated = positive & np.asarray(images.masks).any(axis=(1, 2))
    relevance = balanced(positive, options.images, options.seed) if listed is None else listed
    if listed is not None and (positive[listed].all() or not positive[listed].any()):
        raise InputError(
            "`listed`",
            f"the list has {len(listed)} test images, and none of one of the classes",
            "List images of both classes",
        )
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
