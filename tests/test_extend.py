"""The pages of docs/extend: what they add works by their own code alone, in as few files as they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "extend"
# Files of the package that a page may touch.
MOST_FILES = {"explainer": 1, "generator": 4, "data_set": 2, "reader": 1, "writer": 1, "metric": 2}
_BLOCK = re.compile(r"^```python\n# (new|append|try)(?:: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """What to do, the file, and the code of every block of a page."""
    return _BLOCK.findall((PAGES / f"{page}.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A copy of the package that pages change copies of; its networks stay where they are."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        ROOT / "tfadvpath", folder / "tfadvpath", ignore=shutil.ignore_patterns("__pycache__", "assets")
    )
    return folder


def extended(page: str, copied: Path, folder: Path) -> Path:
    """A copy of the package with a page's code in place."""
    shutil.copytree(copied / "tfadvpath", folder / "tfadvpath")
    (folder / "tfadvpath" / "assets").symlink_to(ROOT / "tfadvpath" / "assets")
    for verb, name, code in blocks(page):
        file = folder / (name or "try.py")
        assert file.exists() == (verb == "append"), f"{name} is {'not ' * (verb == 'append')}there"
        with file.open("a", encoding="utf-8") as opened:
            opened.write(code if verb != "append" else f"\n\n{code}")
    return folder


def run_page(page: str, copied: Path, folder: Path) -> None:
    place = extended(page, copied, folder)
    finished = subprocess.run(
        [sys.executable, "try.py"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]


def test_every_page_is_in_the_table():
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == set(MOST_FILES)
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    for page, most in MOST_FILES.items():
        assert re.search(rf"\({page}\.md\) \| {most} \|", index)


@pytest.mark.parametrize("page", MOST_FILES)
def test_a_page_touches_no_more_files_than_it_says(page):
    files = {name for verb, name, _ in blocks(page) if verb != "try"}
    assert 0 < len(files) <= MOST_FILES[page]
    assert all(name.startswith("tfadvpath/") for name in files)
    assert [verb for verb, _, _ in blocks(page)].count("try") == 1


@pytest.mark.slow
@pytest.mark.parametrize("page", ["reader", "metric"])
def test_what_a_page_adds_works(page, copied, tmp_path):
    run_page(page, copied, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["explainer", "generator", "data_set", "writer"])
def test_what_a_page_adds_works_with_networks(page, copied, tmp_path):
    run_page(page, copied, tmp_path)


@pytest.mark.parametrize("page", MOST_FILES)
def test_the_code_of_a_page_keeps_the_projects_style(page, copied, tmp_path):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed: it comes with the extra dev")
    place = extended(page, copied, tmp_path)
    files = [name for verb, name, _ in blocks(page) if verb != "try"]
    checked = subprocess.run(
        [ruff, "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "I001", *files],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_a_page_that_is_wrong_is_seen(copied, tmp_path):
    place = extended("reader", copied, tmp_path)
    reader = place / "tfadvpath" / "studies" / "numpy_file.py"
    reader.write_text(reader.read_text(encoding="utf-8").replace("@register\n", ""), encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "try.py"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is of no format that is read" in finished.stderr
