"""The process that reads files for another one: what a file does to it is done to it alone."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, unforeseen

READY = "ready"


def main(requests: int, answers: int, memory_limit: int) -> None:
    """Answers requests until there are no more.

    Args:
        requests: File descriptor of the connection from which (source, function, arguments) come.
        answers: File descriptor of the connection that gets the results, or the errors in their place.
        memory_limit: Bytes that may be taken beyond what the process takes at rest.
    """
    # The keyboard's interrupt goes to every process of the terminal. The other one says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    incoming, outgoing = Connection(requests, writable=False), Connection(answers, readable=False)
    _warm_up()
    _limit_memory(memory_limit)
    try:
        outgoing.send(READY)
        while True:
            source, function, arguments = incoming.recv()
            _send(outgoing, source, _answer(source, function, arguments, memory_limit), memory_limit)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the other process is gone, or needs no more


def _warm_up() -> None:
    """Imports what reading needs, before a file's time is counted and the memory is limited."""
    from tfadvpath.studies import study
    from tfadvpath.studies.registry import readers

    assert study
    readers()


def _answer(source: str, function: Callable[..., Any], arguments: tuple[Any, ...], memory_limit: int) -> Any:
    try:
        return function(*arguments)
    except InputError as error:
        return error
    except MemoryError:
        return too_much_memory(source, memory_limit)
    except Exception as error:
        # OpenCV has an exception of its own for all, with the code of what is wrong.
        if getattr(error, "code", None) == -4:  # cv::Error::StsNoMem
            return too_much_memory(source, memory_limit)
        return unforeseen(source, error)


def _send(outgoing: Connection, source: str, answer: Any, memory_limit: int) -> None:
    try:
        outgoing.send(answer)
    except MemoryError:  # nothing was sent: an answer is packed before
        del answer
        outgoing.send(too_much_memory(source, memory_limit))


def too_much_memory(source: Path | str, memory_limit: int) -> InputError:
    """Returns the error of a study that does not fit into the memory that it may take.

    Args:
        source: The study.
        memory_limit: Bytes.
    """
    return InputError(
        source,
        f"needs more than the {memory_limit / 2**30:.3g} GiB of memory that reading one study may take",
        "Crop or shrink it, or raise `memory_limit`",
    )


def _limit_memory(limit: int) -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        at_rest = pages * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = at_rest + limit
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
        # What is left of the process when it ends is a patient's image.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        pass  # not Linux: there the size of the files' headers is all that limits it


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
