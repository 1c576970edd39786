"""Installed packages against what tfadvpath and its extras ask for."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tfadvpath.doctor.installation import Fault, Row

_PROJECT = "tfadvpath"
# Other builds of a package, which give the same import.
_SAME_IMPORT = {
    "opencv-python-headless": (
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
    "tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tf-nightly"),
}
# Missing packages that a row names; the JSON has all.
_NAMED = 4


class Packages:
    """The packages that are installed.

    Args:
        path: Folders to look for their metadata in; None is those that Python imports from.
    """

    def __init__(self, path: Sequence[str] | None = None):
        # An empty entry of sys.path is the working folder.
        self._path = [folder or str(Path.cwd()) for folder in sys.path] if path is None else list(path)
        self._known: dict[str, importlib.metadata.Distribution | None] = {}

    def find(self, name: str) -> importlib.metadata.Distribution | None:
        """Returns a package by its name; None where it is not installed or its metadata cannot be read."""
        if name not in self._known:
            found = importlib.metadata.Distribution.discover(name=name, path=self._path)
            self._known[name] = next((each for each in found if _version(each) is not None), None)
        return self._known[name]

    def version(self, name: str) -> str | None:
        """Returns the version of a package; None where it is not installed."""
        found = self.find(name)
        return None if found is None else _version(found)

    def requirements(self, name: str, extras: Sequence[str] = ()) -> list[Requirement]:
        """Returns what a package asks for on this machine, by itself and by its extras.

        Args:
            name: Name of an installed package; one that is not there asks for nothing.
            extras: Names of its extras.
        """
        found = self.find(name)
        needed = []
        for text in (found.requires if found is not None else None) or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue  # pip says so when it installs such a package
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                needed.append(requirement)
        return needed

    def extras(self, name: str) -> list[str]:
        """Returns the names of a package's extras, in the order of its metadata."""
        found = self.find(name)
        return [] if found is None else list(found.metadata.get_all("Provides-Extra") or ())


def package_rows(packages: Packages) -> list[Row]:
    """Returns a row for tfadvpath's metadata and for every package that its base asks for."""
    if packages.find(_PROJECT) is None:
        fault = Fault(
            "tfadvpath is not installed, only on the path",
            "what it needs is not known",
            "pip install tfadvpath",
            True,
        )
        return [Row("packages", _PROJECT, None, "no metadata", fault)]
    rows = [_row_of(packages, requirement) for requirement in packages.requirements(_PROJECT)]
    return [*rows, *_conflict_rows(packages), *_opencv_rows(packages)]


def extra_rows(packages: Packages) -> list[Row]:
    """Returns a row for every extra of tfadvpath: whether it is complete, and what is missing."""
    return [_extra_row(packages, extra) for extra in packages.extras(_PROJECT)]


def has_extra(packages: Packages, extra: str) -> bool:
    """Returns whether everything is installed that an extra of tfadvpath asks for."""
    return not _lacking(packages, extra)


def _row_of(packages: Packages, requirement: Requirement) -> Row:
    name, asked = requirement.name, str(requirement.specifier)
    version = packages.version(name)
    text = ""
    if version is None:
        other = next((each for each in _SAME_IMPORT.get(name, ()) if packages.version(each)), None)
        if other is not None:
            version = packages.version(other)
            text = f"{version}, by {other}, which gives the same import"
    if version is None:
        fault = Fault(f"{name} is not installed", "tfadvpath needs it", _install(requirement), True)
        return Row("packages", name, None, f"not installed, {asked} is needed", fault)
    if not _satisfies(version, requirement):
        fault = Fault(f"{name} is {version}", f"tfadvpath needs {asked}", _install(requirement), True)
        return Row("packages", name, version, f"{version}, {asked} is needed", fault)
    return Row("packages", name, version, text)


