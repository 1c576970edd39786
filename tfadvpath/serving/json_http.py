"""JSON over HTTP, with what goes wrong on the way said in one line."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tfadvpath.errors import InputError, quoted
from tfadvpath.serving.access import Access
from tfadvpath.serving.failures import Unavailable, remedy

_UNAVAILABLE = 503
# Nobody can have worked on the request: it may be sent again. After any other failure somebody may be at it.
_NOT_SENT = (ConnectionRefusedError, socket.gaierror)


class NoJson(Exception):
    """The server's answer is no JSON."""


class JsonHttp:
    """Sends JSON to a server and returns the JSON that it answers.

    Args:
        address: Address such as "http://127.0.0.1:8501", without a path.
        access: Certificates, token and headers, and whether proxies are used.
        timeout: Seconds for one request.

    Raises:
        InputError: The address is none, a file of ``access`` cannot be used, or its token would be sent
            unencrypted.
    """

    def __init__(self, address: str, access: Access, timeout: float):
        if not _is_address(address):
            raise InputError(address, "is no address of a REST interface", "Write it as http://HOST:8501")
        self.address, self.timeout = address.rstrip("/"), timeout
        parts = urllib.parse.urlsplit(address)
        is_encrypted = parts.scheme == "https"
        access.check_secret(address, parts.hostname or "", is_encrypted)
        self._headers = {"Content-Type": "application/json", **access.headers}
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if not access.proxy:
            handlers.append(urllib.request.ProxyHandler({}))
        if is_encrypted:
            handlers.append(urllib.request.HTTPSHandler(context=access.ssl_context()))
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, path: str, body: Any) -> Any:
        """POSTs JSON, GETs where there is none, and returns the JSON that comes back.

        Args:
            path: Path behind the address, quoted.
            body: Anything that JSON holds; None is no body.

        Raises:
            Unavailable: The server cannot be reached now.
            InputError: The server refuses, or gives no whole answer in time.
            NoJson: It answers something else.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, self._headers)
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            reason = _reason(error)
            if error.code == _UNAVAILABLE:
                raise Unavailable(reason) from error
            raise InputError(
                self.address, f"answers {error.code}: {reason}", remedy(str(error.code), reason)
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(
                error.reason if isinstance(error, urllib.error.URLError) else error
            ) from error
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise NoJson from error

    def _failure(self, cause: BaseException | str) -> Exception:
        """Returns the error of a request that nobody answered, or not to the end."""
        if isinstance(cause, _NOT_SENT):
            return Unavailable(str(cause))
        if isinstance(cause, TimeoutError):
            return InputError(
                self.address,
                f"did not answer within {self.timeout:g} s",
                "Send fewer images at once or allow more time",
            )
        if isinstance(cause, ssl.SSLError):
            return InputError(
                self.address,
                f"makes no secure connection ({cause})",
                "Check the certificates; write http:// where the server has none",
            )
        # Not sent again: the server may be at work on the request.
        return InputError(self.address, f"gave no whole answer ({cause})", "Look at the server's log")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would go with it, to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _is_address(address: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        text = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return error.reason
    try:
        return quoted(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return quoted(text) if text.strip() else error.reason
