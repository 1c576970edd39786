"""Program that tries TensorFlow, the shipped bundle and the speed, and tells what came out.

``tfadvpath.doctor.trials`` runs it in a process of its own: a processor that lacks an instruction, or a
driver that hangs, ends it, not the report.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tfadvpath.doctor.program import tell
from tfadvpath.errors import quoted

# Seconds that each of both products, and the maps, are measured for.
_SECONDS_OF_PRODUCTS, _SECONDS_OF_MAPS = 1.0, 3.0
# Rows of the matrices: enough work that starting a product takes no part in its time.
_ROWS_ON_CPU, _ROWS_ON_GPU = 2048, 8192
_BATCH = 16


def main(speed: str) -> None:
    """Tells what is found, a line each step: "tensorflow", "devices", "xla", "bundle" and "speed".

    Args:
        speed: "yes" to measure the speed.
    """
    start = time.perf_counter()
    import keras
    import tensorflow as tf

    tell(
        step="tensorflow",
        tensorflow=tf.__version__,
        keras=keras.__version__,
        backend=keras.backend.backend(),
        seconds=time.perf_counter() - start,
    )
    gpus = tf.config.list_physical_devices("GPU")
    tell(
        step="devices",
        gpus=[_gpu(gpu) for gpu in gpus],
        with_cuda=tf.test.is_built_with_cuda(),
        onednn=_uses_onednn(),
    )
    tell(step="xla", problem=_tried(_try_xla)[1])
    bundle, problem = _tried(_load_bundle)
    tell(step="bundle", problem=problem)
    if speed == "yes":
        rows = _ROWS_ON_GPU if gpus else _ROWS_ON_CPU
        for dtype in ("float32", "bfloat16"):
            rate, problem = _tried(_product_rate, dtype, rows)
            tell(step=dtype, rate=rate, problem=problem)
        if bundle is not None:
            found, problem = _tried(_map_rate, bundle)
            tell(step="maps", problem=problem, **(found or {}))


def _tried(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
    """Returns what a function returns, or None and what went wrong."""
    try:
        return function(*arguments), None
    except Exception as error:  # whatever a broken installation leads to
        return None, f"{type(error).__name__}: {quoted(error)}"


def _gpu(device: Any) -> dict[str, Any]:
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(device)
    capability = details.get("compute_capability")
    return {
        "name": details.get("device_name", device.name),
        "compute_capability": None if capability is None else ".".join(map(str, capability)),
    }


def _uses_onednn() -> bool | None:
    """Returns whether TensorFlow computes by oneDNN here; None where it does not say."""
    try:
        # There is no public name for it: the variable alone does not tell, for the processor decides too.
        from tensorflow.python.util import _pywrap_util_port

        return bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):
        return None


def _try_xla() -> None:
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def doubled(values: tf.Tensor) -> tf.Tensor:
        return values + values

    if doubled(tf.constant([1.0, 2.0])).numpy().tolist() != [2.0, 4.0]:
        raise ValueError("it computes wrong")


def _load_bundle() -> Any:
    from tfadvpath.bundle.bundle import DEMONSTRATION, load_bundle

    return load_bundle(DEMONSTRATION, ["syce"])


def _product_rate(dtype: str, rows: int) -> float:
    """Returns the operations a second of products of two square matrices."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.stateless_uniform((rows, rows), (0, 0)), dtype)
    count, seconds = _repeated(lambda: tf.linalg.matmul(matrix, matrix)[0, 0].numpy(), _SECONDS_OF_PRODUCTS)
    return 2.0 * rows**3 * count / seconds


def _map_rate(bundle: Any) -> dict[str, Any]:
    """Returns the maps a second of the shipped bundle once compiled, and what they were made of."""
    import tensorflow as tf

    from tfadvpath.explainers.registry import get

    explainer = get("syce", bundle)
    images = tf.random.stateless_uniform((_BATCH, *bundle.image_size, 1), (0, 0)).numpy()
    start = time.perf_counter()
    explainer.explain(images)
    first = time.perf_counter() - start
    count, seconds = _repeated(lambda: explainer.explain(images), _SECONDS_OF_MAPS)
    return {
        "rate": _BATCH * count / seconds,
        "rows": bundle.image_size[0],
        "columns": bundle.image_size[1],
        "batch": _BATCH,
        "compile_seconds": max(0.0, first - seconds / count),
    }


def _repeated(work: Callable[[], Any], least: float) -> tuple[int, float]:
    """Returns how often work was done, and in how many seconds, after one call that does not count."""
    work()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < least or not count:
        work()
        count += 1
    return count, time.perf_counter() - start
