"""Limits of a process that runs somebody's graph: no network, no files to write, bounded memory and time.

``check_process`` loads this file by its path, in a process where tfadvpath cannot be imported: nothing of
tfadvpath may be imported here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from pathlib import Path

_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000  # CLONE_NEWNET and CLONE_NEWUSER of Linux's sched.h


def leave_network() -> bool:
    """Moves this process, which may have one thread alone, to a network of its own that has no interface.

    Linux lets the administrator do so, and others where it allows namespaces of users; containers often do
    not.

    Returns:
        Whether it could be done.
    """
    try:
        unshare = ctypes.CDLL(None).unshare
    except (OSError, AttributeError):  # no Linux
        return False
    # The first keeps an administrator's right to read the files of others.
    return unshare(_NEW_NETWORK) == 0 or unshare(_NEW_USER | _NEW_NETWORK) == 0


def limit_process(memory: int, seconds: int) -> None:
    """Limits what this process takes from now on. It can write to pipes, but to no file.

    Args:
        memory: Bytes of address space beyond those that it holds now.
        seconds: Seconds of CPU time, those of all threads together.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    wanted = {
        resource.RLIMIT_AS: pages * os.sysconf("SC_PAGE_SIZE") + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        with contextlib.suppress(OSError, ValueError):  # a lower one holds already
            resource.setrlimit(kind, (value, value))
