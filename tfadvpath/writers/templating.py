"""Texts from templates: HTML, where every value is escaped, and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jinja2


def render(
    package: str,
    template: str,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> str:
    """Returns a template's text.

    Args:
        package: Package whose folder ``templates/`` holds the template. Templates may build on those of
            ``tfadvpath.writers``.
        template: File name; in one that ends in .html every value is escaped.
        filters: Filters of the template by name.
        **values: Names that the template uses.

    Raises:
        jinja2.UndefinedError: The template uses a name that was not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package), jinja2.PackageLoader("tfadvpath.writers")],
        ),
        autoescape=template.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not template.endswith(".html"),
    )
    environment.filters |= dict(filters or {})
    return environment.get_template(template).render(values)
