"""A format whose writer goes wrong in a process of its own, as the name of a study's file says."""

from __future__ import annotations

import os
import signal
import sys
import time

from tfadvpath.writers.formats import register


@register("troubled", on_request=True)
def write_troubled(folder, result):
    """Writes trouble.txt, with the number of the process, unless the study's name says otherwise."""
    source = result.study.source
    if "pytest" not in sys.modules:  # in the process of the tests, which also writes, all goes well
        with source.with_suffix(".tried").open("a") as file:
            file.write("x")
        tries = source.with_suffix(".tried").stat().st_size
        if "dies" in source.name and ("once" not in source.name or tries == 1):
            (folder / "half.txt").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "faulty" in source.name:
            raise KeyError(" ".join(["PatientName", source.stem.upper()]))
        if "slow" in source.name:
            time.sleep(1)
        if "endless" in source.name:
            time.sleep(3600)
    (folder / "trouble.txt").write_text(str(os.getpid()))
