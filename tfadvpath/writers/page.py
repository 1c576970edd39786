"""HTML pages that are one file: nothing is fetched when they are opened."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.files import write_text
from tfadvpath.writers.png import png_bytes
from tfadvpath.writers.templating import render


def write_page(path: Path | str, package: str, template: str, **values: Any) -> None:
    """Renders a template into a file.

    Templates have the filters ``percent``, ``number`` (both write a dash for None and NaN) and ``data_uri``
    (of an RGB picture).

    Args:
        path: File to write.
        package: Package whose folder ``templates/`` holds the template; it may build on ``page.html``.
        template: File name, ending in .html.
        **values: Names that the template uses; every value is escaped.
    """
    filters: dict[str, Callable[..., Any]] = {"percent": percent, "number": number, "data_uri": data_uri}
    write_text(path, render(package, template, filters, **values))


def percent(share: float | None, digits: int = 0) -> str:
    """Returns a share in [0, 1] in percent."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """Returns a number with so many digits after the point."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def data_uri(picture: np.ndarray) -> str:
    """Returns an RGB picture uint8 [rows, columns, 3] as the address of an embedded PNG."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode("ascii")
