"""The names that others script against."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tfadvpath


@pytest.mark.parametrize("name", tfadvpath.__all__)
def test_every_public_name_is_there(name):
    assert getattr(tfadvpath, name).__name__.rpartition(".")[2] == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'grad_cam'"):
        _ = tfadvpath.grad_cam


@pytest.mark.parametrize("module", ["tfadvpath", "tfadvpath.datasets", "tfadvpath.cli.main"])
def test_importing_does_not_wait_for_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
