"""Failures of a server: those after which a call is tried again, and the remedies of the rest."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_ADDRESS = "Check the model's name, version and label"
_MODEL = "Check that the model is an export of this package and takes images of that size"
_BUSY = "The server is busy or the message is too large: call later or send fewer images at once"
_SLOW = "Send fewer images at once or allow more time"
# INVALID_ARGUMENT is said of several things, which the server's words tell apart.
_BY_WORDS = {
    "Unrecognized servable version label": _ADDRESS,
    "is larger than maximum input batch size": "Let `batch_size` be at most that maximum",
    # NVIDIA Triton's.
    "batch-size must be <=": "Let `batch_size` be at most that number",
    "Request for unknown model": "Check the model's name and version",
}
_BY_CODE = {
    "NOT_FOUND": _ADDRESS,
    "INVALID_ARGUMENT": _MODEL,
    "RESOURCE_EXHAUSTED": _BUSY,
    "DEADLINE_EXCEEDED": _SLOW,
    "404": _ADDRESS,
    "400": _MODEL,
    "413": "Send fewer images at once",
    "429": _BUSY,
    "504": f"{_SLOW}, here and by the server's --rest_api_timeout_in_ms",
}


class Unavailable(Exception):
    """The server is not there, not ready, or its queue is full: later it may answer."""


def with_retries(call: Callable[[], _Answer], attempts: int) -> _Answer:
    """Returns what the call does; waits and calls again where it raises ``Unavailable``.

    Waits double from half a second to eight. Each is drawn from its upper half, so that clients which failed
    together do not come back together.

    Args:
        call: Function that asks the server.
        attempts: Number of calls at most.

    Raises:
        Unavailable: The last attempt found the server unavailable too.
    """
    for attempt in range(attempts - 1):
        try:
            return call()
        except Unavailable:
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT)
            time.sleep(wait * random.uniform(0.5, 1.0))
    return call()


def remedy(code: str, words: str) -> str:
    """Returns the remedy of an answer.

    Args:
        code: Name of gRPC's code, or the digits of HTTP's.
        words: Text of the server's answer.
    """
    for part, found in _BY_WORDS.items():
        if part in words:
            return found
    return _BY_CODE.get(code, "Look at the server's log")
