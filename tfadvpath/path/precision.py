"""The type in which a classifier computes its gradients: float32, or bfloat16 where that is faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.models.inference_form import has_inference_form
from tfadvpath.models.keras_internals import every_layer

AUTO = "auto"
_PROCESSOR = Path("/proc/cpuinfo")
# Flags of processors that multiply in bfloat16: of tiles, and of vectors.
_INSTRUCTIONS = frozenset({"amx_bf16", "avx512_bf16"})
# Compute capability of the first GPUs of NVIDIA that multiply matrices in bfloat16.
_FIRST_GPU = (8, 0)


def chosen_precision(precision: str, classifier: Any) -> str:
    """Returns the name of the floating-point type in which a classifier's gradients are computed.

    "auto" is "bfloat16" where the device multiplies matrices in that type (a processor with AMX or
    AVX512_BF16, a GPU since Ampere) and the classifier is a functional or sequential Keras model that
    computes in float32 and has no depthwise convolutions, which gain nothing by it. Else it is "float32". The
    choice depends on the machine and the classifier alone, so it is the same in every run.

    Args:
        precision: "auto", or the name of a floating-point type.
        classifier: Whatever a classifier can be.

    Raises:
        ValueError: There is no such floating-point type.
    """
    if precision == AUTO:
        return "bfloat16" if _gains(classifier) and device_has_bfloat16() else "float32"
    try:
        known = tf.as_dtype(precision).is_floating
    except TypeError:
        known = False
    if not known:
        raise ValueError(f'`precision` must be "float32", "bfloat16" or "auto". Received: {precision!r}')
    return str(tf.as_dtype(precision).name)


def computes_in_float32(model: keras.Model) -> bool:
    """Returns whether no layer of a Keras model has another type by its own dtype policy."""
    return all(layer.compute_dtype == "float32" for layer in every_layer(model))


def device_has_bfloat16() -> bool:
    """Returns whether the device that TensorFlow computes on multiplies matrices in bfloat16."""
    devices = tf.config.get_visible_devices("GPU")
    if devices:
        details = (tf.config.experimental.get_device_details(device) for device in devices)
        return all(each.get("compute_capability", (0, 0)) >= _FIRST_GPU for each in details)
    if tf.config.get_visible_devices("TPU"):
        return True
    try:
        return not _INSTRUCTIONS.isdisjoint(_PROCESSOR.read_text(encoding="utf-8").split())
    except OSError:
        return False


def _gains(classifier: Any) -> bool:
    if not has_inference_form(classifier) or not computes_in_float32(classifier):
        return False
    depthwise = keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D
    return not any(isinstance(layer, depthwise) for layer in every_layer(classifier))
