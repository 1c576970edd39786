"""Calls that are tried again while the server cannot be reached, and only then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0


class Unavailable(Exception):
    """The server is not there, not ready, or its queue is full: later it may answer."""


def with_retries(call: Callable[[], _Answer], attempts: int) -> _Answer:
    """Returns what the call does; waits and calls again where it raises ``Unavailable``.

    Waits double from half a second to eight. Each is drawn from its upper half, so that clients which failed
    together do not come back together.

    Raises:
        Unavailable: The last attempt's.
    """
    for attempt in range(attempts - 1):
        try:
            return call()
        except Unavailable:
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT)
            time.sleep(wait * random.uniform(0.5, 1.0))
    return call()
