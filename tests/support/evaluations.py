"""Measurements with known values, and the smallest bundle with every network."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

import tfadvpath
from support import tiny
from tfadvpath.bundle.bundle import Bundle, save_bundle
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation.cascade import shares
from tfadvpath.evaluation.compared_maps import METHODS, compared_maps
from tfadvpath.evaluation.evaluate import Event
from tfadvpath.evaluation.images import EvaluatedImages, choose_images
from tfadvpath.evaluation.measure import MeasuredMethod, RandomOrders
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.models.mask_decoder import mask_decoder
from tfadvpath.models.translators import translator
from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.models.unet import UNet

OPTIONS = EvaluationOptions(
    images=8,
    steps=4,
    region_steps=20,
    region=8,
    subset=4,
    samples=2,
    percentiles=(90.0, 98.0),
    curve=(80.0, 90.0),
)


class Run:
    """A call of ``tfadvpath.evaluate``: its folder, its summary, and what its listener heard."""

    def __init__(self, bundle: Bundle | Path, out: Path, options: EvaluationOptions, **given):
        self.out = out
        self.heard: list[Event] = []
        given = {"pairs": False, "segmentation": False, **given}  # both take long
        self.summary = tfadvpath.evaluate(bundle, out, options, self.heard.append, **given)

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.heard if event.line is not None]

    @property
    def report(self) -> dict:
        return json.loads((self.out / "report.json").read_text(encoding="utf-8"))


def labelled_images(patients=6, size=16, seed=0) -> LabelledImages:
    """Two dark images and two with a bright square, the annotation, of every patient."""
    generator = np.random.default_rng(seed)
    count = 4 * patients
    images = 0.3 * generator.random((count, size, size, 1)).astype(np.float32)
    masks = np.zeros((count, size, size), bool)
    for i in range(0, count, 2):
        row, column = generator.integers(0, size - 5, 2)
        masks[i, row : row + 5, column : column + 5] = True
    images[masks] += 0.6
    labels = np.array([1.0, 0.0] * (count // 2), np.float32)
    return LabelledImages(images, labels, masks, np.repeat([f"patient {i}" for i in range(patients)], 4))


def without_annotation(**options) -> LabelledImages:
    """``labelled_images`` with empty masks."""
    images = labelled_images(**options)
    images.masks[:] = False
    return images


def evaluated_images(
    images: LabelledImages | None = None, options: EvaluationOptions = OPTIONS
) -> EvaluatedImages:
    """The labelled images, each decided as it is labelled but for the last two."""
    images = images or labelled_images()
    scores = np.where(images.labels == 1, 0.9, 0.1).astype(np.float32)
    scores[-2:] = 1 - scores[-2:]
    return choose_images(images, scores, options, "squares")


def random_orders(evaluated: EvaluatedImages, options: EvaluationOptions = OPTIONS) -> RandomOrders:
    """What orders drawn at random could have reached: curves that fall evenly to 0.2."""
    count = len(evaluated.relevance)
    pixels = np.tile(np.linspace(0.9, 0.2, options.steps + 1, dtype=np.float32), (count, 1))
    regions = np.tile(np.linspace(0.9, 0.2, options.region_steps + 1, dtype=np.float32), (count, 1))
    return RandomOrders(pixels, regions, np.arange(count) % 4 != 0)


def measured_method(
    method: str, merit: float, evaluated: EvaluatedImages, options: EvaluationOptions = OPTIONS, seed: int = 0
) -> MeasuredMethod:
    """What ``measure`` could return of a method: better in every number with more merit, 0 to 1."""
    generator = np.random.default_rng(seed)
    localised, relevance, subset = map(len, (evaluated.localised, evaluated.relevance, evaluated.subset))
    table = (localised, len(options.percentiles))
    k, r = np.arange(options.steps + 1), np.arange(options.region_steps + 1)
    maps = {}
    for place, compared in enumerate(compared_maps({method: ()})):
        good = merit + 0.02 * place

        def around(shape, good=good):
            return np.clip(good + 0.01 * generator.standard_normal(shape), 0, 1)

        maps[compared.map_name] = {
            "iou": around((*table, 2)),
            "fnr": 1 - around((*table, 2)),
            "share": np.full(table, 0.1),
            "curve": around((localised, len(options.curve))),
            "pointing": generator.random(localised) < good,
            "average_precision": around(localised),
            "short_cuts": np.full((relevance, 3), 0.2),
            "most": 0.9 * np.exp(-3 * around((relevance, 1)) * k).astype(np.float32),
            "least": 0.9 * around((relevance, len(k))).astype(np.float32),
            "regions": 0.9 * np.exp(-around((relevance, 1)) * r).astype(np.float32),
            "sensitivity": 1 - around((subset, 2)),
            "randomised": np.full(subset, 0.9 if compared.map_name == "difference" else 0.2),
            "other_image": np.full(subset, 0.3),
            "same_pixels": around(subset),
            "cascade": around((subset, len(shares(method)), 2)),
        }
        if compared.map_name in ("fi_v1", "fi_v2"):
            maps[compared.map_name]["cascade_weight"] = around((subset, len(shares(method))))
    rates = {}
    if method in ("cyce", "syce", "sagen"):
        rates = {"crossed": generator.random(relevance) < 0.8, "kept": np.ones(relevance, bool)}
    return MeasuredMethod(maps, 0.01, rates)


def every_method(evaluated: EvaluatedImages) -> dict[str, MeasuredMethod]:
    """Measurements of all 14 maps; later ones of the table are better."""
    return {
        method: measured_method(method, 0.3 + 0.05 * place, evaluated, seed=place)
        for place, method in enumerate(METHODS)
    }


def bright_square_classifier(size=16) -> keras.Model:
    """A classifier that is right on all ``labelled_images``: by the brightest 5 x 5 pixels."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Conv2D(1, 5, kernel_initializer=keras.initializers.Constant(1 / 25)),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.layers[-1].set_weights([np.array([[20.0]]), np.array([-10.0])])
    return model


def write_whole_bundle(folder):
    """Writes a bundle with untrained networks for every map of the paper."""
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
