"""Time for AOPC and feature relevance: ours against Quantus and against the bare forward pass.

    pip install quantus==0.6.0
    python benchmarks/evaluation_speed.py [--images 100] [--steps 100] [--size 224] [--widths 64 4]

ResNet50V2, the same images, maps and black perturbation for both. AOPC replaces one square of 8 x 8 pixels a
step; relevance replaces all pixels in equal steps, the most and the least important first. Quantus asks that
the steps divide the number of pixels, so the nearest such number is taken: 98 for 100 at 224 pixels. It
answers by RegionPerturbation and, with the map and its negative, PixelFlipping, in batches of images as large
as ours, without normalising maps. Everything runs once, with few steps, before it is timed; then both and the
forward pass alone, compiled and in batches of that size, alternate. A narrow network (--widths) costs little,
as one on an accelerator does, and shows what the metrics themselves cost. Two cores take an hour for the
whole ResNet50V2 at full size and --repeats 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
import warnings

import keras
import numpy as np
import quantus
import results
import tensorflow as tf

from tfadvpath.metrics import aopc_from_curves, feature_relevance, perturbation_curves, relevance_from_curves
from tfadvpath.models import resnet50_classifier

REGION = 8


def relevance_steps(pixels: int, steps: int) -> int:
    return min((n for n in range(1, pixels + 1) if pixels % n == 0), key=lambda n: abs(n - steps))


def with_both_classes(classifier: keras.Model) -> keras.Model:
    """Quantus reads a column by the class: 1 - f and f, by a linear layer, which it leaves as it is."""
    both = keras.layers.Dense(2, name="both_classes")
    model = keras.Model(classifier.input, both(classifier.output))
    both.set_weights([np.array([[-1, 1]], np.float32), np.array([1, 0], np.float32)])
    return model


def ours(classifier, images, maps, steps, batch_size):
    black = np.zeros_like(images)
    squares = math.ceil(images.shape[1] / REGION) ** 2
    curves = perturbation_curves(
        classifier,
        images,
        maps,
        black,
        steps=steps,
        region=REGION,
        share=steps / squares,
        batch_size=batch_size,
    )
    steps = relevance_steps(images[0].size, steps)
    relevance = feature_relevance(classifier, images, maps, black, steps=steps, batch_size=batch_size)
    return aopc_from_curves(curves), relevance.all


def quantus_answer(model, images, maps, classes, steps, batch_size):
    quiet = {"normalise": False, "disable_warnings": True, "perturb_baseline": 0.0}
    call = {
        "model": model,
        "x_batch": images,
        "y_batch": classes,
        "channel_first": False,
        "softmax": False,
        "batch_size": batch_size,
        "model_predict_kwargs": {"batch_size": batch_size},
    }
    maps = np.moveaxis(maps, 3, 1)  # as Quantus holds the images
    squares = quantus.RegionPerturbation(patch_size=REGION, regions_evaluation=steps, **quiet)
    falls = np.array(squares(a_batch=maps, **call))
    pixels = images[0].size
    flipping = quantus.PixelFlipping(features_in_step=pixels // relevance_steps(pixels, steps), **quiet)
    first = (model.predict(images, verbose=0))[np.arange(len(images)), classes][:, np.newaxis]
    most, least = (np.hstack([first, flipping(a_batch=sign * maps, **call)]) for sign in (1, -1))
    return float(falls.mean(axis=0).sum() / (steps + 1)), relevance_from_curves(most, least)


def measured(width: int, options: argparse.Namespace) -> dict:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    shape = (options.size, options.size, 1)
    classifier = resnet50_classifier(shape, weights=None, width=width)
    model = with_both_classes(classifier)
    images = rng.random((options.images, *shape), np.float32)
    maps = rng.random((options.images, *shape), np.float32) - 0.5  # Quantus wants some values above 0
    classes = model.predict(images, verbose=0).argmax(axis=1)
    batches = [images[np.arange(i, i + options.batch_size) % len(images)] for i in range(options.batches)]
    forward = tf.function(lambda x: classifier(x, training=False))

    def bare(steps):
        return [forward(batch) for batch in batches][-1].numpy()

    variants = {
        "ours": lambda steps: ours(classifier, images, maps, steps, options.batch_size),
        "quantus": lambda steps: quantus_answer(model, images, maps, classes, steps, options.batch_size),
        "bare": bare,
    }
    for run in variants.values():
        run(2)
    answers = {}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.repeats):
        for name, run in variants.items():
            begin = time.perf_counter()
            answers[name] = run(options.steps)
            seconds[name].append(time.perf_counter() - begin)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    # 1 + steps for AOPC; each end once and what lies between in both orders for R.
    passes = options.images * (1 + options.steps + 2 * relevance_steps(images[0].size, options.steps))
    per_pass = {name: median[name] / passes for name in ("ours", "quantus")}
    per_pass["bare"] = median["bare"] / (options.batches * options.batch_size)
    return {
        "seconds": {name: round(median[name], 2) for name in ("ours", "quantus")},
        "milliseconds_per_forward_pass": {name: round(1000 * value, 2) for name, value in per_pass.items()},
        "quantus_to_ours": round(median["quantus"] / median["ours"], 2),
        "ours_to_bare": round(per_pass["ours"] / per_pass["bare"], 3),
        "quantus_to_bare": round(per_pass["quantus"] / per_pass["bare"], 3),
        "largest_difference": float(np.max(np.abs(np.subtract(answers["ours"], answers["quantus"])))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 4])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=10, help="of the bare forward pass")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    figures = {**vars(options), "device": "GPU" if tf.config.list_physical_devices("GPU") else "CPU"}
    figures["by_width"] = {str(width): measured(width, options) for width in options.widths}
    results.write("evaluation_speed", figures)


if __name__ == "__main__":
    main()
