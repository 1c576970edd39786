"""The client over REST: JSON, several times the bytes of gRPC, and no package beyond Python's own."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.saved_model.client.base import Arrays, Client
from tfadvpath.saved_model.client.retries import Unavailable

# Decimals that are sent: the step between float32 numbers below 1 is 6e-8.
_DECIMALS = 9
_UNAVAILABLE = 503
_REMEDIES = {
    400: "Check that the model is an export of this package and takes images of that size",
    404: "Check the model's name, version and label",
    413: "Send fewer images at once",
    504: "Send fewer images at once, and start the server with a longer --rest_api_timeout_in_ms",
}


class RestClient(Client):
    """Calls TensorFlow Serving's REST interface.

    Args:
        address: Such as "http://127.0.0.1:8501"; https where the server or a proxy before it has a
            certificate.
        model: As of ``Client``.
        **options: As of ``Client``. The server's own --rest_api_timeout_in_ms must be as long as ``timeout``:
            it is 30 seconds unless said.

    Usage::

        explained = RestClient("http://127.0.0.1:8501", "phantom_brain").explain_study("scan.dcm")
    """

    def __init__(self, address: str, model: str, **options: Any):
        super().__init__(address.rstrip("/"), model, **options)
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise InputError(address, "is no address of a REST interface", "Write it as http://HOST:8501")

    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        columns = {name: _as_json(values) for name, values in inputs.items()}
        answer = self._send(":predict", {"signature_name": signature, "inputs": columns})
        outputs = answer["outputs"]
        if not isinstance(outputs, dict):  # a single output has no name in JSON
            outputs = {"probability": outputs}
        return {name: _as_array(values) for name, values in outputs.items()}

    def request_image_shape(self) -> tuple[int, int, int]:
        signatures = self._send("/metadata", None)["metadata"]["signature_def"]["signature_def"]
        _, *shape = signatures["serving_default"]["inputs"]["images"]["tensor_shape"]["dim"]
        height, width, channels = (int(dimension["size"]) for dimension in shape)
        return height, width, channels

    def _send(self, verb: str, body: Any) -> Any:
        """POSTs JSON, GETs where there is none, and returns the JSON that comes back."""
        which = "" if self.version is None else f"/versions/{self.version}"
        which = which if self.label is None else f"/labels/{urllib.parse.quote(self.label)}"
        address = f"{self.address}/v1/models/{urllib.parse.quote(self.model)}{which}{verb}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            reason = _reason(error)
            if error.code == _UNAVAILABLE:
                raise Unavailable(reason) from error
            remedy = _REMEDIES.get(error.code, "Look at the server's log")
            raise InputError(self.address, f"answers {error.code}: {reason}", remedy) from error
        except (TimeoutError, urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
                raise InputError(
                    self.address,
                    f"did not answer within {self.timeout:g} s",
                    "Send fewer images at once or allow more time",
                ) from error
            raise Unavailable(str(getattr(error, "reason", error))) from error


def _as_json(values: np.ndarray) -> list[Any]:
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _as_array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype == bool else array.astype(np.float32)


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or error.reason
