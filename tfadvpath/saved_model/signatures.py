"""Signatures of an exported explainer: functions of a batch of any size, with named inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.path.classifier import Probability
from tfadvpath.path.integral import pad_images
from tfadvpath.saved_model.decoding import decode_images

Outputs = Mapping[str, tf.Tensor]
Signature = tuple[Callable[[tf.Tensor], Outputs], tf.TensorSpec]

PREDICT, EXPLAIN, EXPLAIN_BYTES = "predict", "serving_default", "explain_bytes"
EXPLAIN_XLA = "explain_xla"
FILES = NO_FILES, PNG, PNG_AND_JPEG = "none", "png", "png+jpeg"
# Of a file for explain_bytes, unless an export says otherwise. Decoding takes 60 bytes a pixel: 1 GB.
MAX_FILE_PIXELS = 2**24
# Pixels that pass through classifier and generators at once: 16 images of 224x224.
_GROUP_PIXELS = 16 * 224 * 224


def make_signatures(
    explainer: AdversarialPath,
    map_name: str,
    image_shape: tuple[int, int, int],
    xla: bool,
    files: str = PNG,
    max_pixels: int = MAX_FILE_PIXELS,
) -> dict[str, Signature]:
    """Returns the signatures' functions and their inputs, by name.

    ``predict``: images -> probability. ``serving_default``: images -> the map and all that it is judged by.
    ``explain_bytes``: the same of PNG files, which are decoded, scaled and resized as
    ``tfadvpath.read_study`` does; of JPEG files only where asked for, since the graph cannot tell a damaged
    one (``decoding.decode_images``). ``explain_xla``: ``serving_default`` compiled by XLA; only where asked
    for, since TensorFlow Serving refuses it unless it was started to allow XLA.

    Every input and output has the images on its first axis: TensorFlow Serving joins and cuts batches there.
    Images go through in groups, so that memory does not grow with the batch. An image with a value that is
    not finite or outside [0, 1], and a file that is no grey image or too large, gets NaN everywhere: other
    requests may be in the same batch, which an error would fail too.

    Args:
        explainer: Explainer that makes the start, the adversary and the maps.
        map_name: Name of the map to return.
        image_shape: Height, width and channels of the networks' images.
        xla: Whether to add ``explain_xla``.
        files: Files that ``explain_bytes`` takes: one of ``FILES``. None of them leaves it out.
        max_pixels: Largest number of pixels of a file.
    """
    height, width, _ = image_shape
    group = max(1, _GROUP_PIXELS // (height * width))

    image_spec = tf.TensorSpec([None, *image_shape], tf.float32, name="images")

    @tf.function(input_signature=[image_spec], autograph=False)  # traced once for all signatures
    def explain(images: tf.Tensor) -> Outputs:
        def one_group(part: tf.Tensor, count: tf.Tensor) -> Outputs:
            return _explained(explainer, map_name, part, count)

        return _in_groups(one_group, _explained_spec(image_shape), images, group)

    def predict(images: tf.Tensor) -> Outputs:
        def one_group(part: tf.Tensor, count: tf.Tensor) -> Outputs:
            return _predicted(explainer.probability, part)

        return _in_groups(one_group, {"probability": tf.TensorSpec([None])}, images, group)

    def explain_bytes(contents: tf.Tensor) -> Outputs:
        images = decode_images(contents, (height, width), jpeg=files == PNG_AND_JPEG, max_pixels=max_pixels)
        return {"image": images, **explain(images)}

    signatures: dict[str, Signature] = {
        PREDICT: (predict, image_spec),
        EXPLAIN: (explain, image_spec),
    }
    if files != NO_FILES:
        signatures[EXPLAIN_BYTES] = (explain_bytes, tf.TensorSpec([None], tf.string, name="image_bytes"))
    if xla:
        signatures[EXPLAIN_XLA] = (tf.function(explain, jit_compile=True, autograph=False), image_spec)
    return signatures


def _explained(explainer: AdversarialPath, map_name: str, images: tf.Tensor, count: tf.Tensor) -> Outputs:
    valid, images = _checked(images)
    fields = explainer.explain_batch(images, count)
    score, score_adversary = fields["score"], fields["score_adversary"]
    outputs = {
        "map": fields["maps"][map_name],
        "start": fields["start"],
        "adversary": fields["adversary"],
        "probability": score,
        "probability_start": fields["score_start"],
        "probability_adversary": score_adversary,
        "completeness_residual": fields["completeness_residual"],
    }
    outputs = {name: _where_valid(valid, values) for name, values in outputs.items()}
    return {**outputs, "flipped": valid & ((score >= 0.5) != (score_adversary >= 0.5))}


def _predicted(probability: Probability, images: tf.Tensor) -> Outputs:
    valid, images = _checked(images)
    return {"probability": _where_valid(valid, tf.cast(probability(images), tf.float32))}


def _explained_spec(image_shape: tuple[int, int, int]) -> dict[str, tf.TensorSpec]:
    images = dict.fromkeys(("map", "start", "adversary"), tf.TensorSpec([None, *image_shape]))
    names = ("probability", "probability_start", "probability_adversary", "completeness_residual")
    numbers = dict.fromkeys(names, tf.TensorSpec([None]))
    return {**images, **numbers, "flipped": tf.TensorSpec([None], tf.bool)}


def _checked(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns which images can be explained, bool [B], and the images with black ones for the others."""
    inside = (images >= 0.0) & (images <= 1.0)  # NaN is outside as well
    valid = tf.reduce_all(inside, axis=(1, 2, 3))
    return valid, tf.where(_as_column(valid, images), images, tf.zeros_like(images))


def _where_valid(valid: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.where(_as_column(valid, values), values, tf.constant(float("nan"), values.dtype))


def _as_column(flags: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(flags, [-1] + [1] * (values.shape.rank - 1))


def _in_groups(
    function: Callable[[tf.Tensor, tf.Tensor], Outputs],
    spec: Mapping[str, tf.TensorSpec],
    images: tf.Tensor,
    group: int,
) -> Outputs:
    """Returns the function's outputs for a batch, computed for groups of at most ``group`` images in turn.

    The groups are of one size as near as can be, the last is filled up with black images: XLA knows each
    shape when it compiles for a batch, and a batch of one costs one image.

    Args:
        function: Function of the images and of the count of those that are no padding.
        spec: Types and shapes of a group's outputs.
        images: float32 [B, H, W, C], B perhaps unknown.
        group: Number of images at once.
    """
    shape = images.shape[1:]
    # The declared shape binds nobody who calls through a session: 8x2 pixels would pass for 4x4.
    images = tf.ensure_shape(images, images.shape)
    count = tf.shape(images)[0]
    groups = tf.maximum(1, -(-count // group))
    size = tf.maximum(1, -(-count // groups))
    parts = tf.reshape(pad_images(images, groups * size), [groups, size, *shape])
    counts = tf.minimum(size, count - size * tf.range(groups))
    outputs = tf.map_fn(
        lambda group: function(*group), (parts, counts), fn_output_signature=dict(spec), parallel_iterations=1
    )
    return {
        name: tf.reshape(values, [groups * size, *spec[name].shape[1:]])[:count]
        for name, values in outputs.items()
    }
