"""Sphinx settings. `make docs` builds the pages, warnings are errors."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from reference_pages import write_reference_pages  # noqa: E402  lies beside this file

project = "tfadvpath"
author = "The tfadvpath developers"
release = version = installed_version("tfadvpath")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tfadvpath {release}"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Attributes as a list: as entries of their own they would stand twice beside a dataclass's fields.
napoleon_use_ivar = True
# What is not installed here; a page of the reference needs its name only.
OPTIONAL = ("tensorflow_serving",)
autodoc_mock_imports = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]

write_reference_pages(DOCS / "reference" / "names")


def escape_bars(_app, _what, _name, _object, _options, lines: list[str]) -> None:
    """Lets the plain-text equations say |x|, which reStructuredText takes for the name of a substitution."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[number] = "``".join(parts)


def setup(app) -> None:
    """Connects the change of docstrings, after napoleon's own (priority 500)."""
    app.connect("autodoc-process-docstring", escape_bars, priority=600)
