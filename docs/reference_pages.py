"""The reference: a page for each namespace of public names, and no other."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

# What a person imports: `import tfadvpath as tap`, then tap.NAME or tap.NAMESPACE.NAME.
NAMESPACES = {
    "tfadvpath": "The functions and data types at the top: `import tfadvpath as tap`.",
    "tfadvpath.explainers": "Explainers by name, and their classes.",
    "tfadvpath.generators": "Networks that train against a classifier.",
    "tfadvpath.metrics": "Metrics of maps and of classifiers.",
    "tfadvpath.models": "The networks, without losses.",
    "tfadvpath.serving": "Clients of a server that answers with explanations.",
}


def write_reference_pages(out: Path) -> None:
    """Writes a page for each namespace, and index.md. Pages of namespaces that are gone are removed."""
    pages = {f"{namespace}.md": page_of(namespace, about) for namespace, about in NAMESPACES.items()}
    names = "\n".join(page.removesuffix(".md") for page in pages)
    pages["index.md"] = f"# Public names\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        page = out / name
        # An unchanged page keeps its time, so that Sphinx does not build it again.
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def page_of(namespace: str, about: str) -> str:
    """Returns the page of a namespace: its functions, then its classes, each in the order of the alphabet."""
    module = importlib.import_module(namespace)
    functions, classes = [], []
    for name in sorted(module.__all__, key=str.casefold):
        value = getattr(module, name)
        if inspect.isclass(value):
            classes.append(f".. autoclass:: {namespace}.{name}")
        elif inspect.isfunction(value):
            functions.append(f".. autofunction:: {namespace}.{name}")
    parts = [f"# `{namespace}`", about]
    for title, directives in (("Functions", functions), ("Classes", classes)):
        if directives:
            body = "\n\n".join(directives)
            parts.append(f"## {title}\n\n```{{eval-rst}}\n{body}\n```")
    return "\n\n".join(parts) + "\n"
