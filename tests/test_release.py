"""What a release needs: metadata, one version everywhere, workflows that call what the Makefile has."""

from __future__ import annotations

import configparser
import glob
import itertools
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
PATTERNS = SETUP["options.package_data"]["tfadvpath"].split()
YAML_FILES = sorted((ROOT / ".github").rglob("*.yml"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def found(pattern: str, name: str) -> str:
    match = re.search(pattern, read(name), re.MULTILINE)
    assert match is not None, f"{name} has no line {pattern}"
    return match[1]


def packaged(pattern: str) -> set[str]:
    # As setuptools looks for them; before Python 3.13 ** of Path.glob finds folders alone.
    paths = glob.glob(pattern, root_dir=ROOT / "tfadvpath", recursive=True)  # noqa: PTH207
    return {path for path in paths if (ROOT / "tfadvpath" / path).is_file()}


def make_targets(workflow: dict) -> set[str]:
    """The targets that its steps call, for every value of the jobs' matrices."""
    targets = set()
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for values in itertools.product(*matrix.values()):
            for step in job.get("steps", []):
                text = step.get("run", "")
                for key, value in zip(matrix, values, strict=True):
                    text = text.replace(f"${{{{ matrix.{key} }}}}", value)
                for call in re.findall(r"^\s*make (.+)$", text, re.MULTILINE):
                    targets |= {word for word in call.split() if "=" not in word}
    return targets


@pytest.mark.parametrize("key", ["author", "url", "project_urls", "keywords"])
def test_the_metadata_says_whose_package_it_is_and_where_it_lives(key):
    assert SETUP["metadata"].get(key, "").strip()


def test_the_metadata_says_that_the_package_is_typed():
    assert "Typing :: Typed" in SETUP["metadata"]["classifiers"].splitlines()
    assert "py.typed" in PATTERNS


def test_the_version_is_the_same_in_the_package_the_citation_and_the_changelog():
    assert SETUP["metadata"]["version"] == "attr: tfadvpath._version.__version__"
    version = found(r'^__version__ = "(.+)"$', "tfadvpath/_version.py")
    assert found(r"^version: (.+)$", "CITATION.cff") == version
    assert found(r"^## \[(.+)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$", "CHANGELOG.md") == version


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_of_package_data_names_a_file(pattern):
    assert packaged(pattern)


def test_every_template_is_package_data():
    package = ROOT / "tfadvpath"
    templates = {str(path.relative_to(package)) for path in package.rglob("templates/*")}
    assert templates
    assert templates <= set().union(*map(packaged, PATTERNS))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_what_github_reads_is_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


@pytest.mark.parametrize("name", ["checks.yml", "lowest.yml", "release.yml"])
def test_workflows_call_targets_that_the_makefile_has(name):
    called = make_targets(yaml.safe_load(read(f".github/workflows/{name}")))
    assert called
    assert called <= set(re.findall(r"^([a-z][a-z-]*):(?!=)", read("Makefile"), re.MULTILINE))


def test_github_runs_what_the_script_of_all_checks_runs():
    in_script = found(r"^for target in (.+); do$", ".ci/run").split()
    in_script += found(r"^side_by_side=\((.+)\)$", ".ci/run").split()
    assert make_targets(yaml.safe_load(read(".github/workflows/checks.yml"))) == set(in_script)
