"""What stands on an HTML page."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image


class Page(HTMLParser):
    """The parts of a page that tests ask for.

    Attributes:
        html: The page as it was written.
        tags: Every tag that begins, with its attributes, in their order.
        text: All text, with one space between words.
        tables: The texts of the cells of every row of a table, by its caption.
    """

    def __init__(self, html: str):
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._tables: list[tuple[list[str], list[list[str]]]] = []
        self._open: list[str] | None = None  # the caption or the row whose last text is being read
        self.feed(html)
        self.text = _spaced(self.text)
        self.tables = {
            _spaced(caption[0]): [[_spaced(cell) for cell in row] for row in rows]
            for caption, rows in self._tables
        }

    @property
    def images(self) -> list[dict[str, str | None]]:
        """The attributes of every picture."""
        return [attributes for tag, attributes in self.tags if tag == "img"]

    @property
    def fetched(self) -> list[str]:
        """What a browser would load or run beside the page."""
        tags = [tag for tag, _ in self.tags if tag in ("script", "link", "iframe")]
        sources = [image["src"] for image in self.images]
        outside = [source for source in sources if not re.match("data:image/(png|jpeg);base64,", source)]
        return tags + outside + re.findall(r"https?:|url\(", self.html)

    def picture(self, place: int) -> np.ndarray:
        """The pixels of a picture, uint8 [rows, columns, 3], by its place among all."""
        content = base64.b64decode(self.images[place]["src"].partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    def row(self, title: str) -> list[str]:
        """The cells behind the title of the one row that has it."""
        rows = [row for table in self.tables.values() for row in table]
        [cells] = [cells for first, *cells in rows if first == title]
        return cells

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "br":
            self.handle_data(" ")
        elif tag == "table":
            self._tables.append(([], []))
        elif tag == "tr":
            self._tables[-1][1].append([])
        elif tag in ("caption", "td", "th"):
            caption, rows = self._tables[-1]
            self._open = caption if tag == "caption" else rows[-1]
            self._open.append("")

    def handle_endtag(self, tag):
        if tag in ("caption", "td", "th"):
            self._open = None

    def handle_data(self, data):
        self.text += data
        if self._open is not None:
            self._open[-1] += data


def _spaced(text: str) -> str:
    return " ".join(text.split())
