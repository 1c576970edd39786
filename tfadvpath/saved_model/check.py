"""Checks an exported version: its files, its preprocessing, and its answers in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError
from tfadvpath.saved_model.contract import FOLDER as CONTRACT
from tfadvpath.saved_model.contract import check_contract
from tfadvpath.saved_model.manifest import read_manifest

_PROGRAM = Path(__file__).with_name("check_process.py")
_EXPORT_ANEW = "Do not serve it; export it anew"


def check_version(folder: Path | str) -> dict[str, Any]:
    """Runs every signature at every allowed batch size on the recorded cases, without Keras and tfadvpath.

    Args:
        folder: MODELS/NAME/VERSION.

    Returns:
        The manifest, and under "checked", by signature and batch size, the median "seconds" of three calls
        and the "largest_difference" from the recorded answers: of images relative to the largest value of
        each.

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
    return {**manifest, "checked": answer["signatures"]}
