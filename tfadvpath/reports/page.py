"""HTML pages that are one file: nothing is fetched when they are opened."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from tfadvpath.writers.atomic import replacing_file
from tfadvpath.writers.png import png_bytes


def write_page(path: Path | str, template: str, **values: Any) -> None:
    """Renders a template of ``tfadvpath/reports/templates`` into a file.

    Every value is escaped. Templates have the filters ``percent``, ``figure`` (both write a dash for None and
    NaN) and ``data_uri`` (of an RGB picture).
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfadvpath.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "figure": figure, "data_uri": data_uri}
    with replacing_file(path) as partial:
        partial.write_text(environment.get_template(template).render(values), encoding="utf-8")


def percent(share: float | None, digits: int = 0) -> str:
    """Returns a share in [0, 1] in percent."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def figure(value: float | None, digits: int = 2) -> str:
    """Returns a number with so many digits after the point."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def data_uri(picture: np.ndarray) -> str:
    """Returns an RGB picture uint8 [rows, columns, 3] as the address of an embedded PNG."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode("ascii")
