"""The names that others script against."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tfadvpath


@pytest.mark.parametrize("name", sorted(set(tfadvpath.__all__) - {"DEMONSTRATION"}))
def test_every_public_name_is_what_it_says(name):
    assert getattr(tfadvpath, name).__name__.rpartition(".")[2] == name


def test_the_demonstration_is_a_folder_with_a_bundle():
    assert (tfadvpath.DEMONSTRATION / "manifest.json").is_file()


def test_the_names_are_found_by_dir():
    assert set(tfadvpath.__all__) <= set(dir(tfadvpath))


def test_a_type_checker_sees_the_same_names():
    tree = ast.parse(Path(tfadvpath.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {alias.asname or alias.name for node in block.body for alias in node.names}
    assert imported == set(tfadvpath.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tfadvpath' has no attribute 'grad_cam'"):
        _ = tfadvpath.grad_cam


@pytest.mark.parametrize(
    "code",
    [
        "import tfadvpath",
        "import tfadvpath.datasets",
        "import tfadvpath.cli.main",
        "from tfadvpath import InputError, load_recipe, prepare, Recipe, read_study, serving, Study",
    ],
)
def test_importing_does_not_wait_for_tensorflow(code):
    check = "import sys; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)
