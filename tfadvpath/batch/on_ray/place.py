"""The place of a process of the cluster: it must see the same files as the process that runs the whole."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfadvpath.errors import InputError
from tfadvpath.studies.reader_process import ReaderProcess

# Seconds until a file that another machine wrote is seen; those of NFS are a minute at most.
_SEEN_LATE = 60


@dataclass(frozen=True)
class Place:
    """The place and the limits of a process of the cluster.

    Attributes:
        folder: Folder that relative paths start from: that of the process which runs the whole.
        modules: Folders where that process looks for modules.
        mark: File in the folder of all results, which every machine shares: a process that does not see it
            has another folder.
        memory_limit: Bytes of memory that reading one study may take.
        time_limit: Seconds that a study of up to 10 MB may take to be read.
    """

    folder: Path
    modules: Sequence[str]
    mark: Path
    memory_limit: int
    time_limit: float

    @property
    def out(self) -> Path:
        """Folder of all results."""
        return self.mark.parent

    def enter(self) -> None:
        """Lets relative paths and names of modules mean the same as in the process that runs the whole."""
        sys.path.extend(folder for folder in self.modules if folder not in sys.path)
        with contextlib.suppress(OSError):  # absolute paths need no such folder
            os.chdir(self.folder)

    def reader(self) -> ReaderProcess:
        """Returns a process that reads, which is started by its first study."""
        return ReaderProcess(self.memory_limit, self.time_limit)

    def check_shared(self) -> InputError | None:
        """Returns what is wrong with the folder of all results on this machine; None where it is shared."""
        for _ in range(_SEEN_LATE):
            if self.mark.is_file():
                return None
            time.sleep(1)
        return InputError(
            self.out,
            f"is another folder on {socket.gethostname()}, or none",
            "Name a folder that all machines of the cluster share",
        )
