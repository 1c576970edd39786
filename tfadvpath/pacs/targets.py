"""Addresses of archives: DICOMweb by a URL, DICOM's own protocol by AET@HOST:PORT."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from tfadvpath.errors import InputError, quoted

# 16 characters without a backslash or a control character (PS3.5, 6.2).
_AET = r"[ -\[\]-~]{1,16}"
_HOST = r"\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+"
_NODE = re.compile(rf"(?P<aet>{_AET})@(?P<host>{_HOST}):(?P<port>\d{{1,5}})")
_FORMS = "Write it as https://HOST/dicom-web or AET@HOST:PORT"


@dataclass(frozen=True)
class WebTarget:
    """DICOMweb at an address.

    Attributes:
        url: Root of DICOMweb, without a slash at its end.
        host: Name or number of the machine.
        is_encrypted: Whether the scheme is https.
    """

    url: str
    host: str
    is_encrypted: bool

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class NodeTarget:
    """DICOM application at a port.

    Attributes:
        aet: Title of the application that is called.
        host: Name or number of the machine.
        port: Port, from 1.
    """

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


def parse_target(text: str) -> WebTarget | NodeTarget:
    """Returns the archive that an address names.

    Args:
        text: URL of DICOMweb's root, or AET@HOST:PORT.

    Raises:
        InputError: It is neither, or holds a password.
    """
    if "://" in text:
        return _web(text)
    node = _NODE.fullmatch(text)
    if node is None or not node["aet"].strip() or not 0 < int(node["port"]) < 2**16:
        raise InputError("`target`", f"{quoted(text)} is no address of an archive", _FORMS)
    return NodeTarget(node["aet"].strip(), node["host"].strip("[]"), int(node["port"]))


def check_aet(aet: str) -> None:
    """Refuses what is no title of an application.

    Args:
        aet: Title that this side calls itself by.

    Raises:
        InputError: It is too long, blank, or has a character that no title has.
    """
    if not re.fullmatch(_AET, aet) or not aet.strip():
        raise InputError(
            "`calling_aet`", f"{quoted(aet)} is no AE title", "Write 1 to 16 letters, without a backslash"
        )


def _web(text: str) -> WebTarget:
    try:
        parts = urllib.parse.urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        is_address = False
    if is_address and (parts.username is not None or parts.password is not None):
        # It is not shown, and was seen by whoever lists processes.
        raise InputError("`target`", "holds a user or a password", "Leave them out and give a token")
    if not is_address or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise InputError("`target`", f"{quoted(text)} is no address of DICOMweb", _FORMS)
    return WebTarget(text.rstrip("/"), parts.hostname or "", parts.scheme == "https")
