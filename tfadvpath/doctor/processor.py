"""The processor: its cores, and the instructions that decide how fast float32 and bfloat16 are."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from tfadvpath.doctor.installation import Fault, Row

_CPUINFO = Path("/proc/cpuinfo")
_PART = "processor"
# Flag in /proc/cpuinfo, name, and what it means for bfloat16 where it is there and where it is not.
_INSTRUCTIONS = {
    "x86_64": (
        ("avx2", "AVX2", "8 float32 at once; bfloat16 gains nothing", "4 float32 at once: slow"),
        (
            "avx512f",
            "AVX-512",
            "16 float32 at once; bfloat16 gains nothing by it",
            "8 float32 at once at most",
        ),
        (
            "avx512_bf16",
            "AVX512_BF16",
            "products of bfloat16 in hardware",
            "bfloat16 is widened to float32, which takes longer than float32 itself",
        ),
        (
            "amx_bf16",
            "AMX_BF16",
            "whole tiles of bfloat16 in hardware: matrix products are several times as fast as in float32",
            "no tiles: bfloat16 is at most twice as fast as float32",
        ),
    ),
    "aarch64": (
        ("asimd", "NEON", "4 float32 at once; bfloat16 gains nothing", "slow"),
        ("sve", "SVE", "float32 in vectors of 128 bits or more", "4 float32 at once"),
        ("bf16", "BF16", "products of bfloat16 in hardware", "bfloat16 is widened to float32"),
    ),
}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


def read_cpuinfo() -> str:
    """Returns /proc/cpuinfo; nothing where there is none."""
    try:
        return _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def processor_rows(
    cpuinfo: str,
    usable: int | None = None,
    quota: float | None = None,
    machine: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[Row]:
    """Returns rows of the model, the cores and the instructions.

    Args:
        cpuinfo: Content of /proc/cpuinfo.
        usable: Number of cores that this process may run on; None asks the system.
        quota: Number of cores whose time the control group may take; None is all.
        machine: Architecture as ``platform.machine`` names it; None is this machine's.
        environment: Variables of the environment.
    """
    machine = (machine or platform.machine()).lower()
    machine = _ARCHITECTURES.get(machine, machine)
    values = _values(cpuinfo)
    rows = [Row(_PART, "model", values.get("model name") or machine)]
    rows += _core_rows(usable or len(os.sched_getaffinity(0)), quota, environment)
    words = set((values.get("flags") or values.get("features") or "").split())
    if not words:
        return [*rows, Row(_PART, "instructions", None, "unknown: /proc/cpuinfo names none")]
    for flag, name, meaning, otherwise in _INSTRUCTIONS.get(machine, ()):
        there = flag in words
        rows.append(Row(_PART, name, there, f"{'yes' if there else 'no'}: {meaning if there else otherwise}"))
    if machine == "x86_64" and "avx" not in words:
        fault = Fault(
            "the processor has no AVX",
            "TensorFlow's builds end with an illegal instruction",
            "Use another machine; in a virtual one pass the host's processor through",
            True,
        )
        rows.append(Row(_PART, "AVX", False, "no", fault))
    return rows


def _core_rows(usable: int, quota: float | None, environment: Mapping[str, str]) -> list[Row]:
    there = os.cpu_count() or usable
    text = f"{usable} usable" + (f" of {there}" if there > usable else "")
    if quota is None or quota >= usable:
        return [Row(_PART, "cores", usable, text)]
    fault = None
    if "TF_NUM_INTRAOP_THREADS" not in environment:
        wanted = math.ceil(quota)
        fault = Fault(
            f"the control group allows the time of {quota:g} cores, {usable} are seen",
            f"TensorFlow starts {usable} threads, which are stopped in turn",
            f"export TF_NUM_INTRAOP_THREADS={wanted} OMP_NUM_THREADS={wanted}",
            False,
        )
    limit = Row(_PART, "cores by control group", quota, f"the time of {quota:g}", fault)
    return [Row(_PART, "cores", usable, text), limit]


def _values(cpuinfo: str) -> dict[str, str]:
    """Returns the first value of every key, in lower case."""
    values: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key.strip().lower(), value.strip())
    return values
