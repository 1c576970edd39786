"""bundles/phantom_brain gives the maps, measurements and export that it gave at revision 62b59e2."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("make_golden.py")
GOLDEN = SCRIPT.parent / "golden" / "revision_62b59e2.npz"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_golden", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.mark.slow
def test_maps_measurements_and_export_are_as_they_were(script, golden):
    assert script.differences(golden, script.computed()) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("explain/fi_v2_smooth", lambda values: values[:, ::-1]),
        ("explain/score", lambda values: values + 0.01),
        ("evaluate/numbers", lambda values: values + 0.01),
        ("evaluate/names", lambda values: np.char.replace(values, "iou", "iou2")),
        ("export/map", lambda values: 1.02 * values),
    ],
)
def test_another_result_is_seen(script, golden, name, change):
    assert script.differences(golden, golden) == []
    (line, *_) = script.differences(golden, {**golden, name: change(golden[name])})
    assert line.startswith(f"{name}: ")
