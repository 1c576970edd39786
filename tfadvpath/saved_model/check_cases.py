"""Recorded cases: inputs of an exported explainer with what the library answers to them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import named_tensor_pb2

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.datasets.phantoms.chest_xrays import phantom_chest_xrays
from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explanation import PathExplanation
from tfadvpath.saved_model.signatures import EXPLAIN, EXPLAIN_BYTES, NO_FILES, PNG, PNG_AND_JPEG, PREDICT
from tfadvpath.studies.study import read_study

# No training takes these phantoms: no recipe's seeds go as far.
SEED = 3_000_000_000_000
# A probability that close to the decision may fall on its other side by rounding alone.
_UNDECIDED = 1e-3
_BYTES = np.iinfo(np.uint8).max
_WORDS = np.iinfo(np.uint16).max


class CheckCase(NamedTuple):
    """A case: inputs of a signature and the library's answers.

    Attributes:
        inputs: Arrays by tensor name, each with one entry an image.
        outputs: Arrays by tensor name, each with one entry an image.
    """

    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]


def make_cases(
    bundle: Bundle, explainer: AdversarialPath, map_name: str, count: int, files: str = PNG
) -> dict[str, CheckCase]:
    """Generates phantoms and explains them by the library, not by the export.

    No image of the training data goes into an export: they may be patients'.

    Args:
        bundle: Bundle that is exported.
        explainer: Explainer of the bundle, with the options of the export.
        map_name: Name of the exported map.
        count: Number of images in each case.
        files: Files that ``explain_bytes`` takes, one of ``signatures.FILES``.

    Returns:
        A case for each signature but explain_xla, which must answer as ``serving_default``.
    """
    with tf.device("/CPU:0"):  # GPUs round convolutions' factors to TensorFloat-32
        images = _decided(explainer, _phantoms(bundle, count), count)
        explained = _explain(explainer, images)
        cases = {
            PREDICT: CheckCase({"images": images}, {"probability": explained.score}),
            EXPLAIN: CheckCase({"images": images}, _outputs(explained, map_name)),
        }
        if files != NO_FILES:
            contents = [_encoded(image, index, files) for index, image in enumerate(images)]
            decoded = np.concatenate([_read(content, bundle.image_size) for content in contents])
            cases[EXPLAIN_BYTES] = CheckCase(
                {"image_bytes": np.array(contents, object)},
                {"image": decoded, **_outputs(_explain(explainer, decoded), map_name)},
            )
    return cases


def write_cases(path: Path, cases: Mapping[str, CheckCase]) -> None:
    """Writes a TFRecord file of NamedTensorProto, named SIGNATURE/inputs/NAME and SIGNATURE/outputs/NAME.

    TensorFlow reads them in Python and in C++, without this package.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, case in cases.items():
            for part, tensors in case._asdict().items():
                for name, values in tensors.items():
                    record = named_tensor_pb2.NamedTensorProto(
                        name=f"{signature}/{part}/{name}", tensor=tf.make_tensor_proto(values)
                    )
                    writer.write(record.SerializeToString())


def _explain(explainer: AdversarialPath, images: np.ndarray) -> PathExplanation:
    return cast(PathExplanation, explainer.explain(images))


def _outputs(explained: PathExplanation, map_name: str) -> dict[str, np.ndarray]:
    return {
        "map": explained.maps[map_name],
        "start": explained.start,
        "adversary": explained.adversary,
        "probability": explained.score,
        "probability_start": explained.score_start,
        "probability_adversary": explained.score_adversary,
        "flipped": explained.crossed,
        "completeness_residual": explained.completeness_residual,
    }


def _phantoms(bundle: Bundle, count: int) -> np.ndarray:
    """Returns at least ``count`` images of both classes where the size allows, float32 [N, H, W, 1]."""
    data = bundle.recipe.data
    size = data.image_size
    if data.pictured_organ == "chest":
        return phantom_chest_xrays(range(SEED, SEED + count), size, twins=True).images
    slices = phantom_brain_slices([SEED], size, min_tumour_pixels=2, twins=True).images
    return slices[np.linspace(0, len(slices) - 1, 2 * count).astype(int)]


def _decided(explainer: AdversarialPath, images: np.ndarray, count: int) -> np.ndarray:
    """Returns ``count`` of the images, first those whose decisions no rounding changes."""
    pair = explainer.generator.generate(tf.constant(images))
    scores = (pair.probability, explainer.probability(pair.adversary))
    margin = np.min([abs(np.asarray(score) - 0.5) for score in scores], axis=0)
    decided = np.flatnonzero(margin > _UNDECIDED)
    candidates = decided if len(decided) else np.argsort(-margin)
    chosen = np.linspace(0, len(candidates) - 1, count).astype(int)
    return images[candidates[chosen]]


def _encoded(image: np.ndarray, index: int, files: str) -> bytes:
    """Returns a PNG of 16 bits, a PNG of 8 bits, and a JPEG where it is taken, in turn.

    They are larger and smaller than the image.
    """
    height, width = image.shape[:2]
    size = (height * 5 // 4, width * 7 // 4) if index % 2 == 0 else (height * 3 // 2, width * 2 // 3)
    resized = tf.image.resize(image, size, "bilinear")
    kind = index % (3 if files == PNG_AND_JPEG else 2)
    if kind == 0:
        return tf.io.encode_png(tf.cast(tf.round(resized * _WORDS), tf.uint16)).numpy()
    levels = tf.cast(tf.round(resized * _BYTES), tf.uint8)
    return (tf.io.encode_png(levels) if kind == 1 else tf.io.encode_jpeg(levels)).numpy()


def _read(file: bytes, size: tuple[int, int]) -> np.ndarray:
    """Returns the image of a file as ``tfadvpath explain`` sees it, float32 [1, H, W, 1]."""
    ending = "png" if file.startswith(b"\x89PNG") else "jpg"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case.{ending}"
        path.write_bytes(file)
        return read_study(path, size).images
