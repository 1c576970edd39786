"""Check of an exported version: its files, its preprocessing, and its answers in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError
from tfadvpath.saved_model.contract import FOLDER as CONTRACT
from tfadvpath.saved_model.contract import check_contract
from tfadvpath.saved_model.manifest import read_manifest

_PROGRAM = Path(__file__).with_name("check_process.py")
_EXPORT_ANEW = "Do not serve it; export it anew"


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
    """

    folder: Path
    manifest: Mapping[str, Any]
    calls: Sequence[CheckedCall]

    def as_json(self) -> dict[str, Any]:
        """Returns the manifest, and under "checked" the calls by signature and batch size."""
        checked: dict[str, dict[str, Any]] = {}
        for call in self.calls:
            found = {"seconds": call.seconds, "largest_difference": call.largest_difference}
            checked.setdefault(call.signature, {})[str(call.images)] = found
        return {**self.manifest, "checked": checked}


def check_saved_model(folder: Path | str) -> CheckSummary:
    """Runs every signature at every allowed batch size on the recorded cases, without Keras and tfadvpath.

    Args:
        folder: Folder MODELS/NAME/VERSION.

    Raises:
        InputError: A file is missing, changed or not listed; images are prepared otherwise by this version of
            tfadvpath; the version cannot be loaded, or answers otherwise than recorded.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    check_contract(folder / CONTRACT)
    # -I: neither the working folder nor PYTHONPATH can lend it modules.
    finished = subprocess.run(
        [sys.executable, "-I", str(_PROGRAM), str(folder.resolve())],
        capture_output=True,
        text=True,
        check=False,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
    )
    if finished.returncode:
        reason = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(folder, f"the check ended with code {finished.returncode}: {reason}", _EXPORT_ANEW)
    answer = json.loads(finished.stdout.splitlines()[-1])
    if "refused" in answer:
        raise InputError(folder, answer["refused"], _EXPORT_ANEW)
    calls = [
        CheckedCall(name, int(size), found["seconds"], found["largest_difference"])
        for name, sizes in answer["signatures"].items()
        for size, found in sizes.items()
    ]
    return CheckSummary(folder, manifest, calls)
