"""The quality of a generator's pairs of images: a map is worth what its pair is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import ndimage

from tfadvpath import metrics
from tfadvpath.bundle.frechet_figures import DIRECTIONS, frechet_figures
from tfadvpath.bundle.networks import scores_of
from tfadvpath.bundle.pair_verdict import PairVerdict, pair_verdict
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation.errors_told import errors_told
from tfadvpath.evaluation.pair_discriminator import feature_scores, network_scores, separation
from tfadvpath.files import finite
from tfadvpath.generators.base import PairGenerator
from tfadvpath.metrics.chequer import SMALLEST_SIDE
from tfadvpath.metrics.sharpness import SSIM_WINDOW
from tfadvpath.path.importance import feature_importance

Arrays = dict[str, np.ndarray]
# Function of images, float32 [B, H, W, C], to x_s and x_a of that shape and to the probabilities of x, x_s
# and x_a, float32 [B].
MakePairs = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
_MARGIN = 0.6  # probability of the target class that is not at the decision's very edge
_COUT_STEPS = 50
_MEANS = {
    "flip_rate": "crossed",
    "flip_rate_with_margin": "crossed_with_margin",
    "target_probability": "target_probability",
    "keep_rate": "kept",
    "transfer_rate": "transferred",
    "adversary_distance": "adversary_l1",
    "adversary_l2": "adversary_l2",
    "adversary_sparsity": "adversary_sparsity",
    "stable_distance": "stable_l1",
    "stable_l2": "stable_l2",
    "stable_sparsity": "stable_sparsity",
    "undoing": "undoing",
    "adversary_similarity": "adversary_similarity",
    "adversary_similarity_outside": "adversary_similarity_outside",
    "stable_similarity": "stable_similarity",
    "cout": "cout",
}
# Of those above, which are told for each decision, too.
_BY_CLASS = {name: _MEANS[name] for name in ("flip_rate", "undoing")}
# Ratios have long tails.
_MEDIANS = {
    "adversary_sharpness": "adversary_sharpness",
    "stable_sharpness": "stable_sharpness",
    "chequer_ratio": "chequer_ratio",
    "completeness_residual": "completeness_residual",
}
_WITH_QUARTILES = ("adversary_sharpness", "stable_sharpness")


@dataclass(frozen=True, eq=False)
class PairQuality:
    """Measurements of a generator's pairs, x_s and x_a made of N images x.

    Attributes:
        arrays: Measurements image by image, [N]. bool: ``crossed`` (x_a has the other decision),
            ``crossed_with_margin`` (its probability of the other class is 0.6 or more), ``kept`` (x_s has the
            same decision). float64, NaN where an image has none: ``score``, ``score_start`` and
            ``score_adversary`` (probabilities of class 1), ``target_probability`` (of the other class, for
            x_a), ``adversary_l1``, ``adversary_l2``, ``adversary_sparsity`` and the three of ``stable_``
            (differences from x), ``adversary_similarity``, ``adversary_similarity_outside`` (beyond the reach
            of the annotated finding) and ``stable_similarity`` (SSIM with x), ``undoing`` (cosine between
            x - x_a and x_s - x_a), ``adversary_sharpness`` and
            ``stable_sharpness`` (high-frequency energy relative to x), ``chequer_ratio`` (of x_a - x),
            ``transferred`` (1 where x_a crosses the second classifier's decision, 0 where not, NaN where both
            classifiers disagree on x), ``cout``, ``completeness_residual`` and ``concentration`` (of the map
            v2 smooth; NaN where they were not measured).
        figures: Figures over all images as JSON can hold them. Names of means and medians have a
            ``_interval`` [low, high] of 95 % by bootstrap over patients. None is what could not be measured.
            Beside those of ``arrays``: "images" and "patients" (counts), "cout_images",
            "completeness_residual_images" and "transfer_rate_images" (counts of those that these three are
            of; the last are those that both classifiers decide alike), "flip_rate_by_class",
            "undoing_by_class", "discriminator_auc" and "encoder_auc" (how well x_a is told from real images
            of the class it crosses to, 0.5 is not at all), "encoder_frechet_distance",
            "encoder_frechet_floor" and "encoder_frechet_images" as ``frechet_figures`` returns them without
            "encoder_", and "errors_told" as the function of this name returns it. ``pair_figures`` has the
            same names for the same things.
    """

    arrays: Mapping[str, np.ndarray]
    figures: Mapping[str, Any]

    @property
    def verdict(self) -> PairVerdict:
        """Verdict on the pairs by these figures."""
        return pair_verdict(self.figures)


def pair_quality(
    generator: PairGenerator,
    images: LabelledImages,
    *,
    second_classifier: keras.Model | None = None,
    encoder: keras.Model | None = None,
    seed: int = 0,
    batch_size: int = 64,
    path_images: int = 128,
    cout_images: int = 128,
    discriminator_steps: int = 200,
    sigma: float | None = None,
    kernel_size: int | None = None,
) -> PairQuality:
    """Measures how far a generator's pairs can be trusted, on images that it was not trained on.

    Classes are the decisions of the explained classifier. All adversaries are held in memory at once.

    Args:
        generator: Trained generator with the classifier that it explains.
        images: Images with masks and patients, N >= 1. Where a mask is empty, all of the image counts as
            outside a finding.
        second_classifier: Keras model of the same images, trained separately for the same task: what crosses
            its decision too is no weakness of one network. None leaves the transfer out.
        encoder: Keras model of the same images, not the explained classifier: [N, H, W, C] -> features
            [N, D], or [N, h, w, D], whose mean over h and w is taken. None leaves out what needs it.
        seed: Seed of the halves, of the folds and of the discriminators' training, not negative.
        batch_size: Number of images on the device at once, positive.
        path_images: Number of images whose path is integrated for the completeness residual, at most; 0
            leaves it out. They are evenly spaced among those of each decision, in proportion.
        cout_images: Number of images whose COUT is measured, at most, chosen in the same way: each is
            classified 51 times. 0 leaves it out.
        discriminator_steps: Number of training steps of each of the six fresh discriminators; 0 leaves them
            out.
        sigma: Standard deviation in pixels of the kernel that smooths v2; None is 2 pixels of 224, in
            proportion to the image's side.
        kernel_size: Number of taps per axis of that kernel; None is twice 7 σ, 28 at 224 pixels.

    Raises:
        ValueError: There is no image, a number is negative, or the encoder returns another shape.
    """
    if not len(images.images):
        raise ValueError("`images` must hold at least one image. Received: none")
    counts = {
        "path_images": path_images,
        "cout_images": cout_images,
        "discriminator_steps": discriminator_steps,
    }
    if batch_size < 1 or min(counts.values()) < 0:
        received = ", ".join(f"{name}={count}" for name, count in counts.items())
        raise ValueError(
            "`batch_size` must be positive, `path_images`, `cout_images` and `discriminator_steps` not "
            f"negative. Received: batch_size={batch_size}, {received}"
        )
    patients = np.asarray(images.patients)
    make = _compiled_pairs(generator, images.images.shape[1:])
    arrays, adversaries = _by_image(make, generator.STABLE, images, batch_size)
    decision = arrays["score"] >= 0.5
    if second_classifier is not None:
        before, after = (scores_of(second_classifier, x) >= 0.5 for x in (images.images, adversaries))
        arrays["transferred"] = np.where(before == decision, (after != before).astype(np.float64), np.nan)
    rows_of = {
        "cout": _spread(decision, cout_images),
        "completeness_residual": _spread(decision, path_images),
    }
    if cout_images:
        rows = rows_of["cout"]
        found = metrics.cout(
            generator.classifier,
            images.images[rows],
            adversaries[rows],
            steps=_COUT_STEPS,
            batch_size=batch_size,
        )
        arrays["cout"] = _placed(found, rows, len(decision))
    if path_images:
        rows = rows_of["completeness_residual"]
        kernel = {"sigma": sigma, "kernel_size": kernel_size}
        of_paths = _of_paths(make, generator.classifier, images.images[rows], batch_size, kernel)
        arrays |= {name: _placed(values, rows, len(decision)) for name, values in of_paths.items()}

    figures: dict[str, Any] = {"images": len(patients), "patients": len(set(patients.tolist()))}
    figures |= {f"{name}_images": len(rows) for name, rows in rows_of.items()}
    figures["transfer_rate_images"] = len(_known(arrays.get("transferred", np.zeros(0))))
    for name, array in _MEANS.items():
        figures |= _with_interval(name, arrays.get(array), patients, np.mean)
    for name, array in _BY_CLASS.items():
        figures |= {f"{name}_by_class": {}, f"{name}_by_class_interval": {}}
        for direction, (source, _) in DIRECTIONS.items():
            of_class = decision == source
            values = arrays[array][of_class] if array in arrays else None
            rate = _with_interval("rate", values, patients[of_class], np.mean)
            figures[f"{name}_by_class"][direction] = rate["rate"]
            figures[f"{name}_by_class_interval"][direction] = rate["rate_interval"]
    for name, array in _MEDIANS.items():
        figures |= _with_interval(name, arrays.get(array), patients, np.median)
    for name in _WITH_QUARTILES:
        known = _known(arrays.get(name, np.zeros(0)))
        figures[f"{name}_quartiles"] = np.quantile(known, [0.25, 0.75]).tolist() if len(known) else None
    figures["errors_told"] = errors_told(arrays, np.asarray(images.labels), patients)
    figures |= _realism(images.images, adversaries, decision, patients, encoder, seed, discriminator_steps)
    return PairQuality(arrays, figures)


def _compiled_pairs(generator: PairGenerator, shape: tuple[int, ...]) -> MakePairs:
    """Compiles a generator for batches of any number of images of a shape (height, width, channels)."""

    def make(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pair = generator.generate(x)
        scores = (generator.classifier(made, training=False) for made in (pair.start, pair.adversary))
        flat = (tf.cast(tf.reshape(score, [-1]), tf.float32) for score in (pair.probability, *scores))
        return pair.start, pair.adversary, *flat

    compiled: MakePairs = tf.function(make, input_signature=[tf.TensorSpec([None, *shape], tf.float32)])
    return compiled


def _by_image(
    make: MakePairs, stable: bool, images: LabelledImages, batch_size: int
) -> tuple[Arrays, np.ndarray]:
    """Returns what is measured of every image, and the adversaries, float32 [N, H, W, C]."""
    shape = images.images.shape[1:]
    parts, adversaries = [], []
    for begin in range(0, len(images.images), batch_size):
        batch = slice(begin, begin + batch_size)
        x = np.asarray(images.images[batch], np.float32)
        start, adversary, *scores = (tensor.numpy() for tensor in make(tf.constant(x)))
        part = _decisions(*(score.astype(np.float64) for score in scores))
        part |= _differences("adversary", x, adversary)
        if stable:
            part |= _differences("stable", x, start)
            part["undoing"] = metrics.undoing(x, start, adversary)
        else:
            del part["kept"]
        if min(shape[:2]) >= SSIM_WINDOW:
            outside = _out_of_reach(np.asarray(images.masks[batch]))
            similarity = metrics.structural_similarity(x, adversary, outside)
            part["adversary_similarity_outside"] = similarity.astype(np.float64)
        if min(shape[:2]) >= SMALLEST_SIDE:
            part["chequer_ratio"] = metrics.chequer_ratio(adversary.astype(np.float64) - x)
        parts.append(part)
        adversaries.append(adversary)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined, np.concatenate(adversaries)


def _decisions(score: np.ndarray, score_start: np.ndarray, score_adversary: np.ndarray) -> Arrays:
    decision = score >= 0.5
    target = np.where(decision, 1 - score_adversary, score_adversary)
    return {
        "score": score,
        "score_start": score_start,
        "score_adversary": score_adversary,
        "crossed": (score_adversary >= 0.5) != decision,
        "crossed_with_margin": target >= _MARGIN,
        "target_probability": target,
        "kept": (score_start >= 0.5) == decision,
    }


def _differences(name: str, x: np.ndarray, made: np.ndarray) -> Arrays:
    energy = metrics.high_frequency_energy(x)
    ratio = np.full(len(x), np.nan)  # of an image without detail
    np.divide(metrics.high_frequency_energy(made), energy, out=ratio, where=energy > 0)
    found = {
        f"{name}_l1": metrics.l1_distance(x, made),
        f"{name}_l2": metrics.l2_distance(x, made),
        f"{name}_sparsity": metrics.sparsity(x, made),
        f"{name}_sharpness": ratio,
    }
    if min(x.shape[1:3]) >= SSIM_WINDOW:
        found[f"{name}_similarity"] = metrics.structural_similarity(x, made).astype(np.float64)
    return found


def _out_of_reach(masks: np.ndarray) -> np.ndarray:
    """Returns the pixels whose window of structural similarity holds no pixel of the mask, bool [N, H, W]."""
    window = np.ones((1, SSIM_WINDOW, SSIM_WINDOW), bool)
    return np.asarray(~ndimage.binary_dilation(masks.astype(bool), window))


def _spread(decision: np.ndarray, count: int) -> np.ndarray:
    """Returns at most so many places in bool [N], evenly spaced among those of each value, in proportion.

    Evenly spaced among all, they could be of one class alone: data sets may hold the classes by turns.
    """
    order = np.argsort(decision, kind="stable")
    chosen = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64)
    return np.sort(order[chosen])


def _placed(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Returns float64 [count] with the values in their rows and NaN elsewhere."""
    placed = np.full(count, np.nan)
    placed[rows] = values
    return placed


