"""Requests that TensorFlow Serving replays when it loads a version, before it serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from tfadvpath.errors import InputError
from tfadvpath.saved_model.check_cases import CheckCase
from tfadvpath.saved_model.signatures import EXPLAIN, EXPLAIN_BYTES, PREDICT

# TensorFlow Serving looks for this name in a version's assets.extra.
FILE_NAME = "tf_serving_warmup_requests"


def write_warm_up(path: Path, name: str, cases: Mapping[str, CheckCase], sizes: Sequence[int]) -> None:
    """Writes PredictionLog records: every signature at every batch size.

    ``explain_xla`` is not among them: where XLA is off it fails, and a warm-up that fails stops the loading.

    Args:
        path: File to write, of the name ``FILE_NAME``.
        name: Name of the model.
        cases: Cases whose inputs are sent, with at least as many images as the largest size.
        sizes: Batch sizes.

    Raises:
        InputError: The extra ``serving`` is not installed.
    """
    prediction_log = _prediction_log()
    signatures = [name for name in (PREDICT, EXPLAIN, EXPLAIN_BYTES) if name in cases]
    requests = [(signature, size) for size in sizes for signature in signatures]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, size in requests:
            log = prediction_log.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for tensor, values in cases[signature].inputs.items():
                request.inputs[tensor].CopyFrom(tf.make_tensor_proto(values[:size]))
            writer.write(log.SerializeToString())


def check_installed() -> None:
    """Raises InputError if the extra ``serving`` is not installed."""
    _prediction_log()


def _prediction_log():  # type: ignore[no-untyped-def]  # a module of an optional package
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise InputError(
            "tensorflow-serving-api", "is not installed", "Run: pip install 'tfadvpath[serving]'"
        ) from error
    return prediction_log_pb2
