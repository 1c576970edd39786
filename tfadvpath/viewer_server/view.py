"""The page, served until somebody ends it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.method import AUTO
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT
from tfadvpath.viewer_server.server import serving

PORT = 7860


def view(
    bundle: Bundle | Path | str,
    *,
    port: int = PORT,
    method: str = AUTO,
    steps: int | None = None,
    batch_size: int = 16,
    memory_limit: int = MEMORY_LIMIT,
    time_limit: float = TIME_LIMIT,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Serves a page of this machine alone on which files are dropped, explained and looked at.

    It returns when the keyboard or a signal interrupts it. Until then it compiles what explains, tells
    ``on_start`` the address, and answers. Nothing is asked of another machine. What is dropped lies in a
    temporary folder that nobody else can read; the last study of each of the last eight tabs is kept, and
    all are deleted at the end.

    Args:
        bundle: Bundle, or its folder.
        port: Number of the port of 127.0.0.1; 0 takes a free one.
        method: Name of the method that is chosen at first; "auto" is "syce" of a bundle that has it, else
            another generator's.
        steps: Number of points of the path that is chosen at first; None is the method's default.
        batch_size: Number of images that are explained at once.
        memory_limit: Bytes of memory that reading one study may take.
        time_limit: Seconds that a study of up to 10 MB may take to be read; a larger one as many times more.
        on_start: Function that is called with the page's address once it is served.

    Raises:
        InputError: The extra "viewer" is not installed; the port is taken; the bundle cannot be loaded, or
            has no such method or option.
    """
    options = ExplainOptions(
        method=method, steps=steps, batch_size=batch_size, memory_limit=memory_limit, time_limit=time_limit
    )
    with contextlib.suppress(KeyboardInterrupt), serving(bundle, options, port) as address:
        if on_start is not None:
            on_start(address)
        threading.Event().wait()
