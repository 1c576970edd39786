"""The figures of a bundle: measurements of trained networks on images, as JSON can hold them.

Figures that cannot be given, such as an AUC where a class is missing, are None. An interval is [low, high] of
95 % by bootstrap over patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfadvpath import metrics
from tfadvpath.bundle.features import with_features
from tfadvpath.bundle.frechet_figures import DIRECTIONS, frechet_figures
from tfadvpath.files import finite
from tfadvpath.generators.base import PairGenerator
from tfadvpath.metrics.sharpness import SSIM_WINDOW, high_frequency_energy, structural_similarity
from tfadvpath.path.gaussian import gaussian_blur

_BATCH = 64
# Figures of a classifier where no label is known.
_UNLABELLED: dict[str, Any] = {
    **dict.fromkeys(("auc", "sensitivity", "specificity", "brier", "expected_calibration_error")),
    **{f"{name}_interval": [None, None] for name in ("auc", "sensitivity", "specificity")},
    "reliability": {"mean_score": [], "positive_share": [], "images": []},
}


def classifier_figures(probability: Any, labels: Any, patients: Any) -> dict[str, Any]:
    """Returns how well a classifier separates the classes, and how far its probability can be believed.

    Args:
        probability: Probabilities of class 1, float [N] in [0, 1].
        labels: Labels of the images, [N], 1 for class 1; all NaN where none is known, and then nothing that
            compares with them is.
        patients: Names of the images' patients, [N].

    Returns:
        "images", "patients" (counts), "positive_share" (the labels'), "auc", "sensitivity", "specificity" (at
        0.5), each of the three with an interval such as "auc_interval", "brier",
        "expected_calibration_error", and "reliability": lists "mean_score", "positive_share" and "images" of
        ten bins.
    """
    figures = part_counts(labels, patients)
    if figures["positive_share"] is None and len(labels):
        return figures | _UNLABELLED
    probability, labels = np.asarray(probability, np.float64), np.asarray(labels) == 1
    for name in ("auc", "sensitivity", "specificity"):
        statistic = getattr(metrics, name)
        figures[name] = finite(statistic(labels, probability))
        figures[f"{name}_interval"] = _interval(statistic, [labels, probability], patients)
    bins = metrics.reliability(labels, probability)
    return figures | {
        "brier": finite(metrics.brier(labels, probability)),
        "expected_calibration_error": finite(metrics.expected_calibration_error(labels, probability)),
        "reliability": {
            "mean_score": [finite(value) for value in bins.mean_score],
            "positive_share": [finite(value) for value in bins.positive_share],
            "images": bins.images.tolist(),
        },
    }


def part_counts(labels: Any, patients: Any) -> dict[str, Any]:
    """Returns how many "images" and "patients" a part of the data has, and its "positive_share".

    Args:
        labels: Labels of the images, [N], 1 for class 1; all NaN where none is known, and the share is None.
        patients: Names of the images' patients, [N].
    """
    labels = np.asarray(labels, np.float64)
    known = labels[~np.isnan(labels)]
    return _counts(patients) | {"positive_share": _mean(known == 1)}


def pair_figures(generator: PairGenerator, images: np.ndarray, patients: Any) -> dict[str, Any]:
    """Returns how well a generator crosses and keeps the classifier's decision, and how real x_a looks to it.

    Args:
        generator: Trained generator.
        images: Images, float32 [N, H, W, C] in [0, 1], or a memory map of them.
        patients: Names of the images' patients, [N].

    Returns:
        "images" and "patients" (counts); "flip_rate", the share of x_a on the other side,
        "adversary_distance", mean |x - x_a|, "adversary_similarity", the mean structural similarity of x and
        x_a, "keep_rate", the share of x_s on the image's side, "stable_distance", mean |x - x_s|, and
        "stable_similarity", each with an interval; similarities are None of images below 11 pixels.
        "undoing": the mean cosine between x - x_a and x_s - x_a, 1 where x_s shows what x_a lacks, with an
        interval, and where there is an x_s "undoing_by_class" as the following.
        "flip_rate_by_class": the flip rate by direction ("zero_to_one", "one_to_zero"), with
        "flip_rate_by_class_interval". "adversary_sharpness" and "stable_sharpness": the median over the
        images of the ratio of their high-frequency energy to that of x, 1 where they are as sharp as x. What
        is said of x_s is None where the path starts at the image itself. "frechet_distance",
        "frechet_floor" and "frechet_images": those of ``frechet_figures``, by the classifier's features.
        Classes are the classifier's decisions. ``pair_verdict`` says what they mean for a reader of the maps.
    """
    network = with_features(generator.classifier)
    made = {"adversary": "adversary", "stable": "start"} if generator.STABLE else {"adversary": "adversary"}

    def measure(x: tf.Tensor) -> dict[str, tf.Tensor]:
        pair = generator.generate(x)
        measured = _crossing(network, x, pair.adversary)
        if generator.STABLE:
            measured["start"] = network(pair.start)[1]
            measured["start_distance"] = _distance(x, pair.start)
        images_made = {f"{name}_image": getattr(pair, field) for name, field in made.items()}
        return measured | images_made

    def compare(x: np.ndarray, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return measured | _compared(x, {name: measured.pop(f"{name}_image") for name in made})

    measured = _over_batches(measure, images, compare)
    figures = _crossing_figures(measured, patients, "adversary_distance")
    for name in ("keep_rate", "stable_distance", "undoing"):
        figures |= {name: None, f"{name}_interval": None}
    if generator.STABLE:
        kept = (measured["start"] >= 0.5) == (measured["before"] >= 0.5)
        figures |= _rate("keep_rate", kept, patients)
        figures |= _rate("stable_distance", measured["start_distance"], patients)
        known = ~np.isnan(measured["undoing"])
        undone, of_patients = measured["undoing"][known], np.asarray(patients)[known]
        figures |= _rate("undoing", undone, of_patients)
        figures |= _by_class("undoing", undone, measured["before"][known] >= 0.5, of_patients)
    for name in ("stable", "adversary"):
        figures |= _detail_figures(name, measured, patients)
    return figures


def image_figures(
    x: np.ndarray, adversaries: np.ndarray, stable: np.ndarray | None, ones: np.ndarray
) -> dict[str, Any]:
    """Returns those figures of ``pair_figures`` that images alone give, without their intervals.

    Args:
        x: Images, float32 [N, H, W, C] in [0, 1].
        adversaries: x_a, float32 [N, H, W, C] in [0, 1].
        stable: x_s, float32 [N, H, W, C] in [0, 1]; None where the path starts at the image itself.
        ones: bool [N], whether the classifier assigns x to class 1.

    Returns:
        "adversary_similarity" (not of images below 11 pixels) and "adversary_sharpness"; where there is an
        x_s, "stable_similarity", "stable_sharpness", "undoing" and "undoing_by_class" as well.
    """
    made = {"adversary": adversaries} if stable is None else {"adversary": adversaries, "stable": stable}
    rows = _compared(x, made)
    figures: dict[str, Any] = {}
    for name, values in rows.items():
        known = values[~np.isnan(values)]
        figures[name] = _median(known) if name.endswith("_sharpness") else _mean(known)
    if stable is not None:
        known = ~np.isnan(rows["undoing"])
        figures["undoing_by_class"] = {
            direction: _mean(rows["undoing"][known & (ones == source)])
            for direction, (source, _) in DIRECTIONS.items()
        }
    return figures


def translation_figures(fixed_point_gan: Any, images: np.ndarray, patients: Any) -> dict[str, Any]:
    """Returns how well the perturbation x_p of the metrics crosses the decision, and how real it looks.

    Args:
        fixed_point_gan: Trained network with ``classifier`` and ``perturb``, images -> x_p.
        images: Images, float32 [N, H, W, C] in [0, 1], or a memory map of them.
        patients: Names of the images' patients, [N].

    Returns:
        "images", "patients", "flip_rate", "flip_rate_by_class", "perturbation_distance" (mean |x - x_p|),
        "frechet_distance", "frechet_floor" and "frechet_images": those of ``pair_figures`` with x_p in place
        of x_a.
    """
    network = with_features(fixed_point_gan.classifier)
    measured = _over_batches(lambda x: _crossing(network, x, fixed_point_gan.perturb(x)), images)
    return _crossing_figures(measured, patients, "perturbation_distance")


def mask_figures(mask_generator: Any, images: np.ndarray, patients: Any) -> dict[str, Any]:
    """Returns how much of an image a mask generator selects, and whether the decision rests on it.

    Args:
        mask_generator: Trained network with ``classifier``, ``blur_sigma`` and ``mask``, images -> M.
        images: Images, float32 [N, H, W, C] in [0, 1], or a memory map of them.
        patients: Names of the images' patients, [N].

    Returns:
        "images", "patients"; "mask_area", mean M; "preserve_rate", the share of images that keep their
        decision where everything but M is blurred; "destroy_rate", the share that lose it where M is
        blurred; each of the three with an interval.
    """
    classifier = mask_generator.classifier

    def measure(x: tf.Tensor) -> dict[str, tf.Tensor]:
        mask = mask_generator.mask(x)
        blurred = gaussian_blur(x, mask_generator.blur_sigma)
        versions = {"image": x, "preserved": x * mask + blurred * (1.0 - mask)}
        versions["destroyed"] = x * (1.0 - mask) + blurred * mask
        decisions = {
            name: tf.reshape(classifier(version, training=False), [-1]) >= 0.5
            for name, version in versions.items()
        }
        return decisions | {"area": tf.reduce_mean(mask, axis=(1, 2, 3))}

    measured = _over_batches(measure, images)
    return (
        _counts(patients)
        | _rate("mask_area", measured["area"], patients)
        | _rate("preserve_rate", measured["preserved"] == measured["image"], patients)
        | _rate("destroy_rate", measured["destroyed"] != measured["image"], patients)
    )


def _crossing(
    network: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]], x: tf.Tensor, changed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Returns, a row an image, probabilities and features before and after a change, and how large it is."""
    real, before = network(x)
    features, after = network(changed)
    distance = _distance(x, changed)
    return {"real": real, "before": before, "features": features, "after": after, "distance": distance}


