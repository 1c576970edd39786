"""What is installed is what stands in the source tree."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_folder_with_modules_is_a_package():
    # find: in setup.cfg leaves a folder without __init__.py out of the wheel, and says nothing.
    folders = {file.parent for file in (ROOT / "tfadvpath").rglob("*.py")}
    missing = sorted(
        str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()
    )
    assert missing == []


def bounds() -> dict[str, str]:
    """The lower bound of every package that is named."""
    config = setup_cfg()
    lines = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    found = re.findall(r"^([\w-]+)(?:\[.+\])?>=([\d.]+)", "\n".join(lines), re.MULTILINE)
    return dict(found)


def test_the_reasons_of_lower_bounds_are_those_of_setup_cfg():
    page = (ROOT / "docs" / "decisions" / "0026_dependency_floors.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", page, re.MULTILINE))
    assert len(reasons) > 5
    assert reasons.items() <= bounds().items()


@pytest.mark.parametrize("name", ["tensorflow-addons", "pylibjpeg-libjpeg", "opencv-python"])
def test_a_package_that_was_decided_against_is_not_required(name):
    required = setup_cfg()["options"]["install_requires"] + "\n".join(
        setup_cfg()["options.extras_require"].values()
    )
    names = {re.split(r"[\[<>=!~ ]", line.strip())[0] for line in required.splitlines()}
    assert name not in names