def _of_paths(
    make: MakePairs, classifier: Any, images: np.ndarray, batch_size: int, kernel: Mapping[str, Any]
) -> Arrays:
    """Returns what the paths of images float [B, H, W, C] and their maps v2 smooth have, [B], by name."""
    parts: list[Arrays] = []
    for begin in range(0, len(images), batch_size):
        x = tf.constant(np.asarray(images[begin : begin + batch_size], np.float32))
        start, adversary, *_ = make(x)
        found = feature_importance(classifier, start, adversary, **kernel)
        part = {
            "completeness_residual": found.completeness_residual.numpy(),
            "concentration": metrics.concentration(found.fi_v2_smooth),
        }
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _realism(
    images: np.ndarray,
    adversaries: np.ndarray,
    decision: np.ndarray,
    patients: np.ndarray,
    encoder: keras.Model | None,
    seed: int,
    steps: int,
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        name: None for auc in ("discriminator_auc", "encoder_auc") for name in (auc, f"{auc}_interval")
    } | {f"encoder_frechet_{name}": None for name in ("distance", "floor", "images")}
    real_class = decision.astype(np.int64)
    classes = (1 - real_class, real_class)
    if steps:
        held_out = network_scores(images.shape[1:], steps, seed=seed)
        found = separation(adversaries, images, *classes, patients, held_out, seed=seed)
        figures["discriminator_auc"] = finite(found.auc)
        figures["discriminator_auc_interval"] = [finite(bound) for bound in found.interval]
    if encoder is not None:
        made, real = (_features(encoder, x) for x in (adversaries, images))
        found = separation(made, real, *classes, patients, feature_scores, folds=5, seed=seed)
        figures["encoder_auc"] = finite(found.auc)
        figures["encoder_auc_interval"] = [finite(bound) for bound in found.interval]
        found_by_sets = frechet_figures(made, real, decision, patients, seed)
        figures |= {f"encoder_{name}": values for name, values in found_by_sets.items()}
    return figures


def _features(encoder: keras.Model, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Returns an encoder's features, float64 [N, D]."""
    parts = []
    for i in range(0, len(images), batch_size):
        features = np.asarray(encoder.predict_on_batch(np.ascontiguousarray(images[i : i + batch_size])))
        if features.ndim not in (2, 4):
            raise ValueError(f"`encoder` must return [N, D] or [N, h, w, D]. Received: {features.shape}")
        parts.append(features.mean(axis=(1, 2), dtype=np.float64) if features.ndim == 4 else features)
    return np.concatenate(parts).astype(np.float64)


def _with_interval(
    name: str, values: np.ndarray | None, patients: np.ndarray, statistic: Callable[..., Any]
) -> dict[str, Any]:
    """Returns a statistic of the images that have a value, and its interval."""
    defined = np.zeros(len(patients), bool) if values is None else ~np.isnan(values.astype(np.float64))
    if values is None or not defined.any():
        return {name: None, f"{name}_interval": None if values is None else [None, None]}
    known = values[defined].astype(np.float64)
    interval = metrics.bootstrap_interval(statistic, [known], patients[defined].tolist())
    return {name: float(statistic(known)), f"{name}_interval": [finite(bound) for bound in interval]}


def _known(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[~np.isnan(values)])
