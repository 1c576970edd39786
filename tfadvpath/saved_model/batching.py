"""How TensorFlow Serving joins requests into batches, read from each version's folder."""

from __future__ import annotations

from collections.abc import Sequence

# Read where the server runs with --enable_batching and --enable_per_model_batching_parameters.
FILE_NAME = "batching_params.pbtxt"
# A request waits that long for others. An explanation takes far longer, a prediction is not worth more.
_WAIT_MICROSECONDS = 5000
_QUEUED_BATCHES = 64


def batching_parameters(sizes: Sequence[int]) -> str:
    """Returns BatchingParameters in protobuf's text form.

    Batches are filled up to the next allowed size. The number of threads is the server's alone to say
    (export/batching.config).

    Args:
        sizes: Ascending; the last is the largest batch.
    """
    lines = [
        f"max_batch_size {{ value: {sizes[-1]} }}",
        f"batch_timeout_micros {{ value: {_WAIT_MICROSECONDS} }}",
        f"max_enqueued_batches {{ value: {_QUEUED_BATCHES} }}",
        *(f"allowed_batch_sizes: {size}" for size in sizes),
    ]
    return "\n".join(lines) + "\n"
