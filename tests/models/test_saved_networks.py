"""A saved network of a bundle loads by Keras alone, whichever of Keras and this package came first."""

import subprocess
import sys

import pytest

import tfadvpath

NETWORK = tfadvpath.DEMONSTRATION / "syce" / "generator_0.keras"
LOAD = f"""
model = keras.saving.load_model({str(NETWORK)!r}, compile=False)
assert type(model).__module__ == "tfadvpath.models.unet", type(model)
assert model.encode(keras.ops.zeros((1, 128, 128, 1)))[0].shape[0] == 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import tfadvpath, keras",
        "import keras, tfadvpath",
        # Who only looks whether Keras is there does not import it.
        "import importlib.util, tfadvpath; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_a_generator_loads_after_importing_the_package_alone(imports):
    command = [sys.executable, "-c", imports + LOAD]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.slow
def test_without_the_package_it_does_not():
    """The test above can fail: Keras itself does not know the class."""
    command = [sys.executable, "-c", "import keras" + LOAD]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Could not locate class 'UNet'" in finished.stderr
