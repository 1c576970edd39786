import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def stages():
    script = Path(__file__).with_name("two_devices.py")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cyce", "fixed_point_gan"])
def test_one_step_on_two_devices_is_one_step_on_one(stages, name):
    step = stages[name]
    assert step["start"] == 0
    assert step["moved"] > 1e-2
    # float32 sums in another order; a sum for a mean, or clipping by halves, is as large as the step.
    assert step["difference"] < 1e-5 * step["moved"]
    assert step["loss"][0] == pytest.approx(step["loss"][1], rel=1e-5)


@pytest.mark.slow
def test_pairs_are_measured_on_two_devices_as_on_one(stages):
    one, two = stages["cyce"]["adversary_sharpness"]
    assert one == pytest.approx(two, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copy", "undo"])
def test_a_warm_up_on_two_devices_is_one_on_one(stages, name):
    steps = stages[f"warm-up, {name}"]
    assert steps["start"] == 0
    assert steps["moved"] > 1e-2
    # Adam divides a gradient by its size: where it is small, rounding moves a single weight further.
    assert steps["typical_difference"] < 1e-5 * steps["moved"]
    assert steps["difference"] < 1e-3 * steps["moved"]
