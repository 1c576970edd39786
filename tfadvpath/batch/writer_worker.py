"""The process that draws and writes results for another one, which explains meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tfadvpath.batch.ledger import Row
from tfadvpath.batch.recording import WriteResults
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.writers.formats import formats

# Number of the call of Linux that asks for a signal when the process that started this one ends.
_END_WITH_PARENT = 1


@dataclass(frozen=True)
class Unable:
    """Stands for results that this process cannot write, since their classes or formats are not known here.

    A script of somebody may have its own; they are known in the process of the script alone.
    """


Written = tuple[dict[str, Any], Row]
Answer = Written | InputError | Unable


def main(requests: int, answers: int, parent: int) -> None:
    """Writes results until there are no more.

    Args:
        requests: File descriptor of the connection from which come: how results are written, with the modules
            of the formats; then the arguments of each study.
        answers: File descriptor of the connection that gets None when the process is ready, and then what
            became of each study.
        parent: Number of the process that started this one.
    """
    # The keyboard's interrupt goes to every process of the terminal. The other one says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with(parent)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what would be left are a patient's images
    incoming, outgoing = Connection(requests, writable=False), Connection(answers, readable=False)
    try:
        write, modules = incoming.recv()
        able = _knows(write.formats, modules)
        outgoing.send(None if able else Unable())
        while able:
            outgoing.send(_answer(write, incoming.recv_bytes()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the other process is gone, or needs no more


def _end_with(parent: int) -> None:
    """Lets the system end this process with the one that started it, however that ends.

    What it is writing is of a run then whose lock is gone: the next run removes it.
    """
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the connection's end ends it
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _knows(names: Sequence[str], modules: Sequence[str]) -> bool:
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    return set(names) <= set(formats())


def _answer(write: WriteResults, packed: bytes) -> Answer:
    try:
        result, task, seconds = pickle.loads(packed)
    except Exception:
        return Unable()
    try:
        return write(result, task, seconds)
    except InputError as error:
        return error
    except Exception as error:
        return unforeseen(task.source, error)
