"""Targets with planted faults, which prove that the harness sees faults of every kind."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fuzz.byte_mutator import change_bytes
from fuzz.promises import check_line
from fuzz.target import Target

from tfadvpath.errors import InputError

# Seeds begin with 64; the mutator changes the first byte within a few tries.
_GOOD = 64


def _only_on_a_changed_byte(data: bytes) -> bool:
    return bool(data) and data[0] != _GOOD


def _raise(data: bytes, folder: Path) -> None:
    if _only_on_a_changed_byte(data):
        raise KeyError("planted")


def _hang(data: bytes, folder: Path) -> None:
    if _only_on_a_changed_byte(data):
        time.sleep(600)


def _allocate(data: bytes, folder: Path) -> None:
    if _only_on_a_changed_byte(data):
        bytearray(b"x") * 1_500_000_000


def _crash(data: bytes, folder: Path) -> None:
    if _only_on_a_changed_byte(data):
        os.abort()


def _tell(data: bytes, folder: Path) -> None:
    if _only_on_a_changed_byte(data):
        try:
            raise InputError(folder, "is of the patient ZEBRA^PATIENT", "Say nothing of it")
        except InputError as error:
            check_line(error, folder)


def _keep_promises(data: bytes, folder: Path) -> None:
    (folder / "some.bytes").write_bytes(data)


PLANTED = [
    Target(f"planted_{name}", lambda: [bytes([_GOOD]) * 8], change_bytes, run, ".planted")
    for name, run in {
        "error": _raise,
        "hang": _hang,
        "memory": _allocate,
        "crash": _crash,
        "patient": _tell,
        "nothing": _keep_promises,
    }.items()
]
