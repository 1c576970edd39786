"""Batching parameters of TensorFlow Serving, which it reads from each version's folder."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Read where the server runs with --enable_batching and --enable_per_model_batching_parameters.
FILE_NAME = "batching_params.pbtxt"
# A request waits that long for others. An explanation takes far longer, a prediction is not worth more.
_WAIT_MICROSECONDS = 5000
# A request waits for all batches before it. One thread takes half a minute for 8 images of 224x224 pixels at
# 50 steps on two cores: 8 batches are four minutes, within the clients' ten. Beyond that the server says
# UNAVAILABLE at once, which is better than an answer that nobody waits for any more.
_QUEUED_BATCHES = 8
_LARGEST = re.compile(r"max_batch_size \{ value: (\d+) \}")


def batching_parameters(sizes: Sequence[int]) -> str:
    """Returns BatchingParameters in protobuf's text form.

    Batches are filled up to the next allowed size. The number of threads is the server's alone to say
    (export/batching.config).

    Args:
        sizes: Allowed batch sizes, ascending; the last is the largest batch.
    """
    lines = [
        f"max_batch_size {{ value: {sizes[-1]} }}",
        f"batch_timeout_micros {{ value: {_WAIT_MICROSECONDS} }}",
        f"max_enqueued_batches {{ value: {_QUEUED_BATCHES} }}",
        *(f"allowed_batch_sizes: {size}" for size in sizes),
    ]
    return "\n".join(lines) + "\n"


def largest_batch(parameters: str) -> int:
    """Returns the largest batch that ``batching_parameters`` let a request have.

    Args:
        parameters: Text that ``batching_parameters`` made.

    Raises:
        ValueError: The text names no largest batch.
    """
    found = _LARGEST.search(parameters)
    if found is None:
        raise ValueError(f"`parameters` must be those of an exported version. Received: {parameters[:80]!r}")
    return int(found[1])
