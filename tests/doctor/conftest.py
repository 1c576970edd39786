"""Made-up installations."""

from __future__ import annotations

import pytest

from tfadvpath.doctor.packages import Packages


@pytest.fixture
def installed(tmp_path):
    """Returns a function that installs the metadata of packages, and gives them.

    Its arguments are names with a version, or with a version and what they require. `extras` of a name are
    declared by `Provides-Extra`.
    """

    def install(packages, extras=None):
        for name, about in packages.items():
            version, requires = (about, ()) if isinstance(about, str) else about
            folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
            folder.mkdir()
            lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
            lines += [f"Requires-Dist: {one}" for one in requires]
            lines += [f"Provides-Extra: {one}" for one in (extras or {}).get(name, ())]
            (folder / "METADATA").write_text("\n".join(lines) + "\n")
        return Packages([str(tmp_path)])

    return install
