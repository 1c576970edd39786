"""One page of the reference for every module of the package that exists, and their table."""

from __future__ import annotations

import ast
from pathlib import Path


def write_reference_pages(package: Path, out: Path) -> None:
    """Writes a page for each module that defines a public name, and index.md.

    Pages of modules that are gone are removed.
    """
    pages = {}
    for file in sorted(package.rglob("*.py")):
        parts = (package.name, *file.relative_to(package).with_suffix("").parts)
        if file.name == "__init__.py" or any(part.startswith("_") for part in parts):
            continue
        if has_public_name(file):
            name = ".".join(parts)
            pages[f"{name}.md"] = f"# `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n"
    names = "\n".join(page.removesuffix(".md") for page in pages)
    pages["index.md"] = f"# Modules\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        page = out / name
        # An unchanged page keeps its time, so that Sphinx does not build it again.
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def has_public_name(file: Path) -> bool:
    """Whether the file defines a function or class without a leading underscore."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) and not node.name.startswith("_") for node in tree.body)
