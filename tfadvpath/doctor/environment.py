"""Variables of the environment, and of Keras's own settings, that change what tfadvpath does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tfadvpath.doctor.installation import Fault, Row

_PART = "environment"
_TENSORFLOW = "tensorflow"
# No variable that may hold a password or a token: proxies and RAY_AUTH_TOKEN are not listed.
_VARIABLES = {
    "KERAS_BACKEND": "what Keras computes by; the commands take tensorflow whatever it says",
    "KERAS_HOME": "where Keras keeps its settings",
    "TF_ENABLE_ONEDNN_OPTS": "1 or not set: oneDNN computes; 0: it does not",
    "TF_CPP_MIN_LOG_LEVEL": "0 lets TensorFlow print its remarks",
    "TF_NUM_INTRAOP_THREADS": "threads of one operation",
    "TF_NUM_INTEROP_THREADS": "operations at once",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true lets TensorFlow take the GPU's memory bit by bit",
    "TF_XLA_FLAGS": "options of XLA",
    "XLA_FLAGS": "options of XLA",
    "ONEDNN_MAX_CPU_ISA": "the newest instructions that oneDNN may use",
    "OMP_NUM_THREADS": "threads of NumPy's and others' kernels",
    "CUDA_VISIBLE_DEVICES": "the GPUs that programs see; -1 is none",
    "RAY_ADDRESS": "the cluster that --engine ray takes",
    "TMPDIR": "where temporary files are written",
    "PYTHONPATH": "folders that are imported from before the environment's own",
    "PYTHONNOUSERSITE": "whether packages of the home folder are left out",
    "LD_LIBRARY_PATH": "folders that libraries are loaded from before their own",
    "LD_PRELOAD": "libraries that are loaded before all others",
}


def environment_rows(environment: Mapping[str, str] = os.environ, settings: Path | None = None) -> list[Row]:
    """Returns a row for each variable that is set and changes what tfadvpath does.

    Args:
        environment: Variables of the environment.
        settings: Keras's file of settings; None is the one that Keras reads.
    """
    faults = {
        "KERAS_BACKEND": _backend_fault(environment),
        "TF_ENABLE_ONEDNN_OPTS": _onednn_fault(environment),
    }
    rows = [
        Row(_PART, name, environment[name], f"{environment[name]} ({about})", faults.get(name))
        for name, about in _VARIABLES.items()
        if name in environment
    ]
    if "KERAS_BACKEND" not in environment:
        rows += _settings_rows(settings or _settings_of(environment))
    return rows or [Row(_PART, "variables", (), "none is set that changes anything")]


def _backend_fault(environment: Mapping[str, str]) -> Fault | None:
    backend = environment.get("KERAS_BACKEND", "")
    if backend in ("", _TENSORFLOW):
        return None
    return Fault(
        f"KERAS_BACKEND is {backend}",
        "from Python the networks of tfadvpath need TensorFlow",
        "export KERAS_BACKEND=tensorflow",
        True,
    )


def _onednn_fault(environment: Mapping[str, str]) -> Fault | None:
    if environment.get("TF_ENABLE_ONEDNN_OPTS") != "0":
        return None
    return Fault(
        "TF_ENABLE_ONEDNN_OPTS is 0",
        "without oneDNN a U-Net takes up to twice as long on a CPU, and bfloat16 longer than float32",
        "unset TF_ENABLE_ONEDNN_OPTS",
        False,
    )


def _settings_of(environment: Mapping[str, str]) -> Path:
    home = environment.get("KERAS_HOME")
    return Path(home) / "keras.json" if home else Path.home() / ".keras" / "keras.json"


def _settings_rows(path: Path) -> list[Row]:
    try:
        backend = json.loads(path.read_text(encoding="utf-8")).get("backend", _TENSORFLOW)
    except (OSError, ValueError, AttributeError):
        return []  # Keras takes TensorFlow where there is no such file, or none that it can read
    if backend == _TENSORFLOW:
        return []
    fault = Fault(
        f"{path} names the backend {backend}",
        "from Python the networks of tfadvpath need TensorFlow",
        "export KERAS_BACKEND=tensorflow",
        True,
    )
    return [Row(_PART, "keras.json", str(backend), f"{backend}, in {path}", fault)]
