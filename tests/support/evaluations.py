"""Measurements with known values, and the smallest bundle with every network."""

from __future__ import annotations

import keras
import numpy as np

from support import tiny
from tfadvpath.bundle.bundle import save_bundle
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation.compared_maps import METHODS, compared_maps
from tfadvpath.evaluation.images import EvaluatedImages, choose_images
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.models.mask_decoder import mask_decoder
from tfadvpath.models.translators import translator
from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.models.unet import UNet

OPTIONS = EvaluationOptions(
    images=8, steps=4, region_steps=20, subset=4, samples=2, percentiles=(90.0, 98.0), curve=(80.0, 90.0)
)


def labelled_images(patients=6, size=16, seed=0) -> LabelledImages:
    """Two dark images and two with a bright square, the annotation, of every patient."""
    rng = np.random.default_rng(seed)
    count = 4 * patients
    images = 0.3 * rng.random((count, size, size, 1)).astype(np.float32)
    masks = np.zeros((count, size, size), bool)
    for i in range(0, count, 2):
        row, column = rng.integers(0, size - 5, 2)
        masks[i, row : row + 5, column : column + 5] = True
    images[masks] += 0.6
    labels = np.array([1.0, 0.0] * (count // 2), np.float32)
    return LabelledImages(images, labels, masks, np.repeat([f"patient {i}" for i in range(patients)], 4))


def evaluated(images: LabelledImages | None = None, options: EvaluationOptions = OPTIONS) -> EvaluatedImages:
    """The labelled images, each decided as it is labelled but for the last two."""
    images = images or labelled_images()
    scores = np.where(images.labels == 1, 0.9, 0.1).astype(np.float32)
    scores[-2:] = 1 - scores[-2:]
    return choose_images(images, scores, options, "squares")


def random_arrays(held: EvaluatedImages, options: EvaluationOptions = OPTIONS) -> dict[str, np.ndarray]:
    """What orders drawn at random could have reached: curves that fall evenly to 0.2."""
    count = len(held.relevance)
    pixels = np.tile(np.linspace(0.9, 0.2, options.steps + 1, dtype=np.float32), (count, 1))
    regions = np.tile(np.linspace(0.9, 0.2, options.region_steps + 1, dtype=np.float32), (count, 1))
    return {"pixels": pixels, "regions": regions, "flipped": np.arange(count) % 4 != 0}


def method_arrays(
    method: str, merit: float, held: EvaluatedImages, options: EvaluationOptions = OPTIONS, seed: int = 0
) -> dict[str, np.ndarray]:
    """What ``measure`` could return of a method: better in every figure with more merit, 0 to 1."""
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {"seconds": np.array(0.01)}
    localised, relevance, subset = len(held.localised), len(held.relevance), len(held.subset)
    table = (localised, len(options.percentiles))
    for place, column in enumerate(compared_maps({method: ()})):
        good = merit + 0.02 * place

        def around(shape, good=good):
            return np.clip(good + 0.01 * rng.standard_normal(shape), 0, 1)

        k, r = np.arange(options.steps + 1), np.arange(options.region_steps + 1)
        figures = {
            "iou": around((*table, 2)),
            "fnr": 1 - around((*table, 2)),
            "share": np.full(table, 0.1),
            "curve": around((localised, len(options.curve))),
            "pointing": rng.random(localised) < good,
            "average_precision": around(localised),
            "most": 0.9 * np.exp(-3 * around((relevance, 1)) * k).astype(np.float32),
            "least": 0.9 * around((relevance, len(k))).astype(np.float32),
            "regions": 0.9 * np.exp(-around((relevance, 1)) * r).astype(np.float32),
            "sensitivity": 1 - around((subset, 2)),
            "randomised": np.full(subset, 0.9 if column.map_name == "difference" else 0.2),
            "other_image": np.full(subset, 0.3),
            "same_pixels": around(subset),
        }
        found |= {f"{column.map_name}.{name}": values for name, values in figures.items()}
    if method in ("cyce", "syce", "sagen"):
        found |= {"crossed": rng.random(relevance) < 0.8, "kept": np.ones(relevance, bool)}
    return found


def every_method(held: EvaluatedImages) -> dict[str, dict[str, np.ndarray]]:
    """Measurements of all 14 columns; later ones of the table are better."""
    return {
        method: method_arrays(method, 0.3 + 0.05 * place, held, seed=place)
        for place, method in enumerate(METHODS)
    }


def write_whole_bundle(folder):
    """Writes a bundle with untrained networks for every column."""
    keras.utils.set_random_seed(0)
    shape = (tiny.SIZE, tiny.SIZE, 1)
    layers = keras.layers
    classifier = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    pairs = {
        name: {f"generator_{k}": UNet(shape, [4, 8], dropout=0.0) for k in (0, 1)}
        for name in ("cyce", "syce")
    }
    others = {
        "sagen": {"network": two_headed_unet(shape, [4, 8], "affine", 0.0)},
        "mask_generator": {"decoder": mask_decoder(classifier, 4)},
        "fixed_point_gan": {"translator": translator(shape, 4, 1)},
    }
    save_bundle(folder, classifier, {**pairs, **others}, tiny.EVERY_STAGE, {"test": {}})
    return folder
