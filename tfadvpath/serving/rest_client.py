"""Client over REST: JSON, several times the bytes of gRPC, and no package beyond Python's own."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from tfadvpath.errors import InputError, quoted
from tfadvpath.serving.base import Arrays, Client
from tfadvpath.serving.failures import Unavailable, remedy

# Decimals that are sent: the step between float32 numbers below 1 is 6e-8.
_DECIMALS = 9
_UNAVAILABLE = 503
# Nobody can have worked on the request: it may be sent again. After any other failure somebody may be at it.
_NOT_SENT = (ConnectionRefusedError, socket.gaierror)


class RestClient(Client):
    """Calls TensorFlow Serving's REST interface.

    Args:
        address: Address such as "http://127.0.0.1:8501"; https where the server or a proxy before it has a
            certificate.
        model: Name of the model at the server.
        **options: Options of ``Client``. The server's own --rest_api_timeout_in_ms must be as long as
            ``timeout``: it is 30 seconds unless said.

    Usage::

        explained = RestClient("http://127.0.0.1:8501", "phantom_brain").explain_study("scan.dcm")
    """

    def __init__(self, address: str, model: str, **options: Any):
        super().__init__(address.rstrip("/"), model, **options)
        if not _is_address(address):
            raise InputError(address, "is no address of a REST interface", "Write it as http://HOST:8501")

    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        columns = {name: _as_json(values) for name, values in inputs.items()}
        answer = self._send(":predict", {"signature_name": signature, "inputs": columns})
        try:
            outputs = answer["outputs"]
            if not isinstance(outputs, dict):  # a single output has no name in JSON
                outputs = {"probability": outputs}
            return {name: _as_array(values) for name, values in outputs.items()}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export(f"{signature} answers what holds no outputs") from error

    def request_image_shape(self) -> tuple[int, ...]:
        answer = self._send("/metadata", None)
        try:
            signatures = answer["metadata"]["signature_def"]["signature_def"]
            dimensions = signatures["serving_default"]["inputs"]["images"]["tensor_shape"]["dim"]
            return tuple(int(dimension["size"]) for dimension in dimensions)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export("its metadata has no serving_default of images") from error

    def _send(self, verb: str, body: Any) -> Any:
        """POSTs JSON, GETs where there is none, and returns the JSON that comes back."""
        which = "" if self.version is None else f"/versions/{self.version}"
        which = which if self.label is None else f"/labels/{urllib.parse.quote(self.label)}"
        address = f"{self.address}/v1/models/{urllib.parse.quote(self.model)}{which}{verb}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
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
            raise self.no_export("it answers what is no JSON") from error

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
                "Check the server's certificate; write http:// where it has none",
            )
        # Not sent again: the server may be at work on the request.
        return InputError(self.address, f"gave no whole answer ({cause})", "Look at the server's log")


def _is_address(address: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _as_json(values: np.ndarray) -> list[Any]:
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _as_array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype == bool else array.astype(np.float32)


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        text = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return error.reason
    try:
        return quoted(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return quoted(text) if text.strip() else error.reason
