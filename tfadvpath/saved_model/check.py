"""Check of an exported version: its files, its preprocessing, its graph, and its answers within limits."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, quoted
from tfadvpath.saved_model.contract import FOLDER as CONTRACT
from tfadvpath.saved_model.contract import check_contract
from tfadvpath.saved_model.manifest import read_manifest
from tfadvpath.saved_model.signed_manifest import verify_manifest

_PROGRAM = Path(__file__).with_name("check_process.py")
_EXPORT_ANEW = "Do not serve it; export it anew"
# Of ResNet50V2 at 224 pixels the check takes 3 GB, and with XLA half an hour on two cores.
MEMORY_LIMIT, TIME_LIMIT = 16 * 2**30, 3600.0
# A thread that gets no memory may leave the others waiting for it for ever, as TensorFlow did in one of eight
# checks with .25 GiB. A process that takes less than a hundredth of one processor for so long does no work.
_STALL_SECONDS, _STALL_SHARE = 30.0, 0.01
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class CheckedCall:
    """A call of one signature at one batch size.

    Attributes:
        signature: Name of the signature.
        images: Number of images in the batch.
        seconds: Median time of three calls.
        largest_difference: Largest difference from the recorded answers; of images relative to the largest
            value of each.
    """

    signature: str
    images: int
    seconds: float
    largest_difference: float


@dataclass(frozen=True)
class CheckSummary:
    """An exported version that may be served.

    Attributes:
        folder: Folder MODELS/NAME/VERSION.
        manifest: Content of its manifest.
        calls: Calls of every signature at every allowed batch size.
        without_network: Whether the system let the check cut its process off from the network.
        is_signed: Whether the signature of the manifest was verified.
    """

    folder: Path
    manifest: Mapping[str, Any]
    calls: Sequence[CheckedCall]
    without_network: bool = False
    is_signed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns the manifest, and under "checked" the calls by signature and batch size."""
        checked: dict[str, dict[str, Any]] = {}
        for call in self.calls:
            found = {"seconds": call.seconds, "largest_difference": call.largest_difference}
            checked.setdefault(call.signature, {})[str(call.images)] = found
        about = {"without_network": self.without_network, "is_signed": self.is_signed}
        return {**self.manifest, "checked": checked, **about}


def check_saved_model(
    folder: Path | str,
    *,
    public_key: Path | str | None = None,
    allow_operations: Sequence[str] = (),
    memory_limit: int = MEMORY_LIMIT,
    time_limit: float = TIME_LIMIT,
) -> CheckSummary:
    """Runs every signature at every allowed batch size on the recorded cases, without Keras and tfadvpath.

    The graph is read before anything loads it, and refused where it has operations that no export needs. It
    then runs in a process that can write no file, has no network where the system allows that, and has limits
    of memory and time.

    Args:
        folder: Folder MODELS/NAME/VERSION.
        public_key: PEM file of the public key that the manifest must be signed by; None is any manifest.
        allow_operations: Names of operations that the graph may have beside those of exports.
        memory_limit: Bytes of address space that the version may take.
        time_limit: Seconds that its check may take.

    Raises:
        InputError: The signature is missing or another one; a file is missing, changed or not listed; images
            are prepared otherwise by this version of tfadvpath; the graph may do more than an export; the
            version cannot be loaded, takes more than the limits, or answers otherwise than recorded.
    """
    folder = Path(folder)
    if public_key is not None:
        verify_manifest(folder, Path(public_key))
    manifest = read_manifest(folder)
    check_contract(folder / CONTRACT)
    answer = _answer(folder, allow_operations, memory_limit, time_limit)
    if "operations" in answer:
        raise InputError(
            folder,
            answer["refused"],
            f"{_EXPORT_ANEW}. If your own classifier has them, name them in `allow_operations`",
        )
    if "memory" in answer:
        raise InputError(folder, answer["refused"], _more_memory(memory_limit))
    if "refused" in answer:
        raise InputError(folder, answer["refused"], _EXPORT_ANEW)
    calls = [
        CheckedCall(name, int(size), found["seconds"], found["largest_difference"])
        for name, sizes in answer["signatures"].items()
        for size, found in sizes.items()
    ]
    return CheckSummary(folder, manifest, calls, answer["without_network"], public_key is not None)


def _answer(folder: Path, allowed: Sequence[str], memory: int, seconds: float) -> dict[str, Any]:
    """Returns what the check's process says.

    Raises:
        InputError: It says nothing, or not in time.
    """
    cpu_seconds = max(1, round(seconds * (os.cpu_count() or 1)))
    options = {"allowed": list(allowed), "memory": memory, "seconds": cpu_seconds}
    # -I: neither the working folder nor PYTHONPATH can lend it modules.
    command = [sys.executable, "-I", str(_PROGRAM), str(folder.resolve()), json.dumps(options)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
    )
    with process:
        try:
            output, errors = _communicate(process, seconds)
        except subprocess.TimeoutExpired as error:
            raise InputError(
                folder, f"the check takes more than {seconds:g} seconds", "Raise `time_limit`"
            ) from error
        except _Stalled as error:
            raise InputError(
                folder,
                f"the check did nothing for {_STALL_SECONDS:g} seconds, as one does that gets no memory",
                _more_memory(memory),
            ) from error
        finally:
            process.kill()
    if process.returncode == 0:
        return json.loads(output.splitlines()[-1])
    reason = quoted((errors.strip().splitlines() or ["it said nothing"])[-1])
    if process.returncode < 0:  # a library that gets no memory ends its process
        name = signal.Signals(-process.returncode).name
        raise InputError(
            folder,
            f"the check was ended by {name} ({reason})",
            _more_memory(memory),
        )
    raise InputError(folder, f"the check ended with code {process.returncode}: {reason}", _EXPORT_ANEW)


class _Stalled(Exception):
    """The check's process lives, and does nothing."""


def _communicate(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """Returns what a process prints to both of its streams until it ends.

    Raises:
        TimeoutExpired: It takes more than the seconds.
        _Stalled: It did no work for `_STALL_SECONDS`; not seen where the system does not tell.
    """
    begin = window = time.monotonic()
    used = _processor_seconds(process.pid)
    while True:
        try:
            return process.communicate(timeout=min(_POLL_SECONDS, seconds))
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            if now - begin >= seconds:
                raise
            if now - window < _STALL_SECONDS:
                continue
            before, used = used, _processor_seconds(process.pid)
            if used - before < _STALL_SHARE * (now - window):
                raise _Stalled from None
            window = now


def _processor_seconds(pid: int) -> float:
    """Returns the seconds of processors that a process took; NaN where the system does not tell."""
    try:
        # After the name, which is in parentheses and may hold spaces, utime and stime are the 12th and 13th.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _more_memory(limit: int) -> str:
    return f"Raise `memory_limit`, which is {limit / 2**30:.3g} GiB, or do not serve it"