def _crossing_figures(
    measured: Mapping[str, np.ndarray], patients: Any, distance_name: str
) -> dict[str, Any]:
    decision = measured["before"] >= 0.5
    flipped = (measured["after"] >= 0.5) != decision
    figures = _counts(patients) | _rate("flip_rate", flipped, patients)
    figures |= _by_class("flip_rate", flipped, decision, patients)
    figures |= _rate(distance_name, measured["distance"], patients)
    return figures | frechet_figures(measured["features"], measured["real"], decision, patients)


def _by_class(name: str, values: np.ndarray, decision: np.ndarray, patients: Any) -> dict[str, Any]:
    """Returns the mean of values and its interval by the direction that an image is changed in."""
    figures: dict[str, Any] = {f"{name}_by_class": {}, f"{name}_by_class_interval": {}}
    for direction, (source, _) in DIRECTIONS.items():
        of_class = decision == source
        rate = _rate(f"{name}_by_class", values[of_class], np.asarray(patients)[of_class])
        for key, value in rate.items():
            figures[key][direction] = value
    return figures


def _compared(x: np.ndarray, made: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns how the images of pairs compare with x, a row an image.

    Args:
        x: Images, float32 [N, H, W, C] in [0, 1].
        made: Images that were made of them, of the same form: "adversary", and "stable" where there is one.
    """
    rows = {}
    if "stable" in made:
        rows["undoing"] = metrics.undoing(x, made["stable"], made["adversary"])
    for name, images in made.items():
        rows |= _detail(name, x, images)
    return rows


def _detail(name: str, x: np.ndarray, made: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how much of the detail of x is in images that were made of it: a row an image."""
    energy = high_frequency_energy(x)
    ratio = np.full(len(x), np.nan)  # of an image without detail
    np.divide(high_frequency_energy(made), energy, out=ratio, where=energy > 0)
    detail = {f"{name}_sharpness": ratio}
    if min(x.shape[1:3]) >= SSIM_WINDOW:
        detail[f"{name}_similarity"] = structural_similarity(x, made)
    return detail


def _detail_figures(name: str, measured: Mapping[str, np.ndarray], patients: Any) -> dict[str, Any]:
    similarity, sharpness = f"{name}_similarity", f"{name}_sharpness"
    figures: dict[str, Any] = {similarity: None, f"{similarity}_interval": None, sharpness: None}
    if similarity in measured:
        figures |= _rate(similarity, measured[similarity], patients)
    ratios = measured.get(sharpness, np.zeros(0))
    return figures | {sharpness: _median(ratios[~np.isnan(ratios)])}


def _over_batches(
    measure: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    images: np.ndarray,
    finish: Callable[[np.ndarray, dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
) -> dict[str, np.ndarray]:
    """Compiles a function of a batch, runs it on all images, and joins what it returns, [B, ...] each.

    Args:
        measure: Function of a batch, as graph code.
        images: float32 [N, H, W, C].
        finish: Function of a batch and what ``measure`` returned of it, which returns what is to be joined:
            generated images need not be held all at once.
    """
    compiled = tf.function(measure, input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32)])
    parts = []
    for i in range(0, max(len(images), 1), _BATCH):  # without images, one empty batch gives the shapes
        batch = np.asarray(images[i : i + _BATCH])
        part = {name: tensor.numpy() for name, tensor in compiled(tf.constant(batch)).items()}
        parts.append(finish(batch, part) if finish else part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.abs(a - b), axis=(1, 2, 3))


def _counts(patients: Any) -> dict[str, Any]:
    return {"images": len(patients), "patients": len(set(np.asarray(patients).tolist()))}


def _rate(name: str, values: np.ndarray, patients: Any) -> dict[str, Any]:
    return {name: _mean(values), f"{name}_interval": _interval(np.mean, [values], patients)}


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def _interval(statistic: Callable[..., float], arrays: list[np.ndarray], patients: Any) -> list[float | None]:
    if not len(patients):
        return [None, None]
    interval = metrics.bootstrap_interval(statistic, arrays, np.asarray(patients).tolist())
    return [finite(value) for value in interval]
