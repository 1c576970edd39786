"""Rows of what was tried: the formats that are read, TensorFlow, its devices, the bundle and the speed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tfadvpath.doctor.installation import Fault, Row
from tfadvpath.doctor.program import run_program

Facts = Mapping[str, Any]
_READING = "formats that are read"
_COMPUTING = "computing"
_SPEED = "speed"
# Seconds until a trial is given up: TensorFlow alone takes a minute to import from a slow network drive.
_FILES_LIMIT, _TENSORFLOW_LIMIT = 120.0, 600.0
_REINSTALL = "pip install --force-reinstall tfadvpath"
# Package that reads a sample. JPEG Lossless has no decoder in the base, see docs/decisions/.
_DECODERS = {
    "PNG": "opencv-python-headless",
    "JPEG": "simplejpeg",
    "NIfTI": "nibabel",
    "DICOM, JPEG Baseline": "simplejpeg",
    "DICOM, JPEG-LS": "pyjpegls",
    "DICOM, JPEG 2000": "pylibjpeg pylibjpeg-openjpeg",
}
# Plain OpenCV needs the libraries of a desktop, which servers lack.
_HEADLESS = "pip uninstall --yes opencv-python && pip install --force-reinstall opencv-python-headless"
_OPTIONAL = {"DICOM, JPEG Lossless": "python-gdcm"}
_DRIVER = Path("/proc/driver/nvidia/version")
# As the commands set them, see cli/console.py: what is measured is what they do.
_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow"}
_DEFAULTS = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
STEPS = ("tensorflow", "devices", "xla", "bundle")
SPEED_STEPS = ("float32", "bfloat16", "maps")


def try_files(on_step: Callable[[], None] = lambda: None) -> list[Row]:
    """Returns a row for each format: whether a sample of it is read here.

    Args:
        on_step: Function that is called after each sample.
    """
    return reading_rows(_heard(run_program("tfadvpath.doctor.try_files", seconds=_FILES_LIMIT), on_step))


def try_tensorflow(
    speed: bool, has_gpu_libraries: bool | None, on_step: Callable[[], None] = lambda: None
) -> list[Row]:
    """Returns rows of TensorFlow, its devices, the shipped bundle, and the speed.

    Args:
        speed: Whether the speed is measured.
        has_gpu_libraries: Whether the extra ``gpu`` is complete; None where that is not known.
        on_step: Function that is called after each step.
    """
    given = {name: os.environ.get(name, value) for name, value in _DEFAULTS.items()}
    told = run_program(
        "tfadvpath.doctor.try_tensorflow",
        "yes" if speed else "no",
        seconds=_TENSORFLOW_LIMIT,
        environment=_ENVIRONMENT | given,
    )
    return tensorflow_rows(_heard(told, on_step), has_gpu_libraries, has_driver())


def has_driver() -> bool:
    """Returns whether the driver of an NVIDIA GPU is on this machine."""
    return _DRIVER.exists() or shutil.which("nvidia-smi") is not None


def reading_rows(told: Iterable[Facts]) -> list[Row]:
    """Returns the rows of the formats.

    Args:
        told: Facts that the program of ``try_files.py`` tells.
    """
    rows = []
    for facts in told:
        if "failure" in facts:
            what = f"the trial of the readers {facts['failure']}"
            remedy = _HEADLESS if "libGL" in facts["failure"] else _REINSTALL
            fault = Fault(what, "files cannot be read", remedy, True)
            rows.append(Row(_READING, "trial", False, facts["failure"], fault))
            continue
        name, problem = facts["name"], facts["problem"]
        if problem is None:
            rows.append(Row(_READING, name, True))
        elif name in _OPTIONAL:
            rows.append(Row(_READING, name, False, f"no: pip install {_OPTIONAL[name]}"))
        else:
            package = _DECODERS.get(name, "pydicom")
            fault = Fault(
                f"{name} is not read",
                f"a sample {problem}",
                f"pip install --force-reinstall {package}",
                True,
            )
            rows.append(Row(_READING, name, False, "no", fault))
    return rows


def tensorflow_rows(
    told: Iterable[Facts],
    has_gpu_libraries: bool | None,
    has_driver: bool,
    environment: Mapping[str, str] = os.environ,
) -> list[Row]:
    """Returns the rows of TensorFlow, its devices, the shipped bundle, and the speed.

    Args:
        told: Facts that the program of ``try_tensorflow.py`` tells.
        has_gpu_libraries: Whether the extra ``gpu`` is complete; None where that is not known.
        has_driver: Whether there is a driver of an NVIDIA GPU.
        environment: Variables of the environment.
    """
    rows: list[Row] = []
    for facts in told:
        if "failure" in facts:
            what = f"the trial of TensorFlow {facts['failure']}"
            remedy = "pip install --force-reinstall tensorflow keras"
            fault = Fault(what, "nothing can be explained or trained", remedy, True)
            rows.append(Row(_COMPUTING, "trial", False, facts["failure"], fault))
        elif facts["step"] == "tensorflow":
            text = f"{facts['tensorflow']}, imported with Keras {facts['keras']} in {facts['seconds']:.1f} s"
            rows.append(Row(_COMPUTING, "TensorFlow", facts["tensorflow"], text))
        elif facts["step"] == "devices":
            rows += _device_rows(facts, has_gpu_libraries, has_driver, environment)
        elif facts["step"] == "xla":
            rows.append(_xla_row(facts["problem"]))
        elif facts["step"] == "bundle":
            rows.append(_bundle_row(facts["problem"]))
        else:
            rows.append(_speed_row(facts))
    return rows


def _heard(told: Iterable[Facts], on_step: Callable[[], None]) -> Iterable[Facts]:
    for facts in told:
        yield facts
        on_step()


def _device_rows(
    facts: Facts, has_gpu_libraries: bool | None, has_driver: bool, environment: Mapping[str, str]
) -> list[Row]:
    rows = [
        Row(_COMPUTING, f"GPU {number}", gpu["name"], _gpu_text(gpu))
        for number, gpu in enumerate(facts["gpus"])
    ]
    if not rows:
        fault = _gpu_fault(facts, has_gpu_libraries, environment) if has_driver else None
        text = "none that TensorFlow sees" if has_driver else "none, and no driver of one"
        rows.append(Row(_COMPUTING, "GPU", None, f"{text}: the CPU computes", fault))
    onednn = facts["onednn"]
    words = {None: "unknown", True: "on", False: "off"}[onednn]
    of_commands = "" if "TF_ENABLE_ONEDNN_OPTS" in environment else ", as the commands set it"
    return [*rows, Row(_COMPUTING, "oneDNN", onednn, f"{words}{of_commands}")]


def _gpu_text(gpu: Facts) -> str:
    capability = gpu["compute_capability"]
    return gpu["name"] + ("" if capability is None else f", compute capability {capability}")


def _gpu_fault(facts: Facts, has_gpu_libraries: bool | None, environment: Mapping[str, str]) -> Fault:
    what = "an NVIDIA driver is there, and TensorFlow sees no GPU"
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return Fault(what, f"CUDA_VISIBLE_DEVICES is {visible!r}", "unset CUDA_VISIBLE_DEVICES", False)
    if not facts["with_cuda"]:
        why, remedy = "this build of TensorFlow has no CUDA", "pip install --force-reinstall tensorflow"
    elif not has_gpu_libraries:
        why, remedy = "the libraries of CUDA are missing", "pip install 'tfadvpath[gpu]'"
    else:
        why = "its libraries are there: another one or the driver does not fit"
        remedy = "See its remarks: TF_CPP_MIN_LOG_LEVEL=0 tfadvpath doctor"
    return Fault(what, f"the CPU computes, which takes far longer ({why})", remedy, False)


def _xla_row(problem: str | None) -> Row:
    if problem is None:
        return Row(_COMPUTING, "XLA", True, "compiles; used on GPUs, where it is faster")
    fault = Fault(
        "XLA does not compile",
        f"on GPUs it is used ({problem})",
        "pip install --force-reinstall tensorflow",
        False,
    )
    return Row(_COMPUTING, "XLA", False, "no", fault)


def _bundle_row(problem: str | None) -> Row:
    if problem is None:
        return Row(_COMPUTING, "shipped bundle", True, "every file is as it was made, and its networks load")
    fault = Fault(
        "the shipped bundle does not load",
        f"`demo`, and `explain` without a bundle, need it ({problem})",
        _REINSTALL,
        True,
    )
    return Row(_COMPUTING, "shipped bundle", False, "no", fault)


def _speed_row(facts: Facts) -> Row:
    step, problem = facts["step"], facts["problem"]
    if step == "maps":
        name, needed, remedy = "maps a second", True, _REINSTALL
        text = ""
        if problem is None:
            text = (
                f"{facts['rate']:.1f} of {facts['rows']} x {facts['columns']} pixels by the shipped SyCE, "
                f"{facts['batch']} at once; compiled in {facts['compile_seconds']:.0f} s"
            )
    else:
        name, needed = f"products in {step}", step == "float32"
        remedy = "pip install --force-reinstall tensorflow"
        text = "" if problem is not None else f"{facts['rate'] / 1e9:,.0f} billion operations a second"
    if problem is None:
        return Row(_SPEED, name, float(f"{facts['rate']:.4g}"), text)
    fault = Fault(f"{name}: they fail", problem, remedy, needed)
    return Row(_SPEED, name, None, "fails", fault)
