"""The whole check, on this machine and where TensorFlow is broken."""

from __future__ import annotations

import json
import os

import pytest

import tfadvpath
from tfadvpath.doctor.trials import try_tensorflow


@pytest.mark.slow
def test_this_installation_is_whole(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    told = []
    installation = tfadvpath.check_installation(
        speed=False, on_progress=lambda title, amount, total: told.append((title, amount, total))
    )
    assert installation.is_whole, str(installation)
    found = json.loads(json.dumps(installation.as_json()))["found"]
    assert found["system"]["tfadvpath"] == tfadvpath.__version__
    assert found["processor"]["cores"] == len(os.sched_getaffinity(0))
    assert found["computing"]["XLA"] is found["computing"]["shipped bundle"] is True
    assert "speed" not in found
    for title in {title for title, _, _ in told}:
        amounts = [amount for other, amount, _ in told if other == title]
        totals = {total for other, _, total in told if other == title}
        assert amounts[0] == 0
        assert totals == {sum(amounts)}


@pytest.mark.slow
def test_another_backend_is_a_fault_and_the_networks_are_tried_as_the_commands_do(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    rows = try_tensorflow(False, None)
    assert not any(row.fault for row in rows if row.fault and row.fault.is_needed)
    assert {row.name: row.value for row in rows}["shipped bundle"] is True


@pytest.mark.slow
def test_a_tensorflow_that_cannot_be_imported_is_one_fault(tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libtensorflow.so.2: no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    [row] = try_tensorflow(True, None)
    assert str(row.fault) == (
        "the trial of TensorFlow failed (ImportError: libtensorflow.so.2: no such file): "
        "nothing can be explained or trained. pip install --force-reinstall tensorflow keras"
    )


@pytest.mark.slow
def test_the_speed_is_measured_by_matrix_products_and_maps(monkeypatch):
    program = pytest.importorskip("tfadvpath.doctor.try_tensorflow")
    monkeypatch.setattr(program, "_SECONDS_OF_PRODUCTS", 0.05)
    assert program._product_rate("float32", 64) > 1e6
    count, seconds = program._repeated(lambda: None, 0.02)
    assert count > 1
    assert seconds >= 0.02