def _extra_row(packages: Packages, extra: str) -> Row:
    command = f"pip install '{_PROJECT}[{extra}]'"
    lacking = _lacking(packages, extra)
    asked = len(_of_extra(packages, extra))
    if not asked:
        return Row("extras", extra, None, "asks for nothing on this machine")
    if not lacking:
        return Row("extras", extra, True, "complete")
    words = []
    fault = None
    for requirement in lacking:
        version = packages.version(requirement.name)
        words.append(requirement.name if version is None else f"{requirement} ({version} is installed)")
        if version is not None and fault is None and not _satisfies(version, requirement):
            fault = Fault(
                f"{requirement.name} is {version}",
                f"the extra {extra} needs {requirement.specifier}",
                command,
                False,
            )
    names = tuple(requirement.name for requirement in lacking)
    if len(lacking) == asked and fault is None:
        return Row("extras", extra, names, f"not installed: {command}", fault)
    if len(words) > _NAMED:
        words[_NAMED - 1 :] = [f"{len(words) - _NAMED + 1} other packages"]
    return Row("extras", extra, names, f"lacks {', '.join(words)}: {command}", fault)


def _of_extra(packages: Packages, extra: str) -> list[Requirement]:
    """Returns what an extra asks for beside the base, the extras of these packages resolved."""
    base = {str(requirement) for requirement in packages.requirements(_PROJECT)}
    asked = [each for each in packages.requirements(_PROJECT, [extra]) if str(each) not in base]
    for requirement in list(asked):
        if requirement.extras:  # as tensorflow[and-cuda]
            itself = {str(each) for each in packages.requirements(requirement.name)}
            of_it = packages.requirements(requirement.name, sorted(requirement.extras))
            asked += [each for each in of_it if str(each) not in itself]
    return asked


def _lacking(packages: Packages, extra: str) -> list[Requirement]:
    lacking = []
    for requirement in _of_extra(packages, extra):
        version = packages.version(requirement.name)
        if version is None or not _satisfies(version, requirement):
            lacking.append(requirement)
    return lacking


def _conflict_rows(packages: Packages) -> Iterator[Row]:
    """Yields a row for each package below tfadvpath that is given something else than it asks for."""
    direct = {canonicalize_name(each.name) for each in packages.requirements(_PROJECT)}
    waiting = sorted(direct)
    seen = {canonicalize_name(_PROJECT), *waiting}
    clean = True
    while waiting:
        owner = waiting.pop(0)
        for requirement in packages.requirements(owner):
            name = canonicalize_name(requirement.name)
            version = packages.version(name)
            if name not in seen:
                seen.add(name)
                if version is not None:
                    waiting.append(name)
            missing = version is None and not any(map(packages.version, _SAME_IMPORT.get(name, ())))
            if not missing and (version is None or _satisfies(version, requirement)):
                continue
            clean = False
            what = f"{name} is not installed" if version is None else f"{name} is {version}"
            asks = f"{owner} {packages.version(owner)} needs {requirement.specifier or 'it'}"
            fault = Fault(what, asks, _install(requirement), True)
            yield Row("packages", f"{name} for {owner}", version, f"{what}, {asks}", fault)
    if clean:
        yield Row("packages", "conflicts", (), f"none among {len(seen)} packages, protobuf and numpy too")


def _opencv_rows(packages: Packages) -> Iterator[Row]:
    """Yields a row where several builds of OpenCV are installed: they write to one folder."""
    name = "opencv-python-headless"
    there = [each for each in (name, *_SAME_IMPORT[name]) if packages.version(each)]
    if len(there) < 2:
        return
    fault = Fault(
        f"{' and '.join(there)} are installed together",
        "they write to the same folder cv2, and the one that was installed last is imported",
        f"pip uninstall --yes {' '.join(there)} && pip install '{name}'",
        False,
    )
    yield Row("packages", "OpenCV", tuple(there), ", ".join(there), fault)


def _install(requirement: Requirement) -> str:
    return f"pip install '{requirement.name}{requirement.specifier}'"


def _version(found: importlib.metadata.Distribution) -> str | None:
    try:
        version = found.version
    except Exception:  # whatever damaged metadata leads to
        return None
    return version if isinstance(version, str) else None


def _satisfies(version: str, requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
