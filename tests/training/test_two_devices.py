import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_one_step_on_two_devices_is_one_step_on_one():
    script = Path(__file__).with_name("two_devices.py")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    stages = json.loads(done.stdout.splitlines()[-1])
    assert set(stages) == {"cyce", "sagen", "fixed_point_gan"}
    for name, step in stages.items():
        assert step["start"] == 0, name
        assert step["moved"] > 1e-2, name
        # float32 sums in another order; a sum for a mean, or clipping by halves, is as large as the step.
        assert step["difference"] < 1e-5 * step["moved"], name
        assert step["loss"][0] == pytest.approx(step["loss"][1], rel=1e-5), name
