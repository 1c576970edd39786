"""What is made of what the programs tell, and the program that reads samples."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfadvpath.doctor.program import run_program
from tfadvpath.doctor.trials import reading_rows, tensorflow_rows, try_files

DEVICES = {"step": "devices", "gpus": [], "with_cuda": True, "onednn": True}
GPU = {"name": "NVIDIA H200", "compute_capability": "9.0"}


def named(rows):
    return {row.name: row for row in rows}


def test_a_format_that_is_not_read_names_its_package():
    rows = named(
        reading_rows(
            [
                {"name": "PNG", "problem": None},
                {"name": "DICOM, JPEG-LS", "problem": "is compressed, and no decoder is installed"},
                {"name": "DICOM, JPEG Lossless", "problem": "is compressed, and no decoder is installed"},
            ]
        )
    )
    assert rows["PNG"].value is True
    assert rows["DICOM, JPEG-LS"].fault.is_needed
    assert rows["DICOM, JPEG-LS"].fault.remedy == "pip install --force-reinstall pyjpegls"
    # No decoder of it comes with the base.
    assert rows["DICOM, JPEG Lossless"].fault is None
    assert rows["DICOM, JPEG Lossless"].shown == "no: pip install python-gdcm"


def test_a_library_of_the_desktop_that_is_missing_has_its_own_remedy():
    failure = "cannot begin (ImportError: libGL.so.1: cannot open shared object file)"
    [row] = reading_rows([{"failure": failure}])
    assert "pip uninstall --yes opencv-python " in row.fault.remedy


@pytest.mark.parametrize(
    ("has_libraries", "facts", "environment", "remedy"),
    [
        (False, {}, {}, "pip install 'tfadvpath[gpu]'"),
        (None, {}, {}, "pip install 'tfadvpath[gpu]'"),
        (True, {}, {}, "See its remarks: TF_CPP_MIN_LOG_LEVEL=0 tfadvpath doctor"),
        (True, {"with_cuda": False}, {}, "pip install --force-reinstall tensorflow"),
        (True, {}, {"CUDA_VISIBLE_DEVICES": "-1"}, "unset CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_driver_without_a_gpu_in_tensorflow_has_its_remedy(has_libraries, facts, environment, remedy):
    rows = named(tensorflow_rows([DEVICES | facts], has_libraries, True, environment))
    assert rows["GPU"].fault.remedy == remedy
    assert not rows["GPU"].fault.is_needed


def test_no_driver_is_no_fault_and_a_gpu_is_named():
    assert named(tensorflow_rows([DEVICES], False, False, {}))["GPU"].fault is None
    rows = named(tensorflow_rows([DEVICES | {"gpus": [GPU, GPU]}], True, True, {}))
    assert rows["GPU 1"].shown == "NVIDIA H200, compute capability 9.0"
    assert "GPU" not in rows


@pytest.mark.parametrize(("onednn", "shown"), [(True, "on"), (False, "off"), (None, "unknown")])
def test_onednn_is_on_or_off_or_unknown(onednn, shown):
    facts = DEVICES | {"onednn": onednn}
    rows = named(tensorflow_rows([facts], False, False, {"TF_ENABLE_ONEDNN_OPTS": "1"}))
    assert rows["oneDNN"].shown == shown


def test_the_bundle_and_tensorflow_are_needed_and_xla_is_not():
    told = [
        {"step": "xla", "problem": "InternalError: no ptxas"},
        {"step": "bundle", "problem": "InputError: classifier.keras: the file is changed. Copy it again."},
        {"failure": "was ended by the signal SIGILL"},
    ]
    xla, bundle, trial = tensorflow_rows(told, False, False, {})
    assert not xla.fault.is_needed
    assert bundle.fault.is_needed
    assert trial.fault.is_needed
    assert str(trial.fault).startswith("the trial of TensorFlow was ended by the signal SIGILL: ")


def test_the_speed_is_in_operations_and_maps_a_second():
    maps = {"rate": 8.25, "rows": 64, "columns": 64, "batch": 16, "compile_seconds": 9.6}
    told = [
        {"step": "float32", "rate": 1.234567e12, "problem": None},
        {"step": "bfloat16", "rate": None, "problem": "OpError: none"},
        {"step": "maps", "problem": None, **maps},
    ]
    product, failed, made = tensorflow_rows(told, False, False, {})
    assert product.value == 1.235e12
    assert product.shown == "1,235 billion operations a second"
    assert not failed.fault.is_needed
    assert made.shown == "8.2 of 64 x 64 pixels by the shipped SyCE, 16 at once; compiled in 10 s"


@pytest.mark.slow
def test_every_sample_is_read_here_but_jpeg_lossless():
    steps = []
    rows = named(try_files(lambda: steps.append(1)))
    assert len(steps) == len(rows) == 10
    assert {name for name, row in rows.items() if row.value is not True} <= {"DICOM, JPEG Lossless"}


PROGRAM = """
import os, signal, sys, time
from tfadvpath.doctor.program import tell
def main(how):
    print("a library's remark")
    tell(step="first")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGILL)
    if how == "hangs":
        time.sleep(60)
    if how == "fails":
        raise ImportError("no module\\nof this name")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("ends", None),
        ("killed", "was ended by the signal SIGILL"),
        ("hangs", "did not end within 3 s"),
        ("fails", "failed (of this name)"),
    ],
)
def test_a_program_that_crashes_or_hangs_is_said(tmp_path, monkeypatch, how, failure):
    (tmp_path / "trial_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    told = list(run_program("trial_program", how, seconds=3))
    assert told == [{"step": "first"}, *([] if failure is None else [{"failure": failure}])]


@pytest.mark.slow
def test_the_check_itself_imports_no_package():
    """Where one of them is missing, the check must be able to say so."""
    program = (
        "import sys, tfadvpath; tfadvpath.check_installation; "
        "sys.exit(str({'numpy', 'rich', 'typer', 'pydantic', 'packaging', 'yaml'} & set(sys.modules) or ''))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.stderr.strip() == ""
